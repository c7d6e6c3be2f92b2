package balancer

import (
	"math/rand/v2"
	"net/http"
	"slices"
)

// newRandom returns a picker that draws a backend by weight, each time anew.
// Many proxies that do not know of one another thus do not move in step.
func newRandom() picker {
	lotteries := prepared[lottery]{prepare: newLottery}
	return func(_ *http.Request, ready []*Backend) *Backend {
		return ready[lotteries.of(ready).draw()]
	}
}

// lottery draws backends of a ready set by weight. It draws indexes, to which
// it knows the weights without a look at the backends: their memory is busy
// with counting.
type lottery struct {
	sums []int // of the weights up to each backend, its own included
}

func newLottery(ready []*Backend) lottery {
	sums, sum := make([]int, len(ready)), 0
	for i, b := range ready {
		sum += b.weight()
		sums[i] = sum
	}
	return lottery{sums}
}

func (l *lottery) total() int { return l.sums[len(l.sums)-1] }

func (l *lottery) weight(i int) int {
	if i == 0 {
		return l.sums[0]
	}
	return l.sums[i] - l.sums[i-1]
}

func (l *lottery) draw() int { return l.at(rand.IntN(l.total())) }

// drawOther draws among all but one. There must be two.
func (l *lottery) drawOther(than int) int {
	n := rand.IntN(l.total() - l.weight(than))
	if n >= l.sums[than]-l.weight(than) {
		n += l.weight(than)
	}
	return l.at(n)
}

// at returns whose ticket the n-th is.
func (l *lottery) at(n int) int {
	i, _ := slices.BinarySearch(l.sums, n+1)
	return i
}
