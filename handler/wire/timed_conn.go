package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/wire/http1"
)

// unwatched is how long a request is on its way before anybody looks whether it is
// still waited for. Most are answered before: to have a context watched costs more
// than to wait for a client a little longer who is gone.
//
// It costs more than a look at its connection, too. So who waits looks for himself, a
// few times and each time after twice as long, before the context is watched, see
// [timedConn.looks].
const (
	unwatched = 20 * time.Millisecond
	maxLooks  = 5
)

// Watched is after how long a request is watched at the latest. Before, the end of its
// context may be noticed some time later, unless it is that of a deadline, or somebody
// waits for it.
const Watched = unwatched << maxLooks

// timedConn is a connection to a backend, below TLS. While a request is under way on
// it, what waits for the backend ends with the request's context, at the limit that
// was set for it, and when the backend has taken nothing for too long. Else it
// passes everything.
//
// One deadline holds for all that is done in the first moments of a request, and
// often of those that follow. Who meets with it goes on, and has the context watched
// once that is worth it.
type timedConn struct {
	net.Conn
	pause  time.Duration // longest one in which the backend takes nothing; 0: no limit
	closed func()        // is called when it is closed, each time

	peeks *socket     // not nil: nothing is read but what has come
	moved atomic.Bool // another deadline was set since begin has set one

	mu       sync.Mutex
	turn     int             // requests so far
	until    time.Time       // deadline that begin set
	ctx      context.Context // of the one under way; nil: there is none
	late     func()          // called, once, when a read has taken longer than it should; may be nil
	unwatch  func() bool     // nil: ctx is not watched yet
	limit    time.Time       // of what is read; zero: none
	writeBy  time.Time       // when the backend has to have taken some more; zero: unlimited
	looked   int             // times that the client was, and was there
	answered bool            // it may take its time, as it has begun to answer
	over     bool            // nothing is waited for any more, see cut
}

// begin says that a request is under way from now on, whose context is ctx. late, if
// not nil, is called by who reads, when nothing has come for as long as grace, or half
// of it at the least. limit bounds the wait for an answer, as [timedConn.await] does.
func (c *timedConn) begin(ctx context.Context, now time.Time, grace time.Duration, late func(), limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.ctx, c.late = ctx, late
	c.limit, c.writeBy = time.Time{}, time.Time{}
	c.looked, c.answered, c.over = 0, false, false
	if limit > 0 {
		c.limit = now.Add(limit)
	}
	deadline := now.Add(grace)
	if ends, ok := ctx.Deadline(); ok && ends.Before(deadline) {
		deadline = ends
	}
	// To set one costs more than to meet with that of a request before a little sooner.
	if early := deadline.Sub(c.until); early < 0 || early > grace/2 || c.moved.Load() {
		c.Conn.SetDeadline(deadline)
		c.until = deadline
		c.moved.Store(false)
	}
}

// end says that the request is over.
func (c *timedConn) end() {
	c.mu.Lock()
	unwatch := c.unwatch
	c.ctx, c.late, c.unwatch = nil, nil, nil
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
}

// hurry leaves a write no more than a moment. The request is over.
func (c *timedConn) hurry() { c.SetWriteDeadline(time.Now().Add(unwatched)) }

// lift takes all deadlines away, as for what is no request.
func (c *timedConn) lift() {
	c.end()
	c.SetDeadline(time.Time{})
}

// await bounds the wait for an answer that has not begun; 0 sets no bound.
func (c *timedConn) await(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered {
		c.bound(limit)
	}
}

// begun says that the answer has begun, and bounds the wait for what is to come of
// it next; 0 sets no bound.
func (c *timedConn) begun(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = true
	c.bound(limit)
}

// bound sets a limit for reads. The caller holds mu.
func (c *timedConn) bound(limit time.Duration) {
	was := c.limit
	if c.limit = (time.Time{}); limit > 0 {
		c.limit = time.Now().Add(limit)
	}
	if c.unwatch != nil && c.goesOn() && !c.limit.Equal(was) {
		c.SetReadDeadline(c.limit)
	}
}

// cut ends all that is waited for.
func (c *timedConn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil {
		c.over = true
		c.SetDeadline(longAgo)
	}
}

