package balancer

import (
	"net/http"
	"sync/atomic"
)

// newRoundRobin returns a picker that takes backends in turn, each as often as
// its weight says and spread as evenly as whole turns allow: weights 5, 1, 1
// give a a b a c a a, nginx's smooth weighted round robin.
//
// That algorithm changes every weight at every pick, under a lock. As it
// repeats itself after as many picks as the weights add up to, one round is
// laid out whenever the ready set or a weight in it changes, and a pick is then
// one atomic addition.
func newRoundRobin() picker {
	rounds := prepared[*round]{prepare: layOut}
	return func(_ *http.Request, ready []*Backend) *Backend {
		return ready[(*rounds.of(ready)).next()]
	}
}

// round is one full turn over a ready set.
type round struct {
	turns []uint16 // indexes into the set
	taken atomic.Uint64
}

func (r *round) next() uint16 {
	return r.turns[(r.taken.Add(1)-1)%uint64(len(r.turns))]
}

func layOut(ready []*Backend) *round {
	weights, current := make([]int, len(ready)), make([]int, len(ready))
	common := 0
	for i, b := range ready {
		weights[i] = b.weight()
		common = gcd(common, weights[i])
	}
	total := 0
	for i := range weights {
		weights[i] /= common
		total += weights[i]
	}
	r := &round{turns: make([]uint16, total)}
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
