package clock

import (
	"sync"
	"time"
)

// Pace lets one of many things pass in a while, so that a log is not filled with
// what is all the same. It is safe for concurrent use; the zero value is ready, and
// lets everything pass.
type Pace struct {
	Every time.Duration // least time from one that passes to the next

	mu    sync.Mutex
	next  time.Time
	since int
}

// Pass reports whether this one passes, and if so how many have come since the one
// before, itself included.
func (p *Pace) Pass() (since int, passes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since++
	now := time.Now()
	if now.Before(p.next) {
		return 0, false
	}
	since = p.since
	p.next, p.since = now.Add(p.Every), 0
	return since, true
}
