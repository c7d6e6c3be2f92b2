package proxyproto

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Receiver takes connections from load balancers.
type Receiver struct {
	// Trusts says of which peers a header is expected. Those of others are left as
	// they are: in HTTP a header is a malformed request.
	Trusts func(peer netip.Addr) bool
	// Timeout is the longest time that a header may take to come.
	Timeout time.Duration
	// Failed, if not nil, is told of a connection that is closed for its header, by
	// the goroutine that has wanted to use it. The peer is the load balancer.
	Failed func(peer net.Addr, err *Error)
}

// Conn returns conn as what the header says that it is, or conn itself where none is
// expected. It does not wait for the header.
func (r *Receiver) Conn(conn net.Conn) net.Conn {
	if peer, ok := conn.RemoteAddr().(*net.TCPAddr); !ok || !r.Trusts(peer.AddrPort().Addr().Unmap().WithZone("")) {
		return conn
	}
	return &Conn{Conn: conn, receiver: r}
}

// Conn is a connection that begins with a header. Whoever first wants to know its
// ends, or to read, waits for that, at most [Receiver.Timeout]. A connection whose
// header is malformed, or no header, is closed unanswered, as is one that ends
// without any: to tell by the bytes whether there is one would let whoever is
// behind the load balancer write his own.
//
// It is safe for concurrent use as other connections are, but for reads, of which
// there is to be one at a time.
type Conn struct {
	net.Conn
	receiver *Receiver

	once   sync.Once
	header Header
	rest   []byte // of what was read with it
	err    error  // why nothing can be read

	mu    sync.Mutex
	asked time.Time // read deadline, for when the header has come
	read  bool      // it has
}

// NetConn returns the connection to the load balancer.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	c.once.Do(c.receive)
	if c.err != nil {
		return 0, c.err
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// RemoteAddr returns the end that has made the connection, as far as it is named,
// else that of the load balancer.
func (c *Conn) RemoteAddr() net.Addr {
	c.once.Do(c.receive)
	if c.header.Source.IsValid() {
		return net.TCPAddrFromAddrPort(c.header.Source)
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr returns the end that the connection was made to, which may be another
// host's, as far as it is named.
func (c *Conn) LocalAddr() net.Addr {
	c.once.Do(c.receive)
	if c.header.Destination.IsValid() {
		return net.TCPAddrFromAddrPort(c.header.Destination)
	}
	return c.Conn.LocalAddr()
}

// Header returns what the header says; the zero value where it is not in order.
func (c *Conn) Header() Header {
	c.once.Do(c.receive)
	return c.header
}

// CloseWrite ends the sending direction.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetReadDeadline implements [net.Conn]. It is in force from when the header has
// come, which has a time of its own.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked = t; !c.read {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// receive reads the header.
func (c *Conn) receive() {
	c.Conn.SetReadDeadline(time.Now().Add(c.receiver.Timeout))
	if c.err = c.readHeader(); c.err != nil {
		c.Conn.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = true
	c.Conn.SetReadDeadline(c.asked)
}

// readSize is how much is read at once. A header that has no additions fits, and
// those of most load balancers do with theirs.
const readSize = 256

func (c *Conn) readHeader() error {
	buffer := make([]byte, readSize)
	n := 0
	for {
		m, err := c.Conn.Read(buffer[n:])
		n += m
		header, length, wrong := parse(buffer[:n])
		switch {
		case n > 0 && wrong != nil:
			return c.failed(wrong.(*Error))
		case length > 0:
			if err := c.skip(length - n); err != nil {
				return c.brokenOff(err)
			}
			c.header, c.rest = header, buffer[min(n, length):n]
			return nil
		case err != nil && n == 0:
			return err // somebody has only looked whether anybody listens
		case err != nil:
			return c.brokenOff(err)
		}
	}
}

// skip reads what is left of a header, which may be 64 KiB.
func (c *Conn) skip(n int) error {
	if n <= 0 {
		return nil
	}
	_, err := io.CopyN(io.Discard, c.Conn, int64(n))
	return err
}

// brokenOff returns the failure of a header of which the rest cannot be read.
func (c *Conn) brokenOff(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return c.failed(&Error{Late, "the header of the PROXY protocol has not come whole in time"})
	}
	if errors.Is(err, net.ErrClosed) {
		return err // by this program
	}
	return c.failed(&Error{Incomplete, "the connection ended amid the header of the PROXY protocol"})
}

// failed tells of err, and returns it as the failure of a read, to which net/http
// answers nothing.
func (c *Conn) failed(err *Error) error {
	if c.receiver.Failed != nil {
		c.receiver.Failed(c.Conn.RemoteAddr(), err)
	}
	return &net.OpError{Op: "read", Net: "tcp", Addr: c.Conn.RemoteAddr(), Err: err}
}