var longAgo = time.Unix(1, 0)

// goesOn reports whether there is a request that is still waited for. The caller
// holds mu.
func (c *timedConn) goesOn() bool { return c.ctx != nil && !c.over && c.ctx.Err() == nil }

// watch has the end of the context end what is waited for. The caller holds mu.
func (c *timedConn) watch() {
	if c.unwatch != nil {
		return
	}
	turn := c.turn
	c.unwatch = context.AfterFunc(c.ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ctx != nil && c.turn == turn {
			c.SetDeadline(longAgo)
		}
	})
}

// Read implements [net.Conn].
func (c *timedConn) Read(p []byte) (int, error) {
	if c.peeks != nil {
		if beginning, ended := c.peeks.look(); len(beginning) == 0 && !ended {
			return 0, os.ErrDeadlineExceeded
		}
		c.SetReadDeadline(time.Time{})
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.readsOn() {
			return n, err
		}
	}
}

// waiting is a timedConn as an [http1.Reader] reads from it, without memory while it
// waits: backends take their time, and many requests wait at once.
type waiting struct {
	*timedConn
	socket *socket
}

// Fill implements [http1.Filler].
func (w waiting) Fill(in *http1.Reader) error {
	for {
		err := w.socket.fill(in)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !w.readsOn() {
			return err
		}
	}
}

// looks reports whether it is enough to look for the client again later, and sets the
// deadline for that. The caller holds mu.
func (c *timedConn) looks() bool {
	if c.unwatch != nil || c.looked == maxLooks || !isThere(c.ctx) {
		return false
	}
	until := time.Now().Add(unwatched << c.looked)
	c.looked++
	if ends, ok := c.ctx.Deadline(); ok && ends.Before(until) {
		until = ends
	}
	if !c.limit.IsZero() && c.limit.Before(until) {
		until = c.limit
	}
	c.SetReadDeadline(until)
	return true
}

// readsOn reports whether to go on reading though a deadline has passed.
func (c *timedConn) readsOn() bool {
	c.mu.Lock()
	if !c.goesOn() || !c.limit.IsZero() && !time.Now().Before(c.limit) {
		c.mu.Unlock()
		return false
	}
	late := c.late
	if c.late = nil; late == nil {
		if !c.looks() {
			c.watch()
			c.SetReadDeadline(c.limit)
		}
		c.mu.Unlock()
		return true
	}
	c.SetDeadline(time.Now().Add(unwatched))
	c.mu.Unlock()
	late()
	return true
}

// Write implements [net.Conn].
func (c *timedConn) Write(p []byte) (int, error) {
	c.beforeWrite()
	for written := 0; ; {
		n, err := c.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.writesOn(n > 0) {
			return written, err
		}
	}
}

// beforeWrite has the pause begin anew.
func (c *timedConn) beforeWrite() {
	if !c.moved.Load() {
		return // who has the context watched sets a deadline
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unwatch != nil && c.goesOn() {
		c.limitWrite()
	}
}

// limitWrite bounds the pause that begins. The caller holds mu.
func (c *timedConn) limitWrite() {
	if c.pause > 0 {
		c.writeBy = time.Now().Add(c.pause)
	}
	c.SetWriteDeadline(c.writeBy)
}

// writesOn reports whether to go on writing though a deadline has passed, since which
// the backend has taken something, or not.
func (c *timedConn) writesOn(progress bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := !c.writeBy.IsZero() && !time.Now().Before(c.writeBy)
	if !c.goesOn() || late && !progress && !c.answered {
		return false
	}
	c.watch()
	c.limitWrite()
	return true
}

// SetDeadline implements [net.Conn].
func (c *timedConn) SetDeadline(t time.Time) error {
	c.moved.Store(true)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *timedConn) SetReadDeadline(t time.Time) error {
	c.moved.Store(true)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements [net.Conn].
func (c *timedConn) SetWriteDeadline(t time.Time) error {
	c.moved.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// Close implements [net.Conn].
func (c *timedConn) Close() error {
	err := c.Conn.Close()
	c.closed()
	return err
}

// NetConn returns the connection below.
func (c *timedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the sending direction, or all where there is no such end.
func (c *timedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
