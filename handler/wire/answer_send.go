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
		x.err = c.write(append(x.bytes, end...), x.writeBy)
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
			x.err = c.write(x.bytes, x.writeBy)
			x.bytes = x.out[:0]
		}
	}
}

// write writes p. It fails where the client takes nothing for [Config.ClientTimeout], or
// from by on, unless that is zero.
func (c *clientConn) write(p []byte, by time.Time) error {
	for {
		c.limitWrite(by)
		n, err := c.writeNow(p)
		if err == nil || n == 0 || !by.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		p = p[n:]
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
	for {
		c.limitWrite(by)
		n, err := parts.WriteTo(c.Conn)
		if err == nil || n == 0 || !by.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// limitWrite bounds the next write. The bound is an eighth more than it has to be, and
// so it is as good for most of those that follow.
func (c *clientConn) limitWrite(by time.Time) {
	d := c.server.cfg.ClientTimeout
	switch {
	case !by.IsZero():
	case d <= 0:
	default:
		now := time.Now()
		if by = c.writeBy; by.Sub(now) < d || by.Sub(now) > d+d/8 {
			by = now.Add(d + d/8)
		}
	}
	if !by.Equal(c.writeBy) {
		c.writeBy = by
		c.Conn.SetWriteDeadline(by)
	}
}
