package redis

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"spangate/policy"
)

// ledger is what this instance knows of the counts in the store, and what it let
// in itself while that could not be asked.
//
// So no count begins anew when the store goes or comes back. A share that has to
// decide goes on from where the count of all was. And with the first request
// that the store decides again it is told two things: where its count was last,
// as a floor for one that it lost, and what this instance has counted since, as
// a debt to add.
//
// Instants are nanoseconds of the store's clock, as far as it is known. For each
// limit two arrival times are kept: base, the store's, and own, which this
// instance's requests have moved on from there by the longer steps of a share.
//
// It holds the keys used last, about as many as it is made for, in two
// generations: when the young one is full the old one is dropped.
type ledger struct {
	measures []measure
	seed     maphash.Seed
	shards   []ledgerShard

	epoch time.Time
	ahead atomic.Int64 // of the store's clock before the time since epoch
}

type ledgerShard struct {
	mu         sync.Mutex
	young, old generation
	most       int // keys in a generation
	_          [64]byte
}

// generation has for each key the number of instances that own counts for, or 0
// when it is base, and then base and own for each limit.
type generation struct {
	places map[[16]byte]int
	kept   []int64
}

func newLedger(measures []measure, maxKeys int) *ledger {
	l := &ledger{measures: measures, seed: maphash.MakeSeed(), epoch: time.Now()}
	l.ahead.Store(l.epoch.UnixNano())
	n := 1
	if maxKeys >= 4096 {
		n = 32
	}
	l.shards = make([]ledgerShard, n)
	for i := range l.shards {
		s := &l.shards[i]
		s.most = max(maxKeys/n/2, 1)
		s.young.places, s.old.places = map[[16]byte]int{}, map[[16]byte]int{}
	}
	return l
}

// now is the store's time.
func (l *ledger) now() int64 { return int64(time.Since(l.epoch)) + l.ahead.Load() }

// set says that the store's clock was at now at some instant between two. Where
// it can have been as far ahead as is thought, that is not changed: long round
// trips tell less than short ones.
func (l *ledger) set(now int64, sent, received time.Time) {
	least, most := now-int64(received.Sub(l.epoch)), now-int64(sent.Sub(l.epoch))
	l.ahead.Store(min(max(l.ahead.Load(), least), most))
}

// keys returns how many keys are held.
func (l *ledger) keys() (n int) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += len(s.young.places)
		for id := range s.old.places {
			if _, both := s.young.places[id]; !both {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

// lock returns what is kept of a key, and its shard, for the caller to unlock.
func (l *ledger) lock(id [16]byte) (*ledgerShard, []int64) {
	s := &l.shards[maphash.Comparable(l.seed, id)%uint64(len(l.shards))]
	s.mu.Lock()
	return s, s.use(id, 1+2*len(l.measures))
}

func (s *ledgerShard) use(id [16]byte, size int) []int64 {
	if i, ok := s.young.places[id]; ok {
		return s.young.kept[i : i+size]
	}
	if len(s.young.places) >= s.most {
		s.old, s.young = s.young, s.old
		clear(s.young.places)
		s.young.kept = s.young.kept[:0]
	}
	i := len(s.young.kept)
	s.young.places[id] = i
	if j, ok := s.old.places[id]; ok {
		s.young.kept = append(s.young.kept, s.old.kept[j:j+size]...)
	} else {
		for range size {
			s.young.kept = append(s.young.kept, 0)
		}
	}
	return s.young.kept[i:]
}

// decide decides by a share of the limits, and counts a request that it lets in.
func (l *ledger) decide(id [16]byte, instances int64) policy.Decision {
	var room [4]standing
	standings := room[:0]
	now := l.now()
	s, kept := l.lock(id)
	defer s.mu.Unlock()
	counted := kept[0]
	kept[0] = instances
	allowed := true
	for i := range l.measures {
		base, own := max(kept[1+2*i], now), max(kept[2+2*i], now)
		sh := l.measures[i].share(instances)
		if counted > 0 && counted != instances {
			own = base + (own-base)/counted*instances
		}
		// Further ahead than any count reaches is of another clock.
		own = min(own, now+2*sh.ahead)
		kept[2+2*i] = own
		wait := own + sh.interval - sh.ahead - now
		allowed = allowed && wait <= 0
		standings = append(standings, standing{ahead: own - now, wait: wait})
	}
	for i := range standings {
		st, sh := &standings[i], l.measures[i].share(instances)
		if allowed {
			kept[2+2*i] += sh.interval
			st.ahead += sh.interval
		}
		st.left = max(sh.ahead-st.ahead, 0) / sh.interval
		st.portion = 1 - float64(st.ahead)/float64(sh.ahead)
	}
	return decision(l.measures, standings, allowed, policy.StoreLocal)
}

// handOver returns, for each limit, where the store's count was last (0 when that
// no longer matters) and what this instance has counted since, both in
// nanoseconds. The debt is the caller's from then on.
func (l *ledger) handOver(id [16]byte) (floors, debts []int64) {
	now, n := l.now(), len(l.measures)
	room := make([]int64, 2*n)
	floors, debts = room[:n], room[n:]
	s, kept := l.lock(id)
	defer s.mu.Unlock()
	counted := kept[0]
	kept[0] = 0
	for i := range l.measures {
		base, own := kept[1+2*i], kept[2+2*i]
		if base > now {
			floors[i] = base
		}
		if counted > 0 {
			debts[i] = (max(own, now) - max(base, now)) / counted
		}
		kept[2+2*i] = base
	}
	return floors, debts
}

// takeBack undoes what handOver did to the debts: the store has not had them.
func (l *ledger) takeBack(id [16]byte, debts []int64, instances int64) {
	now := l.now()
	s, kept := l.lock(id)
	defer s.mu.Unlock()
	if kept[0] == 0 {
		kept[0] = instances
	}
	for i, debt := range debts {
		kept[2+2*i] = max(kept[2+2*i], kept[1+2*i], now) + debt*kept[0]
	}
}

// learn takes in where the store's count is, in nanoseconds of its clock. If
// credit, a request in it is to be taken out again.
func (l *ledger) learn(id [16]byte, arrivals []int64, credit bool, instances int64) {
	now := l.now()
	s, kept := l.lock(id)
	defer s.mu.Unlock()
	if credit && kept[0] == 0 {
		kept[0] = instances
	}
	for i, arrival := range arrivals {
		since := max(kept[2+2*i], now) - max(kept[1+2*i], now)
		if credit {
			since -= l.measures[i].interval * kept[0]
		}
		kept[1+2*i], kept[2+2*i] = arrival, arrival
		if since != 0 {
			kept[2+2*i] = max(arrival, now) + since
		}
	}
}
