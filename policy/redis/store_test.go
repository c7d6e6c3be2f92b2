package redis

import (
	"context"
	"errors"
	"flag"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"spangate/policy"
	"spangate/policy/redis/connect"
)

// runFor is how long clients ask in the tests that count what is let in. There
// is one, with a clock of its own, in which they ask every two milliseconds.
var runFor = flag.Duration("run-for", 1500*time.Millisecond, "how long clients ask in tests that count what is let in")

func TestStandIns(t *testing.T) {
	l := limit(12, time.Minute)
	for onError, want := range map[OnError]policy.Decision{
		local: {Allowed: true, Limit: l, Remaining: 11, Reset: 5 * time.Second, Store: policy.StoreLocal},
		allow: {Allowed: true},
		deny:  {},
	} {
		t.Run(string(onError), func(t *testing.T) {
			s := newStore(t, Config{RedisURL: "redis://127.0.0.1:1", OnError: onError}, policy.Limits{l})
			d, err := s.Limit(t.Context(), policy.Key{})
			if diff := cmp.Diff(want, d); diff != "" || !errors.Is(err, errNotYet) {
				t.Errorf("error %v, decision (-want +got):\n%s", err, diff)
			}
			var seen changes
			s.changed = seen.add
			run(t, s)
			until(t, "it is known that nobody is there", func() bool { return seen.list() == "true true" })
			if d, err := s.Limit(t.Context(), policy.Key{}); err == nil || d.Allowed != want.Allowed {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

// A share decides by the limits divided, of which one request at least.
func TestShare(t *testing.T) {
	for name, test := range map[string]struct {
		limit     policy.Limit
		instances int64
		want      int64
	}{
		"alone":                    {limit(100, time.Hour), 1, 100},
		"four":                     {limit(100, time.Hour), 4, 25},
		"more instances than that": {limit(3, time.Hour), 10, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Config{RedisURL: "redis://127.0.0.1:1"}, policy.Limits{limit(1000, time.Second), test.limit})
			s.instances.Store(test.instances)
			n := int64(0)
			for {
				d, _ := s.Limit(t.Context(), policy.Key{})
				if !d.Allowed {
					if d.Limit != test.limit || d.RetryAfter <= 0 {
						t.Errorf("refused by %+v", d)
					}
					break
				}
				n++
			}
			if n != test.want {
				t.Errorf("let in %d, want %d", n, test.want)
			}
		})
	}
}

// Counts go on from where they were, in both directions.
func TestNoBurstIsGivenTwice(t *testing.T) {
	t.Parallel()
	t.Run("Redis was away", func(t *testing.T) {
		t.Parallel()
		if n := letInAfterAnOutage(t, func(*miniredis.Miniredis) {}); n != 8 {
			t.Errorf("let in %d more, want 8", n)
		}
	})
	t.Run("Redis has lost all", func(t *testing.T) {
		t.Parallel()
		// The first to come back knows of all requests but the last three.
		if n := letInAfterAnOutage(t, (*miniredis.Miniredis).FlushAll); n < 8 || n > 11 {
			t.Errorf("let in %d more, want 8 to 11", n)
		}
	})
}

// letInAfterAnOutage returns how many of 40 requests that may come come after it.
func letInAfterAnOutage(t *testing.T, outage func(*miniredis.Miniredis)) int {
	t.Helper()
	r := miniredis.RunT(t)
	var seen changes
	limits := policy.Limits{limit(40, time.Hour)}
	key := policy.Key{ID: [16]byte{7}}
	f := newFleet(t, 4, Config{RedisURL: connect.URL("redis://" + r.Addr())}, limits, seen.add)
	ask := func(times int, store policy.Store) (allowed int) {
		t.Helper()
		for i := range times {
			d, err := f.stores[i%4].Limit(t.Context(), key)
			if d.Store != store || (err == nil) != (store == policy.StoreRedis) {
				t.Fatalf("got %+v, %v; want it of %s", d, err, store)
			}
			if d.Allowed {
				allowed++
			}
		}
		return allowed
	}
	all := func(want bool) func() bool {
		return func() bool {
			for _, s := range f.stores {
				if decides(s) != want {
					return false
				}
			}
			return true
		}
	}
	var got []int
	got = append(got, ask(20, policy.StoreRedis)) // 20 are left: 5 for each
	r.Close()
	until(t, "all know that it is away", func() bool {
		for _, s := range f.stores {
			s.Limit(t.Context(), policy.Key{ID: [16]byte{8}})
		}
		return all(false)()
	})
	got = append(got, ask(12, policy.StoreLocal))
	outage(r)
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, "all are back", all(true))
	if diff := cmp.Diff([]int{20, 12}, got); diff != "" {
		t.Errorf("let in before and without Redis (-want +got):\n%s", diff)
	}
	if n := f.stores[0].Keys(); n != 2 {
		t.Errorf("%d keys are kept in mind, want 2", n)
	}
	return ask(40, policy.StoreRedis)
}

// A decision that comes too late is made by the share, and counted once.
func TestLateAnswer(t *testing.T) {
	s := newStore(t, Config{RedisURL: "redis://127.0.0.1:1"}, policy.Limits{limit(10, time.Hour)})
	s.instances.Store(2)
	id := [16]byte{1}
	arrival := func(requests int64) []int64 {
		return []int64{s.ledger.now() + requests*int64(6*time.Minute)}
	}
	debt := func() int64 {
		_, debts := s.ledger.handOver(id)
		return int64(math.Round(float64(debts[0]) / float64(6*time.Minute)))
	}
	s.ledger.handOver(id)
	s.ledger.decide(id, 2)                  // lets it in
	s.ledger.learn(id, arrival(1), true, 2) // and so did Redis
	if n := debt(); n != 0 {
		t.Errorf("let in by both: a debt of %d, want 0", n)
	}
	s.ledger.decide(id, 2)
	s.ledger.learn(id, arrival(1), false, 2)
	if n := debt(); n != 1 {
		t.Errorf("let in by the share alone: a debt of %d, want 1", n)
	}
	s.ledger.learn(id, arrival(2), true, 2)
	if n := debt(); n != -1 {
		t.Errorf("let in by Redis alone: a debt of %d, want -1", n)
	}
	s.ledger.decide(id, 2)
	s.ledger.decide(id, 2)
	_, debts := s.ledger.handOver(id)
	s.ledger.takeBack(id, debts, 2)
	if n := debt(); n != 2 {
		t.Errorf("after Redis did not answer: a debt of %d, want 2", n)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	for _, most := range []int{1, 100, 10000} {
		l := newLedger([]measure{newMeasure(limit(10, time.Hour))}, most)
		hot := [16]byte{255}
		for i := range 5 * most {
			l.decide([16]byte{byte(i), byte(i >> 8), byte(i >> 16)}, 1)
			l.decide(hot, 1)
			if i%997 == 0 || i == 5*most-1 { // not each time: it looks at all keys
				if n := l.keys(); n > most+2 {
					t.Fatalf("%d keys, want at most about %d", n, most)
				}
			}
		}
		if d := l.decide(hot, 1); most > 1 && d.Allowed {
			t.Errorf("among %d a key that was always in use is forgotten", most)
		}
	}
}

// More questions than the store can take are answered without it.
func TestFullQueue(t *testing.T) {
	w := queue{came: make(chan struct{}, 1)}
	w.allow()
	for range most {
		if err := w.put(&question{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.put(&question{}); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	if n := len(w.take()); n != most {
		t.Errorf("took %d, want %d", n, most)
	}
	if err := w.put(&question{}); err != nil {
		t.Errorf("once they are taken: %v", err)
	}
}

// Whoever asks while Run ends gets an answer.
func TestEnd(t *testing.T) {
	r := miniredis.RunT(t)
	s := newStore(t, Config{RedisURL: connect.URL("redis://" + r.Addr())}, policy.Limits{limit(1_000_000, time.Second)})
	stop := run(t, s)
	until(t, "redis decides", func() bool { return decides(s) })
	var asked sync.WaitGroup
	for range 20 {
		asked.Go(func() {
			for {
				if _, err := s.Limit(context.Background(), policy.Key{}); errors.Is(err, errClosed) {
					return
				}
			}
		})
	}
	stop()
	asked.Wait()
	if r.Exists("spangate:instances") {
		t.Error("the instance has not said that it leaves")
	}
}

func TestClock(t *testing.T) {
	l := newLedger(nil, 1)
	at := l.epoch.Add(time.Minute)
	var got []time.Duration
	for _, c := range []struct{ server, trip time.Duration }{
		{time.Hour, 10 * time.Millisecond},                 // exact to its trip
		{time.Hour, time.Second},                           // tells less: no change
		{time.Hour + 5*time.Millisecond, time.Millisecond}, // tells more
	} {
		l.set(int64(c.server), at, at.Add(c.trip))
		got = append(got, time.Duration(l.ahead.Load())+time.Minute-time.Hour)
	}
	want := []time.Duration{0, 0, 4 * time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ahead (-want +got):\n%s", diff)
	}
}
