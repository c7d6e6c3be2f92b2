package balancer_test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
)

var algorithms = []balancer.Algorithm{
	balancer.RoundRobin, balancer.LeastRequests, balancer.PowerOfTwo, balancer.PeakEWMA, balancer.Random, balancer.Hash,
}

// userOf is a key without a parser between the test and the algorithm.
func userOf(r *http.Request) string {
	if user := r.Header["X-User"]; len(user) > 0 {
		return user[0]
	}
	return ""
}

func from(user int) *http.Request {
	r := get()
	r.Header["X-User"] = []string{"user-" + strconv.Itoa(user)}
	return r
}

// picks counts which backend each of n users is sent to, one at a time.
func picks(pick balancer.Picker, ready []*balancer.Backend, n int) map[string]int {
	counts := map[string]int{}
	r := get()
	user := make([]string, 1)
	r.Header["X-User"] = user
	for i := range n {
		user[0] = "user-" + strconv.Itoa(i)
		counts[pick(r, ready).Name]++
	}
	return counts
}

// shareError returns by how much the shares in counts differ from the weights'
// at most.
func shareError(counts map[string]int, weights []int) (worst float64) {
	total, sum := 0, 0
	for i, w := range weights {
		total, sum = total+w, sum+counts[strconv.Itoa(i)]
	}
	for i, w := range weights {
		worst = max(worst, math.Abs(float64(counts[strconv.Itoa(i)])/float64(sum)-float64(w)/float64(total)))
	}
	return worst
}

func numbered(weights ...int) (backends []*balancer.Backend) {
	for i, w := range weights {
		b := named(nil, strconv.Itoa(i))[0]
		b.Weight = w
		backends = append(backends, b)
	}
	return backends
}

func TestAlgorithmsShareByWeight(t *testing.T) {
	for _, algorithm := range algorithms {
		for _, weights := range [][]int{{1}, {1, 1}, {1, 1, 1, 1}, {6, 3, 1}, {100, 1}, {1000, 999, 1, 500, 500}} {
			t.Run(fmt.Sprint(algorithm, weights), func(t *testing.T) {
				t.Parallel()
				idle := shareError(picks(algorithm.Picker(userOf), numbered(weights...), 50_000), weights)
				if idle > .02 {
					t.Errorf("idle backends' shares are wrong by %.4f", idle)
				}
			})
		}
	}
}

func TestAlgorithmsShareByWeightUnderLoad(t *testing.T) {
	for _, algorithm := range []balancer.Algorithm{balancer.RoundRobin, balancer.LeastRequests, balancer.PowerOfTwo, balancer.PeakEWMA, balancer.Random} {
		for _, rate := range []float64{200, 4000} { // 2 and 40 in flight
			for _, weights := range [][]int{{1, 1, 1, 1}, {6, 3, 1}} {
				t.Run(fmt.Sprint(algorithm, weights, rate), func(t *testing.T) {
					l := load{requests: 10_000, rate: rate, weights: weights, workers: 1000, service: make([]time.Duration, len(weights))}
					for i := range l.service {
						l.service[i] = 10 * time.Millisecond
					}
					counts := map[string]int{}
					for i, share := range l.under(t, algorithm.Picker(nil)).shares {
						counts[strconv.Itoa(i)] = int(share * 10_000)
					}
					// Two in flight are too few to be in proportion to 6, 3 and 1:
					// least-requests is wrong by 0.02 to 0.035 then, and by 0.27 without weights.
					tolerance := .05
					if rate > 1000 {
						tolerance = .02
					}
					if wrong := shareError(counts, weights); wrong > tolerance {
						t.Errorf("shares are wrong by %.4f: %v", wrong, counts)
					}
				})
			}
		}
	}
}

// TestAlgorithmsFollowChanges holds what any picker owes: it returns a backend
// of the set at hand, whatever came before, and of two alike sets shares alike.
func TestAlgorithmsFollowChanges(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			pick, all := algorithm.Picker(userOf), numbered(1, 1, 1, 1, 1)
			for _, set := range [][]*balancer.Backend{all, all[:1], all[1:], all[2:4], all, all[4:]} {
				ready := slices.Clone(set)
				counts := picks(pick, ready, 1000)
				want, got := make([]string, 0, 5), slices.Sorted(maps.Keys(counts))
				for _, b := range ready {
					want = append(want, b.Name)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("picked among (-ready +picked):\n%s", diff)
				}
			}
		})
	}
}

// TestAlgorithmsConcurrently is for the race detector.
func TestAlgorithmsConcurrently(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			all := numbered(3, 2, 1, 1)
			sticky := balancer.NewSticky("affinity", algorithm.Picker(userOf))
			sets := [][]*balancer.Backend{slices.Clone(all), slices.Clone(all[1:]), slices.Clone(all[:2])}
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					for i := range 1000 {
						r := from(i)
						b := sticky.Pick(r, sets[i%len(sets)])
						if resp, err := b.RoundTrip(r); err != nil {
							t.Error(err)
						} else {
							sticky.Bind(r, resp, b)
							resp.Body.Close()
						}
						if i%100 == 0 {
							all[i/100%len(all)].CameUp(time.Millisecond)
						}
					}
				})
			}
			workers.Wait()
		})
	}
}

