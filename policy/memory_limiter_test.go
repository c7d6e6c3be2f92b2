package policy_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/policy"
)

func ExampleMemoryLimiter() {
	var limits policy.Limits
	if err := limits.UnmarshalText([]byte("2/h")); err != nil {
		panic(err)
	}
	m := policy.NewMemoryLimiter(limits, 1000)
	for range 3 {
		d, _ := m.Limit(context.Background(), policy.Key{})
		fmt.Println(d.Allowed, d.Remaining, d.RetryAfter.Round(time.Minute))
	}
	// Output:
	// true 1 0s
	// true 0 0s
	// false 0 30m0s
}

func limits(t testing.TB, text string) policy.Limits {
	t.Helper()
	return limitsOf(t, text).Effective()
}

// key returns one of many keys.
func key(n int) (k policy.Key) {
	binary.LittleEndian.PutUint64(k.ID[:], uint64(n))
	return k
}

// ask returns what m says of one more request.
func ask(m *policy.MemoryLimiter, k policy.Key) policy.Decision {
	d, err := m.Limit(context.Background(), k)
	if err != nil {
		panic(err)
	}
	return d
}

// admitted returns how many of n requests m lets in.
func admitted(m *policy.MemoryLimiter, k policy.Key, n int) (in int) {
	for range n {
		if ask(m, k).Allowed {
			in++
		}
	}
	return in
}

func TestBurstThenOneEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := limits(t, "10/s")
		all[0].Burst = 25
		m := policy.NewMemoryLimiter(all, 100)
		for i := range int64(25) {
			want := policy.Decision{
				Allowed: true, Limit: all[0], Remaining: 24 - i,
				Reset: time.Duration(i+1) * 100 * time.Millisecond, Store: policy.StoreMemory,
			}
			if diff := cmp.Diff(want, ask(m, key(1))); diff != "" {
				t.Fatalf("request %d (-want +got):\n%s", i+1, diff)
			}
		}
		refused := policy.Decision{Limit: all[0], Reset: 2500 * time.Millisecond, RetryAfter: 100 * time.Millisecond, Store: policy.StoreMemory}
		for range 100 {
			if diff := cmp.Diff(refused, ask(m, key(1))); diff != "" {
				t.Fatalf("over the burst (-want +got):\n%s", diff)
			}
		}
		if got := admitted(m, key(2), 30); got != 25 {
			t.Errorf("another key: %d came in, want 25", got)
		}
		for i := range 50 {
			time.Sleep(99_999_999)
			if d := ask(m, key(1)); d.Allowed || d.RetryAfter != 1 {
				t.Fatalf("interval %d: %+v, one nanosecond too early", i, d)
			}
			time.Sleep(time.Nanosecond)
			if got := admitted(m, key(1), 3); got != 1 {
				t.Fatalf("interval %d: %d came in, want 1", i, got)
			}
		}
		time.Sleep(450 * time.Millisecond)
		if got := admitted(m, key(1), 10); got != 4 {
			t.Errorf("after 4.5 intervals %d came in, want 4", got)
		}
		time.Sleep(time.Hour)
		if got := admitted(m, key(1), 100); got != 25 {
			t.Errorf("after an hour %d came in, want the burst, 25", got)
		}
	})
}

func TestLongRunRate(t *testing.T) {
	for _, test := range []struct {
		limit string
		step  time.Duration // between requests, faster than the limit
		steps int
	}{
		{"3/s", 10 * time.Millisecond, 60_000},
		{"7/m", time.Second, 50_000},
		{"1000/h", 50 * time.Millisecond, 100_000},
		{"999983/s", 300 * time.Nanosecond, 200_000},
	} {
		t.Run(test.limit, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := limits(t, test.limit)
				m := policy.NewMemoryLimiter(all, 100)
				burst := all[0].Burst
				if got := int64(admitted(m, key(1), int(burst)+1)); got != burst {
					t.Fatalf("%d came in at once, want %d", got, burst)
				}
				in := int64(0)
				for range test.steps {
					time.Sleep(test.step)
					if ask(m, key(1)).Allowed {
						in++
					}
				}
				took := test.step * time.Duration(test.steps)
				if want := int64(took / all[0].Interval()); in != want {
					t.Errorf("%d came in within %v, want %d", in, took, want)
				}
			})
		})
	}
}

// TestWhoKeepsTheLimitIsNeverRefused asks at just the rate, where an interval
// is no whole number of nanoseconds.
func TestWhoKeepsTheLimitIsNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := limits(t, "7/s")
		all[0].Burst = 1
		m := policy.NewMemoryLimiter(all, 100)
		start := time.Now()
		for i := range 100_000 {
			time.Sleep(time.Until(start.Add(time.Duration(int64(i) * int64(time.Second) / 7))))
			if d := ask(m, key(1)); !d.Allowed {
				t.Fatalf("request %d: %+v", i, d)
			}
		}
	})
}

func TestSeveralLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := limits(t, "10/s,15/m,1000/h")
		second, minute := all[0], all[1]
		m := policy.NewMemoryLimiter(all, 100)
		if got := admitted(m, key(1), 50); got != 10 {
			t.Fatalf("%d came in at once, want 10", got)
		}
		if d := ask(m, key(1)); d.Limit != second || d.RetryAfter != 100*time.Millisecond {
			t.Errorf("over the first: %+v", d)
		}
		time.Sleep(time.Second)
		// 40 of 50 were refused. Had the minute counted them, none would come in.
		if got := admitted(m, key(1), 4); got != 4 {
			t.Errorf("%d came in in the next second, want 4", got)
		}
		if d := ask(m, key(1)); !d.Allowed || d.Limit != minute || d.Remaining != 0 {
			t.Errorf("the fifteenth: %+v, want that of the minute with nothing left", d)
		}
		d := ask(m, key(1))
		if want := 3 * time.Second; d.Allowed || d.Limit != minute || d.RetryAfter != want {
			t.Errorf("the sixteenth: %+v, want to wait %v for the minute", d, want)
		}
		// What the minute refused the second has not counted: 5 are left of it.
		for range 100 {
			ask(m, key(1))
		}
		time.Sleep(d.RetryAfter)
		if d := ask(m, key(1)); !d.Allowed {
			t.Errorf("after the wait: %+v", d)
		}
	})
}

func TestDecisionNamesTheLongestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := limits(t, "1/s,1/m,1/h,1/d")
		m := policy.NewMemoryLimiter(all, 100)
		if !ask(m, key(1)).Allowed {
			t.Fatal("the first was refused")
		}
		if d := ask(m, key(1)); d.Limit != all[3] || d.RetryAfter != 24*time.Hour {
			t.Errorf("got %+v, want that of the day", d)
		}
	})
}

func TestConcurrentRequestsGetTheBurst(t *testing.T) {
	day, hour := limits(t, "1/d")[0], limits(t, "1/h")[0] // nothing comes back meanwhile
	day.Burst, hour.Burst = 1000, 900
	for _, all := range []policy.Limits{{day}, {day, hour}, {hour, day}} {
		m := policy.NewMemoryLimiter(all, 100_000)
		var in [4]atomic.Int64
		var wg sync.WaitGroup
		for g := range 32 {
			wg.Go(func() {
				for i := range 1000 {
					if k := (g + i) % len(in); ask(m, key(k)).Allowed {
						in[k].Add(1)
					}
					ask(m, key(1000+g*1000+i)) // others come beside them
				}
			})
		}
		wg.Wait()
		want := all[0].Burst
		for _, l := range all {
			want = min(want, l.Burst)
		}
		for k := range in {
			if got := in[k].Load(); got != want {
				t.Errorf("%v, key %d: %d came in, want %d", all, k, got, want)
			}
		}
	}
}

func TestOldestKeyGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := policy.NewMemoryLimiter(limits(t, "10/h"), 3)
		left := func(n int) int64 { return ask(m, key(n)).Remaining }
		for n := range 3 {
			left(n)
			left(n)
		}
		if got := left(0); got != 7 { // used again
			t.Fatalf("key 0 has %d left, want 7", got)
		}
		left(3) // for key 1
		if got := m.Keys(); got != 3 {
			t.Errorf("%d keys are held, want 3", got)
		}
		for n, want := range map[int]int64{0: 6, 2: 7, 3: 8} {
			if got := left(n); got != want {
				t.Errorf("key %d has %d left, want %d", n, got, want)
			}
		}
		if got := left(1); got != 9 {
			t.Errorf("key 1 has %d left, want 9: it should have been forgotten", got)
		}
	})
}

func TestKeysAreBounded(t *testing.T) {
	for _, most := range []int{-1, 0, 1, 2, 255, 513, 1000, 5000, 20_001} {
		m := policy.NewMemoryLimiter(limits(t, "10/h"), most)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 2*max(most, 0) + 10 {
					ask(m, key(g+4*i))
				}
			})
		}
		wg.Wait()
		if got, want := m.Keys(), max(most, 1); got != want {
			t.Errorf("%d keys are held, want %d", got, want)
		}
	}
}

// TestNoKeyGoesWithoutNeed fills a limiter to the last key: unevenly as they
// spread over its parts, none may be missing.
func TestNoKeyGoesWithoutNeed(t *testing.T) {
	const most = 100_000
	m := policy.NewMemoryLimiter(limits(t, "10/d"), most)
	for n := range most {
		ask(m, key(n))
	}
	for n := range most {
		if d := ask(m, key(n)); d.Remaining != 8 {
			t.Fatalf("key %d has %d left, want 8", n, d.Remaining)
		}
	}
}

