package policy

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shard holds a part of a limiter's keys, as a hash table with a fixed number
// of chains. It grows by blocks, so that nobody waits while all of it is copied,
// and its entries have no pointers, so that the garbage collector has nothing
// to follow.
//
// Its keys also form two rings, each in the order of latest use: those that
// have spent much, and the others.
type shard struct {
	mu     sync.Mutex
	seed   maphash.Seed
	chains []uint32 // the first place of each; 0: none
	blocks []*[blockSize]entry
	limits int           // how many there are
	times  [][]int64     // of the entries of each block, an arrival time for each limit; 0: none
	used   uint32        // places from here on have not been in use
	unused []uint32      // places before it that are free again
	keys   int           // in both rings
	spent  int           // in the ring of those
	spare  *atomic.Int64 // keys that all shards together may still take in, beside the first of each
	_      [64]byte      // two locks on one cache line would slow each other down
}

const (
	blockSize = 256
	// freed is how many keys of a ring may leave without need when one comes.
	freed = 2
)

// The places that close the rings: the newest key is the next older one, and
// the oldest the next newer.
const (
	othersEnds = iota
	spentEnds
)

// entry is what is kept of a key, beside its arrival times.
type entry struct {
	id           [16]byte
	chained      uint32 // the next place of the chain; 0: none
	newer, older uint32
	spent        bool // which ring it is in
}

// newShard returns one of no keys yet, with that many chains.
func newShard(seed maphash.Seed, chains, limits int, spare *atomic.Int64) *shard {
	s := &shard{seed: seed, chains: make([]uint32, chains), limits: limits, spare: spare}
	for _, ends := range []uint32{othersEnds, spentEnds} {
		place := s.grow()
		s.at(place).newer, s.at(place).older = ends, ends
	}
	return s
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// decide counts a request of a key with that hash, if it may come in.
func (s *shard) decide(id [16]byte, hash uint64, limits []gcra, now int64) Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.find(id, hash)
	if place == 0 {
		s.dropWhole(now)
		place = s.room(limits, now)
		first := s.chain(hash)
		*s.at(place) = entry{id: id, chained: *first}
		clear(s.arrivals(place))
		*first = place
		s.keys++
		s.link(place, false)
	}
	d := decide(limits, s.arrivals(place), now)
	spent := s.owesMuch(place, limits, now)
	if s.at(ringOf(spent)).older != place {
		s.unlink(place)
		s.link(place, spent)
	}
	return d
}

// hashOf is keyed, so that no client can choose which keys meet.
func hashOf(seed maphash.Seed, id [16]byte) uint64 { return maphash.Bytes(seed, id[:]) }

// chain returns the start of that for a hash, whose low bits have chosen the
// shard.
func (s *shard) chain(hash uint64) *uint32 {
	return &s.chains[hash>>32*uint64(len(s.chains))>>32]
}

// find returns the place of a key, or 0.
func (s *shard) find(id [16]byte, hash uint64) uint32 {
	place := *s.chain(hash)
	for place != 0 && s.at(place).id != id {
		place = s.at(place).chained
	}
	return place
}

// room returns a free place.
func (s *shard) room(limits []gcra, now int64) uint32 {
	if s.keys > 0 && s.spare.Add(-1) < 0 {
		s.spare.Add(1)
		place := s.victim(limits, now)
		s.forget(place)
		return place
	}
	if n := len(s.unused); n > 0 {
		place := s.unused[n-1]
		s.unused = s.unused[:n-1]
		return place
	}
	return s.grow()
}

// grow returns the first place that was never in use.
func (s *shard) grow() uint32 {
	if s.used%blockSize == 0 {
		s.blocks = append(s.blocks, new([blockSize]entry))
		s.times = append(s.times, make([]int64, blockSize*s.limits))
	}
	s.used++
	return s.used - 1
}

// victim returns the key to give up for another: the oldest that does not owe
// much, while those that do are not the majority.
func (s *shard) victim(limits []gcra, now int64) uint32 {
	oldest := s.oldest(spentEnds)
	switch {
	case 2*s.spent > s.keys:
		return oldest
	case s.spent > 0 && !s.owesMuch(oldest, limits, now): // any more
		s.unlink(oldest)
		s.link(oldest, false)
	}
	return s.oldest(othersEnds)
}

// dropWhole drops the oldest keys while they may use all of their bursts, as a
// key that is not held may.
func (s *shard) dropWhole(now int64) {
	for range freed {
		for _, ends := range []uint32{othersEnds, spentEnds} {
			oldest := s.oldest(ends)
			if oldest == ends || s.owes(oldest, now) {
				continue
			}
			s.forget(oldest)
			s.unused = append(s.unused, oldest)
			if s.keys > 0 {
				s.spare.Add(1)
			}
		}
	}
}

// forget makes the place of a key free.
func (s *shard) forget(place uint32) {
	e := s.at(place)
	link := s.chain(hashOf(s.seed, e.id))
	for *link != place {
		link = &s.at(*link).chained
	}
	*link = e.chained
	s.keys--
	s.unlink(place)
}

func ringOf(spent bool) uint32 {
	if spent {
		return spentEnds
	}
	return othersEnds
}

func (s *shard) oldest(ends uint32) uint32 { return s.at(ends).newer }

// link makes a key the newest of a ring.
func (s *shard) link(place uint32, spent bool) {
	ends := ringOf(spent)
	e, end := s.at(place), s.at(ends)
	e.newer, e.older, e.spent = ends, end.older, spent
	s.at(end.older).newer = place
	end.older = place
	if spent {
		s.spent++
	}
}

func (s *shard) unlink(place uint32) {
	e := s.at(place)
	s.at(e.newer).older = e.older
	s.at(e.older).newer = e.newer
	if e.spent {
		s.spent--
	}
}

func (s *shard) at(place uint32) *entry { return &s.blocks[place/blockSize][place%blockSize] }

// arrivals returns the arrival times of a key, one for each limit.
func (s *shard) arrivals(place uint32) []int64 {
	at := int(place%blockSize) * s.limits
	return s.times[place/blockSize][at : at+s.limits]
}

// owes reports whether not all bursts of a key may be had at now.
func (s *shard) owes(place uint32, now int64) bool {
	for _, arrival := range s.arrivals(place) {
		if arrival > now {
			return true
		}
	}
	return false
}

// owesMuch reports whether forgetting the key would forgive it much.
func (s *shard) owesMuch(place uint32, limits []gcra, now int64) bool {
	for i, arrival := range s.arrivals(place) {
		if limits[i].spent(arrival, now) {
			return true
		}
	}
	return false
}
