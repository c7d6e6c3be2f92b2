package balancer

import (
	"net/http"
	"sync/atomic"
)

// NewRoundRobin returns a picker that takes backends in turn, each as often as
// its weight says and spread as evenly as whole turns allow: weights 5, 1, 1
// give a a b a c a a, nginx's smooth weighted round robin.
//
// That algorithm changes every weight at every pick, under a lock. As it
// repeats itself after as many picks as the weights add up to, one round is
// laid out whenever the ready set changes, and a pick is then one atomic
// addition.
func NewRoundRobin() Picker {
	var current atomic.Pointer[round]
	return func(_ *http.Request, ready []*Backend) *Backend {
		r := current.Load()
		if r == nil || !r.covers(ready) {
			r = layOut(ready)
			current.Store(r)
		}
		return r.next()
	}
}

// round is one full turn over a ready set.
type round struct {
	ready []*Backend
	turns []uint16 // indexes into ready
	taken atomic.Uint64
}

// covers reports whether the round was laid out for this very snapshot.
func (r *round) covers(ready []*Backend) bool {
	return len(r.ready) == len(ready) && &r.ready[0] == &ready[0]
}

func (r *round) next() *Backend {
	turn := (r.taken.Add(1) - 1) % uint64(len(r.turns))
	return r.ready[r.turns[turn]]
}

func layOut(ready []*Backend) *round {
	common := 0
	for _, b := range ready {
		common = gcd(common, max(b.Weight, 1))
	}
	total := 0
	weights, current := make([]int, len(ready)), make([]int, len(ready))
	for i, b := range ready {
		weights[i] = max(b.Weight, 1) / common
		total += weights[i]
	}
	r := &round{ready: ready, turns: make([]uint16, total)}
	for turn := range r.turns {
		best := 0
		for i, weight := range weights {
			current[i] += weight
			if current[i] > current[best] {
				best = i
			}
		}
		current[best] -= total
		r.turns[turn] = uint16(best)
	}
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
