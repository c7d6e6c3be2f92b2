package balancer

import (
	"time"

	"spangate/handler/fault"
)

// suspicion is the time in which a backend is passed over while there are others
// because it refused a connection, or was waited for in vain. It bridges the time
// until probes or the count of failures have a verdict, which probes that only
// connect never have of one that hangs. Every pick of that backend would cost a
// retry, or a client as long a wait again.
type suspicion struct {
	since time.Time
	lasts time.Duration
}

// minSuspicion is the least time of a suspicion. It lasts for as long as the
// attempt took that led to it, so that of one that hangs at most one client at a
// time finds out.
const minSuspicion = time.Second

// suspected reports whether the backend is to be passed over.
func (b *Backend) suspected() bool {
	s := b.suspect.Load()
	if s == nil {
		return false
	}
	now := time.Now()
	if now.Sub(s.since) < s.lasts {
		return true
	}
	// One request finds out; the others go on passing it over.
	return !b.suspect.CompareAndSwap(s, &suspicion{now, s.lasts})
}

// suspectFor notes what err, of an attempt that took so long, says about the
// backend.
func (b *Backend) suspectFor(err *fault.Error, took time.Duration) {
	if err.Type == fault.ResponseTimeout || !err.Sent && err.Counts() {
		b.suspect.Store(&suspicion{time.Now(), max(took, minSuspicion)})
	}
}

// acquit ends a suspicion, as the backend has answered.
func (b *Backend) acquit() {
	if b.suspect.Load() != nil {
		b.suspect.Store(nil)
	}
}
