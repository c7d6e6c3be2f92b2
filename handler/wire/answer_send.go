package wire

import (
	"errors"
	"net"
	"os"
	"time"
)

// send sends the bytes that wait, and then p and end.
func (x *clientExchange) send(p, end []byte) {
	if x.err == nil && len(x.bytes)+len(p)+len(end) > 0 {
		x.writing.Lock()
		x.sendNow(p, end)
		x.writing.Unlock()
		if x.err != nil {
			x.context.cancel() // nobody waits for an answer that nobody takes
		}
	}
	if x.out != nil {
		outs.Put(x.out)
		x.out, x.bytes = nil, nil
	}
}

// sendNow is send for whoever holds writing.
func (x *clientExchange) sendNow(p, end []byte) {
	c := x.conn
	if !x.begun {
		x.begins()
	}
	_, tcp := c.Conn.(*net.TCPConn)
	switch {
	case len(p) == 0:
		_, x.err = c.write(append(x.bytes, end...), x.writeBy)
	case tcp:
		x.vec = [...][]byte{x.bytes, p, end}
		x.parts = x.vec[:]
		x.err = c.writeParts(&x.parts, x.writeBy)
		x.vec, x.parts = [3][]byte{}, nil
	default: // which would make records of TLS of each part
		x.room()
		for len(p) > 0 && x.err == nil {
			n := min(len(p), max(outSize-len(x.bytes), 0))
			x.bytes, p = append(x.bytes, p[:n]...), p[n:]
			if len(p) == 0 {
				x.bytes = append(x.bytes, end...)
			}
			_, x.err = c.write(x.bytes, x.writeBy)
			x.bytes = x.out[:0]
		}
	}
}

// write writes p. It fails where the client takes nothing for [Config.ClientTimeout], and
// an eighth or two of that more, and from by on, unless that is zero.
func (c *clientConn) write(p []byte, by time.Time) (written int, err error) {
	last := c.limitWrite(by)
	for {
		n, err := c.writeNow(p[written:])
		written += n
		if err == nil || !c.goesOn(n, err, &last, by) {
			return written, err
		}
	}
}

func (c *clientConn) writeNow(p []byte) (int, error) {
	if c.socket != nil {
		return c.socket.write(p)
	}
	return c.Conn.Write(p)
}

// writeParts is write for several, that go together over TCP.
func (c *clientConn) writeParts(parts *net.Buffers, by time.Time) error {
	last := c.limitWrite(by)
	for {
		n, err := parts.WriteTo(c.Conn)
		if err == nil || !c.goesOn(int(n), err, &last, by) {
			return err
		}
	}
}

// slice is for how long a write is waited for before anybody looks what of it has been
// taken.
func (c *clientConn) slice() time.Duration { return c.server.cfg.ClientTimeout / 8 }

// goesOn reports whether a write that has failed with err, when n bytes of it had been
// taken, goes on, which it does until by. last is when the client took something, at the
// latest. Over TLS that is what [steadyConn] sees to.
func (c *clientConn) goesOn(n int, err error, last *time.Time, by time.Time) bool {
	if c.secure != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	now := time.Now()
	if n > 0 {
		*last = now
	}
	left := last.Add(c.server.cfg.ClientTimeout).Sub(now)
	if left <= 0 || !by.IsZero() && !now.Before(by) {
		return false
	}
	c.writeUntil(sooner(now.Add(min(left, c.slice())), by))
	return true
}

// limitWrite bounds the next write, which begins now: by by, unless that is zero, and
// by a slice, unless there is no limit. The latter is a slice more than it has to be, and
// so it is as good for most of those that follow.
func (c *clientConn) limitWrite(by time.Time) (now time.Time) {
	if slice := c.slice(); slice > 0 && c.secure == nil {
		now = time.Now()
		until := c.writeBy
		if left := until.Sub(now); left < slice || left > 2*slice {
			until = now.Add(2 * slice)
		}
		by = sooner(until, by)
	}
	c.writeUntil(by)
	return now
}

// sooner returns t, or by if that comes before it and is not zero.
func sooner(t, by time.Time) time.Time {
	if !by.IsZero() && by.Before(t) {
		return by
	}
	return t
}

// writeUntil sets when writes fail; zero: never.
func (c *clientConn) writeUntil(t time.Time) {
	if !t.Equal(c.writeBy) {
		c.writeBy = t
		c.Conn.SetWriteDeadline(t)
	}
}
