package framing

import (
	"sync"
	"sync/atomic"
	"time"
)

// held is the header of an answer that has not been written yet, as the rest of the
// answer is about to follow: net/http's server writes the two one after the other, also
// where it has both.
type held struct {
	next  atomic.Bool // what follows the next header is there
	p     *[]byte     // nil: nothing is held
	timer *time.Timer // nil until something was held
}

const (
	// holdTime is how long a header is held at most: of a client that takes nothing
	// of a body (RFC 9113 §6.9) nothing else follows.
	holdTime = 5 * time.Millisecond
	// holdSize is how much is held at most.
	holdSize = 4 << 10
)

var heldBuffers = sync.Pool{New: func() any {
	p := make([]byte, 0, 2*holdSize)
	return &p
}}

// HoldHeader says that a handler has returned of whose answer nothing has been sent, and
// which has a body: its header is written together with that.
func (c *Conn) HoldHeader() { c.held.next.Store(true) }

// holds reports whether p, which ends with a header, is written together with what
// comes next. The caller holds writing.
func (c *Conn) holds(p []byte) bool {
	h := &c.held
	if !h.next.Load() || h.p != nil || len(p) > holdSize || !c.beginsAnswer() {
		return false
	}
	h.next.Store(false)
	h.p = heldBuffers.Get().(*[]byte)
	*h.p = append((*h.p)[:0], p...)
	if h.timer == nil {
		h.timer = time.AfterFunc(holdTime, c.letGo)
	} else {
		h.timer.Reset(holdTime)
	}
	return true
}

func (c *Conn) beginsAnswer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.http2.begun && c.http2.out.between()
}

// letGo writes what is held.
func (c *Conn) letGo() {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.held.p == nil {
		return
	}
	if _, err := c.writeBehindHeld(nil); err != nil {
		c.Conn.Close() // a part of it may have gone out
	}
}

// writeBehindHeld writes what is held, and p. It returns how much of p was written. The
// caller holds writing.
func (c *Conn) writeBehindHeld(p []byte) (int, error) {
	held := c.held.p
	if held == nil {
		return c.writeNow(p)
	}
	c.held.p = nil
	c.held.timer.Stop()
	before := len(*held)
	all := append(*held, p...)
	n, err := c.writeNow(all)
	heldBuffers.Put(held)
	return max(n-before, 0), err
}
