package balancer

import (
	"math/rand/v2"
	"net/http"
)

// NewLeastRequests returns a picker that takes the backend with the fewest
// requests in flight for its weight. Ties are drawn by weight, so that idle
// backends get their share of what comes one at a time.
//
// Concurrent picks may see the same counts and agree on one backend; the next
// pick mends it.
func NewLeastRequests() Picker {
	return func(_ *http.Request, ready []*Backend) *Backend {
		best, tied := ready[0], max(ready[0].Weight, 1)
		for _, b := range ready[1:] {
			weight := max(b.Weight, 1)
			switch load, least := b.Active()*int64(max(best.Weight, 1)), best.Active()*int64(weight); {
			case load < least:
				best, tied = b, weight
			case load == least:
				if tied += weight; rand.IntN(tied) < weight {
					best = b
				}
			}
		}
		return best
	}
}
