package wire

import (
	"slices"
	"time"
)

// standstill is how long a pool is not looked over before its process, or the machine,
// is held to have stood still. What has come to an end meanwhile may have done so without
// a word that is still to be heard.
const standstill = 5 * time.Second

// afterStandstill returns those that are kept, which are not any more, where nobody has
// looked at them for too long by the clock on the wall: the other one stands still while a
// machine sleeps. Those of HTTP/2 count as silent until something comes. The caller holds
// mu.
func (p *connectionPool) afterStandstill(now time.Time) (gone []*connection) {
	if p.sweep == nil || now.Round(0).Sub(p.looked.Round(0)) < standstill {
		return nil
	}
	p.looked = now
	gone, p.idle = p.idle, nil
	for _, c := range p.shared {
		c.mute.Store(c.http2.heard.Load() + 1)
	}
	return gone
}

// longSilence is how long nothing has to come for that to say something of others than the
// request that waits. Less is no great loss to whoever waits next, and many a request is
// given up sooner.
const longSilence = time.Second

// doubt closes those that have been unused since before then, if that is long ago: a
// request that took another of them at that time has ended without anything having come.
// The other end of all may be gone, and each of them would have one more client wait to
// find out.
func (p *connectionPool) doubt(then time.Time) {
	if time.Since(then) < longSilence {
		return
	}
	p.mu.Lock()
	first := slices.IndexFunc(p.idle, func(c *connection) bool { return !c.idleSince.Before(then) })
	if first < 0 {
		first = len(p.idle)
	}
	gone := slices.Clone(p.idle[:first])
	p.idle = slices.Delete(p.idle, 0, first)
	p.mu.Unlock()
	discard(gone...)
}
