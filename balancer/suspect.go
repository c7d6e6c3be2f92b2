package balancer

import "time"

// suspicion is the time in which a backend is passed over while there are others
// because it refused a connection, was waited for in vain, or there was no token for
// it. It bridges the time until probes or the count of failures have a verdict, which
// probes that only connect never have of one that hangs, and nobody of one that lacks
// a token. Every pick of that backend would cost a retry, or a client as long a wait
// again.
type suspicion struct {
	since time.Time
	lasts time.Duration
}

// minSuspicion is the least time of a suspicion. It lasts for as long as the
// attempt took that led to it, so that of one that hangs at most one client at a
// time finds out.
const minSuspicion = time.Second

// suspected reports whether the backend is to be passed over.
func (h *health) suspected() bool {
	s := h.suspicion.Load()
	if s == nil {
		return false
	}
	now := time.Now()
	if now.Sub(s.since) < s.lasts {
		return true
	}
	// One request finds out; the others go on passing it over.
	return !h.suspicion.CompareAndSwap(s, &suspicion{now, s.lasts})
}

// suspect passes the backend over for a time.
func (h *health) suspect(lasts time.Duration) {
	h.suspicion.Store(&suspicion{time.Now(), lasts})
}

// acquit ends a suspicion.
func (h *health) acquit() {
	// The load keeps the line of memory shared between cores.
	if h.suspicion.Load() != nil {
		h.suspicion.Store(nil)
	}
}
