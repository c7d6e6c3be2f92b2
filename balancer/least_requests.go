package balancer

import (
	"math/rand/v2"
	"net/http"
)

// newLeastRequests returns a picker that takes the backend with the fewest
// requests in flight for its weight.
//
// Where weights differ, counts of few requests are too coarse to compare: one
// request makes a backend of weight 6 look busier than an idle one of weight 1,
// which would get far more than its share. So a backend is drawn by weight, and
// the least busy one is taken instead if with this request it is no busier than
// the drawn one without it. For equal weights that is the same as having fewer
// in flight; idle backends get shares by weight.
//
// Concurrent picks may see the same counts and agree on one backend; the next
// pick mends it.
func newLeastRequests() picker {
	lotteries := prepared[lottery]{prepare: newLottery}
	return func(_ *http.Request, ready []*Backend) *Backend {
		l := lotteries.of(ready)
		i := l.draw()
		drawn := ready[i]
		if drawn.Active() <= 0 {
			return drawn // none is less busy; most of many are idle
		}
		j := leastBusy(l, ready)
		least := ready[j]
		if (least.Active()+1)*int64(l.weight(i)) <= drawn.Active()*int64(l.weight(j)) {
			return least
		}
		return drawn
	}
}

// leastBusy returns the index of the backend with the fewest requests in flight
// for its weight. Ties are drawn by weight.
func leastBusy(l *lottery, ready []*Backend) int {
	best, active, tied := 0, ready[0].Active(), l.weight(0)
	for i, b := range ready[1:] {
		weight := l.weight(i + 1)
		switch load, least := b.Active()*int64(l.weight(best)), active*int64(weight); {
		case load < least:
			best, active, tied = i+1, b.Active(), weight
		case load == least:
			if tied += weight; rand.IntN(tied) < weight {
				best, active = i+1, b.Active()
			}
		}
	}
	return best
}
