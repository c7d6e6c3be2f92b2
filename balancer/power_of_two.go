package balancer

import (
	"math/rand/v2"
	"net/http"
)

// newPowerOfTwo returns a picker that draws two backends by weight and takes
// the one with fewer requests in flight for its weight. It avoids the busy
// nearly as well as newLeastRequests does, in a time that does not grow with
// the number of backends, and proxies that see the same loads do not all run to
// the same backend.
//
// The second backend is taken if with a part of this request, drawn anew each
// time, it is no busier than the first. For equal weights that is the same as
// having fewer in flight. For others it makes up for counts being too coarse to
// compare: weights then hold within 2 %, idle or busy.
func newPowerOfTwo() picker {
	lotteries := prepared[lottery]{prepare: newLottery}
	return func(_ *http.Request, ready []*Backend) *Backend {
		if len(ready) == 1 {
			return ready[0]
		}
		l := lotteries.of(ready)
		i := l.draw()
		j := l.drawOther(i)
		first, second := ready[i], ready[j]
		part := 1 - rand.Float64() // above 0, so that of two idle ones the first is taken
		if (float64(second.Active())+part)*float64(l.weight(i)) <= float64(first.Active())*float64(l.weight(j)) {
			return second
		}
		return first
	}
}
