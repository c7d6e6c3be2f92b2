package framing

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Two GOAWAY frames (RFC 9113 §6.8) that leave open up to which stream requests were
// handled: their last one is the highest there is. The first, without an error, asks
// a client to send no further request, and refuses none of those that are on their
// way, as net/http's own does that is to follow. The other is ENHANCE_YOUR_CALM.
var (
	goAwayFrame  = []byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x7f\xff\xff\xff" + "\x00\x00\x00\x00")
	turnOutFrame = []byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x7f\xff\xff\xff" + "\x00\x00\x00\x0b")
)

// goAway is whether the first of them has to be sent.
type goAway struct {
	asked atomic.Bool // for the frame
	owed  atomic.Bool // it has not been written yet
}

// GoAway asks the client to send no further request, once. It may have to wait
// for a write.
func (c *Conn) GoAway() {
	c.GoAwayNext()
	c.payGoAway()
}

// GoAwayNext is [Conn.GoAway] together with what the server writes next.
func (c *Conn) GoAwayNext() {
	if !c.goAway.asked.Swap(true) {
		c.goAway.owed.Store(true)
	}
}

// payGoAway writes the frame that is owed, if any, where it may stand now, unless
// something is being written: whoever does that looks once more when it is done.
func (c *Conn) payGoAway() {
	if !c.goAway.owed.Load() || !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	if !c.goAway.owed.Load() || !c.mayAdd() {
		return
	}
	c.goAway.owed.Store(false)
	if _, err := c.writeBehindHeld(goAwayFrame); err != nil {
		c.Conn.Close() // a part of it may have gone out
	}
}

// writeGoAwayIn writes p, and the frame that is owed where p[place] is. The caller
// holds writing.
func (c *Conn) writeGoAwayIn(p []byte, place int) (int, error) {
	c.goAway.owed.Store(false)
	n, err := c.writeBehindHeld(slices.Concat(p[:place], goAwayFrame, p[place:]))
	return n - min(max(n-place, 0), len(goAwayFrame)), err
}

// turnOut tells the client of HTTP/2 why its connection ends, unless a write is
// under way.
func (c *Conn) turnOut() {
	if !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	if c.mayAdd() {
		c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
		c.writeBehindHeld(turnOutFrame)
	}
}

// mayAdd reports whether a frame may be added to those that were written.
func (c *Conn) mayAdd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.http2.mayAdd()
}

// beforeWrite reads p along, and returns where in it the frame that is owed may
// stand, or -1.
func (c *Conn) beforeWrite(p []byte) (place int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place = -1
	h := &c.http2
	for at := 0; at < len(p); {
		if place < 0 && c.goAway.owed.Load() && h.mayAdd() {
			place = at
		}
		n, err := h.out.next(p[at:], h.sent)
		h.end = cmp.Or(h.end, err)
		at += n
	}
	return place
}

// afterWrite ends the reading if what was written gives a reason for it, unless a
// frame is still to be written to its end.
func (c *Conn) afterWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http2.out.between() {
		c.err = cmp.Or(c.err, c.http2.end)
	}
}

// mayAdd reports whether a frame may follow what the server has written: behind its
// settings, not within a frame or a field block, and not behind its own GOAWAY, whose
// last stream must not be exceeded.
func (h *http2) mayAdd() bool {
	return h.settled && h.out.between() && !h.fields && !h.leaving
}

// sent takes note of a frame that the server writes.
func (h *http2) sent(f frame) error {
	h.settled = true
	h.fills(f)
	h.begun = f.kind == frameHeaders && f.flags&(flagEndHeaders|flagEndStream) == flagEndHeaders
	switch f.kind {
	case frameHeaders, framePushPromise, frameContinuation:
		h.fields = f.flags&flagEndHeaders == 0
	case frameGoAway:
		h.leaving = true
	}
	return h.patience.sent(f)
}
