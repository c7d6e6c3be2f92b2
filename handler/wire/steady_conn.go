package wire

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// steadyConn is a connection of a client below TLS or HTTP/2. A write on it fails where
// the client takes nothing for as long as pause, and takes as long as it likes otherwise:
// neither can go on with a record or frame whose write has failed, so nobody above can
// tell the one from the other. A deadline goes before that.
type steadyConn struct {
	net.Conn
	pause time.Duration // 0: no limit

	mu    sync.Mutex
	asked time.Time // write deadline; zero: none
	until time.Time // that of Conn
	ended bool      // by a pause: nothing more is written, such as TLS's last word
}

// Write implements [net.Conn].
func (c *steadyConn) Write(p []byte) (written int, err error) {
	if c.pause == 0 {
		return c.Conn.Write(p)
	}
	for last := time.Now(); ; {
		if c.wait(last) {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		now := time.Now()
		if n > 0 {
			last = now
		}
		if c.gaveUp(now, now.Sub(last) >= c.pause) {
			return written, err
		}
	}
}

// wait bounds the next write: by an eighth of the pause, or as much more, after which is
// looked what of it has been taken, and by what is left of the pause since last. It
// reports whether there is none, as a pause has been too long before.
func (c *steadyConn) wait(last time.Time) (ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, slice := time.Now(), c.pause/8
	until := c.until
	if left := until.Sub(now); left < slice || left > 2*slice {
		until = now.Add(2 * slice)
	}
	if end := last.Add(c.pause); end.Before(until) {
		until = end
	}
	if !c.asked.IsZero() && c.asked.Before(until) {
		until = c.asked
	}
	if !until.Equal(c.until) {
		c.until = until
		c.Conn.SetWriteDeadline(until)
	}
	return c.ended
}

// gaveUp reports whether a write is over: for a pause that was too long, or a deadline
// that has passed.
func (c *steadyConn) gaveUp(now time.Time, paused bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = c.ended || paused
	return paused || !c.asked.IsZero() && !now.Before(c.asked)
}

// SetWriteDeadline implements [net.Conn].
func (c *steadyConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.until = t, t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *steadyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// NetConn returns the connection below.
func (c *steadyConn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the sending direction.
func (c *steadyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