func TestAlgorithmNames(t *testing.T) {
	for _, algorithm := range algorithms {
		var got balancer.Algorithm
		if err := got.UnmarshalText([]byte(algorithm)); err != nil || got != algorithm {
			t.Errorf("%q is read as %q, %v", algorithm, got, err)
		}
	}
	var a balancer.Algorithm
	want := "must be hash, least-requests, peak-ewma, power-of-two, random or round-robin"
	for _, text := range []string{"", "roundrobin", "Random", "p2c"} {
		if err := a.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestLoadAwareAlgorithmsAvoidTheBusy(t *testing.T) {
	for _, algorithm := range []balancer.Algorithm{balancer.LeastRequests, balancer.PowerOfTwo, balancer.PeakEWMA} {
		t.Run(string(algorithm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pick, ready := algorithm.Picker(nil), numbered(1, 1)
				for range 20 { // both have been seen answering
					resp, err := pick(get(), ready).RoundTrip(get())
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
				}
				resp, err := ready[0].RoundTrip(get()) // its body stays open
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				again, err := ready[0].RoundTrip(get())
				if err != nil {
					t.Fatal(err)
				}
				defer again.Body.Close()
				for range 100 {
					if b := pick(get(), ready); b != ready[1] {
						t.Fatal("picked the busy one")
					}
				}
			})
		})
	}
}

func TestLoadAwareAlgorithmsBeatRoundRobin(t *testing.T) {
	tests := map[string]load{
		// 25 % of the requests are more than the slow one can do.
		"overloaded by an equal share": {requests: 10_000, rate: 1000},
		// The others alone can do nearly all.
		"busy": {requests: 20_000, rate: 3000},
		// Nobody is ever busy with more than a few.
		"at ease": {requests: 10_000, rate: 300},
	}
	for name, l := range tests {
		t.Run(name, func(t *testing.T) {
			l.workers, l.spread = 16, .3
			l.service = []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}
			p99 := map[balancer.Algorithm]time.Duration{}
			for _, algorithm := range []balancer.Algorithm{balancer.RoundRobin, balancer.Random, balancer.LeastRequests, balancer.PowerOfTwo, balancer.PeakEWMA} {
				r := l.under(t, algorithm.Picker(nil))
				p99[algorithm] = r.percentile(99)
				t.Logf("%-14s p50 %6.1f ms, p99 %7.1f ms, shares %.3f", algorithm, r.percentile(50).Seconds()*1000, r.percentile(99).Seconds()*1000, r.shares)
			}
			if p99[balancer.PowerOfTwo] >= p99[balancer.RoundRobin]*95/100 {
				t.Errorf("power-of-two's p99 of %v is no better than round-robin's %v", p99[balancer.PowerOfTwo], p99[balancer.RoundRobin])
			}
			if p99[balancer.PeakEWMA] >= p99[balancer.RoundRobin]/2 || p99[balancer.PeakEWMA] >= p99[balancer.PowerOfTwo] {
				t.Errorf("peak-ewma's p99 of %v is not much better than round-robin's %v", p99[balancer.PeakEWMA], p99[balancer.RoundRobin])
			}
		})
	}
}

func BenchmarkAlgorithms(b *testing.B) {
	for _, algorithm := range algorithms {
		for _, n := range []int{2, 500} {
			b.Run(fmt.Sprintf("%s/%d", algorithm, n), func(b *testing.B) {
				pick, ready, r := algorithm.Picker(userOf), numbered(slices.Repeat([]int{1}, n)...), from(1)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						pick(r, ready)
					}
				})
			})
		}
	}
}

// TestKeysAreRememberedRight asks for more keys than are remembered, twice, and compares
// with pickers that remember none.
func TestKeysAreRememberedRight(t *testing.T) {
	ready := numbered(slices.Concat(slices.Repeat([]int{1}, 40), slices.Repeat([]int{3}, 10))...)
	pick := balancer.Hash.Picker(userOf)
	for round := range 2 {
		for user := range 10_000 {
			got := pick(from(user), ready)
			if user%10 > 0 {
				continue
			}
			if want := balancer.Hash.Picker(userOf)(from(user), ready); got != want {
				t.Fatalf("round %d: user %d is sent to %s, want %s", round, user, got.Name, want.Name)
			}
		}
	}
}

func TestPicksAllocateNothing(t *testing.T) {
	for _, algorithm := range algorithms {
		pick, ready, r := algorithm.Picker(userOf), numbered(3, 2, 1), from(1)
		sticky := balancer.NewSticky("affinity", algorithm.Picker(userOf))
		bound := cookieOf(sticky, ready[1])
		r.Header["Cookie"] = []string{`theme=dark; affinity="?"; ` + bound}
		if n := testing.AllocsPerRun(100, func() { pick(r, ready) }); n != 0 {
			t.Errorf("%s: %v allocations", algorithm, n)
		}
		if n := testing.AllocsPerRun(100, func() { sticky.Pick(r, ready) }); n != 0 {
			t.Errorf("%s behind a cookie: %v allocations", algorithm, n)
		}
	}
}
