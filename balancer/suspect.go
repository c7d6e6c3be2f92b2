package balancer

import "time"

// suspicion is how long a backend that refused a connection is passed over
// while there are others. A probe ends it sooner. It bridges the time until
// probes or the count of failures have a verdict, in which every pick of that
// backend would cost a retry.
const suspicion = time.Second

// suspected reports whether the backend has refused a connection just now.
func (b *Backend) suspected() bool {
	since := b.suspect.Load()
	if since == nil {
		return false
	}
	now := time.Now()
	if now.Sub(*since) < suspicion {
		return true
	}
	// One request finds out; the others go on passing it over.
	return !b.suspect.CompareAndSwap(since, &now)
}

// suspectFor notes what err, of an attempt, says about connecting; nil clears
// it.
func (b *Backend) suspectFor(err *Error) {
	switch {
	case err == nil:
		if b.suspect.Load() != nil {
			b.suspect.Store(nil)
		}
	case !err.Sent && !err.Blameless():
		now := time.Now()
		b.suspect.Store(&now)
	}
}
