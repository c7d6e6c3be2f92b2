package balancer

import (
	"math/rand/v2"
	"net/http"
)

// NewRandom returns a picker that draws a backend by weight, each time anew.
// Many proxies that do not know of one another thus do not move in step.
func NewRandom() Picker {
	return func(_ *http.Request, ready []*Backend) *Backend {
		total := 0
		for _, b := range ready {
			total += max(b.Weight, 1)
		}
		n := rand.IntN(total)
		for _, b := range ready {
			if n -= max(b.Weight, 1); n < 0 {
				return b
			}
		}
		panic("unreachable: n is less than the sum of the weights")
	}
}