// TestFloodDoesNotForgive has somebody who is over the limit invent keys.
func TestFloodDoesNotForgive(t *testing.T) {
	const most = 10_000
	m := policy.NewMemoryLimiter(limits(t, "100/d"), most)
	for n := range 500 {
		if got := admitted(m, key(n), 101); got != 100 {
			t.Fatalf("key %d: %d came in, want 100", n, got)
		}
	}
	for i := range 20 * most {
		ask(m, key(1000+i))
	}
	for n := range 500 {
		if ask(m, key(n)).Allowed {
			t.Errorf("key %d was forgiven", n)
		}
	}
	if got := m.Keys(); got != most {
		t.Errorf("%d keys are held, want %d", got, most)
	}
}

func TestKeysThatAreWholeAgainLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := policy.NewMemoryLimiter(limits(t, "10/s,20/m"), 100_000)
		for n := range 1000 {
			ask(m, key(n))
		}
		if got := m.Keys(); got != 1000 {
			t.Errorf("%d keys are held, want 1000", got)
		}
		time.Sleep(time.Minute)
		for n := range 3000 {
			ask(m, key(5000+n%2)) // come and stay
			ask(m, key(10_000+n))
			time.Sleep(time.Second)
		}
		if got := m.Keys(); got > 300 {
			t.Errorf("%d keys are held, want only those that came lately", got)
		}
	})
}

// TestAgainstAPlainOne compares with a limiter of one key's arrival times, over
// random requests.
func TestAgainstAPlainOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := limits(t, "5/s,40/m,300/h")
		all[0].Burst = 8
		m := policy.NewMemoryLimiter(all, 10_000)
		random := rand.New(rand.NewPCG(1, 2))
		arrivals := map[int]*[3]time.Time{}
		in := 0
		for i := range 200_000 {
			time.Sleep(time.Duration(random.IntN(20_000_000)))
			n, now := random.IntN(50), time.Now()
			at := arrivals[n]
			if at == nil {
				at = new([3]time.Time)
				arrivals[n] = at
			}
			want := true
			var next [3]time.Time
			for j, l := range all {
				next[j] = at[j]
				if next[j].Before(now) {
					next[j] = now
				}
				next[j] = next[j].Add(l.Interval())
				want = want && next[j].Sub(now) <= l.Interval()*time.Duration(l.Burst)
			}
			if want {
				*at = next
				in++
			}
			if d := ask(m, key(n)); d.Allowed != want {
				t.Fatalf("request %d: %+v, want allowed=%v", i, d, want)
			}
		}
		t.Logf("%d of 200000 came in", in)
	})
}

// TestMemory holds what a quarter of a million keys cost, and that others in their place
// cost no more.
func TestMemory(t *testing.T) {
	const keys, most = 250_000, 32 << 20
	all := limits(t, "10/s,100/m,1000/h,10/d")
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	m := policy.NewMemoryLimiter(all, keys)
	for n := range keys {
		ask(m, key(n))
	}
	full := heap() - before
	for n := range keys / 2 {
		ask(m, key(keys+n))
	}
	churned := heap() - before
	t.Logf("%d keys in %.1f MiB, after half as many more %.1f MiB", m.Keys(), float64(full)/(1<<20), float64(churned)/(1<<20))
	if m.Keys() != keys || full > most || churned > most {
		t.Errorf("%d keys in %d and %d bytes, want %d in at most %d", m.Keys(), full, churned, keys, most)
	}
}

func TestNoAllocationForKnownKeys(t *testing.T) {
	m := policy.NewMemoryLimiter(limits(t, "1000000/s,1000000/h"), 100_000)
	for n := range 1000 {
		ask(m, key(n))
	}
	n := 0
	if got := testing.AllocsPerRun(10_000, func() { n++; ask(m, key(n%1000)) }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func BenchmarkMemoryLimiter(b *testing.B) {
	for _, bench := range []struct {
		name, limits string
		keys         int
	}{
		{"hot key let in", "86400000000/d", 1},
		{"hot key refused", "1/d", 1},
		{"hot key, two limits", "3600000000/h,86400000000/d", 1},
		{"thousand keys", "1000/d", 1000},
		{"100 thousand keys", "1000/d", 100_000},
		{"million keys", "1000/d", 1_000_000},
	} {
		b.Run(bench.name, func(b *testing.B) {
			m := policy.NewMemoryLimiter(limits(b, bench.limits), bench.keys)
			for n := range bench.keys {
				ask(m, key(n))
			}
			runtime.GC()
			var seeds atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				random := rand.New(rand.NewPCG(seeds.Add(1), 0))
				for pb.Next() {
					ask(m, key(random.IntN(bench.keys)))
				}
			})
		})
	}
}

// BenchmarkFlood has a new key with each request, for which another must go.
func BenchmarkFlood(b *testing.B) {
	const most = 100_000
	m := policy.NewMemoryLimiter(limits(b, "10/h"), most)
	for n := range most {
		ask(m, key(n))
	}
	var next atomic.Int64
	next.Store(most)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ask(m, key(int(next.Add(1))))
		}
	})
}
