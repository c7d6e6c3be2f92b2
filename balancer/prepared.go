package balancer

import (
	"sync/atomic"
	"time"
)

// prepared keeps what a picker works out for a ready set until that set, or
// the weight of a backend in it, changes. Reading it never locks: two picks
// that meet a new set at once both work it out, and one result stays.
type prepared[T any] struct {
	prepare func(ready []*Backend) T
	current atomic.Pointer[preparation[T]]
}

type preparation[T any] struct {
	ready []*Backend // held, so that no later set gets the same address
	until time.Time  // when a weight changes; zero: while the set lasts
	value T
}

// latest returns what of returned last, or the zero value.
func (p *prepared[T]) latest() (value T) {
	if c := p.current.Load(); c != nil {
		return c.value
	}
	return value
}

// of returns what prepare makes of this very snapshot.
func (p *prepared[T]) of(ready []*Backend) *T {
	c := p.current.Load()
	if c == nil || len(c.ready) != len(ready) || &c.ready[0] != &ready[0] || !c.until.IsZero() && !time.Now().Before(c.until) {
		// In this order: a weight that changes in between is read as it is then,
		// and once more at its time.
		until := nextWeightChange(ready)
		c = &preparation[T]{ready: ready, until: until, value: p.prepare(ready)}
		p.current.Store(c)
	}
	return &c.value
}
