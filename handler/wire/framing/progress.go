package framing

import (
	"encoding/binary"
	"errors"
	"os"
	"time"
)

// Progress is how a connection has got on with what its client is answered, until now.
type Progress struct {
	Sent      int64         // bytes of content, of all answers
	Exhausted int           // how often that was all that the client let be sent (RFC 9113 §5.2)
	Writing   time.Duration // for how long something was being written
}

// Progress returns how the connection has got on.
func (c *Conn) Progress() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.http2.progress
	if !c.writes.IsZero() {
		p.Writing += time.Since(c.writes)
	}
	return p
}

// Stuck reports whether the connection ends because its client did not take what was
// written.
func (c *Conn) Stuck() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck
}

// writeNow writes p. The caller holds writing.
func (c *Conn) writeNow(p []byte) (int, error) {
	c.mu.Lock()
	c.writes = time.Now()
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.http2.progress.Writing += time.Since(c.writes)
	c.writes = time.Time{}
	c.stuck = c.stuck || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// initialWindow is what a client lets be sent before it says so; no setting changes that
// (RFC 9113 §6.9.2).
const initialWindow = 65535

// grants takes note of f, which the client sent, if it opens the window of the connection.
func (h *http2) grants(f frame) {
	if f.kind == frameWindowUpdate && f.stream == 0 {
		h.granted += int64(binary.BigEndian.Uint32(f.beginsWith[:]) &^ reserved)
	}
}

// fills takes note of f, which the server writes, if it takes room in that window.
func (h *http2) fills(f frame) {
	if f.kind != frameData {
		return
	}
	h.progress.Sent += int64(f.length)
	if h.progress.Sent == h.granted+initialWindow {
		h.progress.Exhausted++
	}
}
