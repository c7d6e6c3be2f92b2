// Package framing answers: does what is sent over a connection get on with a request?
package framing

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is a connection over which a client speaks HTTP/2. It stands between the network
// and net/http, and passes what is sent as it is. It is safe for concurrent use as
// other connections are.
type Conn struct {
	net.Conn
	header time.Duration
	goAway goAway
	buffer [readAhead]byte // who reads has it; what is small is read into it

	writing sync.Mutex // goes before mu
	held    held       // guarded by writing

	mu      sync.Mutex
	come    []byte // has been read, and not handed out
	preface int    // bytes of it that have come
	http2   http2
	err     error     // why nothing more is read
	asked   time.Time // read deadline that the server set; it goes before ours
	armed   bool      // the deadline of Conn is ours
	closed  bool
	writes  time.Time // since when something is being written; zero: nothing is
	stuck   bool      // a write has failed for its deadline
}

// prefaceLength is how long HTTP/2's preface is (RFC 9113 §3.4).
const prefaceLength = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// readAhead is how much is read at once, where less is asked for: net/http asks for the
// nine bytes of a frame's header, and then for what it says.
const readAhead = 1 << 10

// NewConn returns conn, over which HTTP/2's preface is about to come, and then frames.
// It begins with come, which has been read already.
// Reads fail with [ErrFlood] once those are too many for what they are good for.
//
// A read within a request's header fails when that is not whole after header; 0 sets no
// bound. Writes are for conn to bound.
func NewConn(conn net.Conn, come []byte, header time.Duration) *Conn {
	return &Conn{Conn: conn, come: come, header: header}
}

// Read implements [net.Conn]. It is for one goroutine at a time.
func (c *Conn) Read(p []byte) (int, error) {
	if n, err := c.readCome(p); n > 0 || err != nil {
		return n, err
	}
	into := p
	if len(p) < len(c.buffer) {
		into = c.buffer[:]
	}
	n, err := c.Conn.Read(into)
	if n == 0 {
		return 0, err
	}
	if len(p) < len(c.buffer) {
		return c.handOut(p, into[:n])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.followRead(p[:n]), err
}

// readCome reads what has come before. Without that it gets ready for a read.
func (c *Conn) readCome(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case len(c.come) == 0:
		c.setDeadline()
		return 0, nil
	}
	return c.take(p), nil
}

// handOut reads the beginning of what has just come.
func (c *Conn) handOut(p, come []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.come = come
	return c.take(p), nil
}

// take reads what has come. The caller holds mu.
func (c *Conn) take(p []byte) int {
	n := copy(p, c.come)
	if c.come = c.come[n:]; len(c.come) == 0 {
		c.come = nil
	}
	return c.followRead(p[:n])
}

// followRead reads p along, and returns how much of it may be handed out. The caller
// holds mu.
func (c *Conn) followRead(p []byte) int {
	if c.err != nil {
		return 0 // it has come to its end meanwhile
	}
	h := &c.http2
	n := min(prefaceLength-c.preface, len(p))
	c.preface += n
	frames, err := h.in.follow(p[n:], h.received)
	c.err = err
	return n + frames
}

// setDeadline bounds the next read if it is one within a header, and the server has not
// done so. The caller holds mu.
func (c *Conn) setDeadline() {
	switch {
	case !c.asked.IsZero():
	case c.http2.in.inHeader() && c.header > 0:
		if !c.armed { // one bound for all of it
			c.Conn.SetReadDeadline(time.Now().Add(c.header))
			c.armed = true
		}
	case c.armed:
		c.Conn.SetReadDeadline(time.Time{})
		c.armed = false
	}
}

// Flooded reports whether reads fail with [ErrFlood].
func (c *Conn) Flooded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == ErrFlood
}

// What a client is let send, after an answer that came before, until its
// connection is closed. To close it over unread bytes would reset it, and the
// answer might be lost (RFC 9112 §9.6).
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// Close implements [net.Conn]. It takes a moment when the client has not been read to
// the end.
func (c *Conn) Close() error {
	c.mu.Lock()
	flooded := c.err == ErrFlood
	linger := (flooded || c.err == errGone) && !c.closed
	c.closed = true
	c.mu.Unlock()
	if linger && flooded {
		c.turnOut()
	}
	if linger {
		Linger(c.Conn)
	}
	return c.Conn.Close()
}

// Linger lets the other end of conn read the last word that it was told, before
// conn is closed: it ends the sending direction, and takes for a moment what still
// comes.
func Linger(conn net.Conn) {
	if closeWrite(conn) == nil {
		conn.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, conn, lingerBytes)
	}
}

// SetReadDeadline implements [net.Conn]. While t is not zero it goes before the
// bound on headers.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.armed = t, false
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Write implements [net.Conn].
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.write(p)
	c.payGoAway() // whoever has asked for it in the meantime found the way taken
	return n, err
}

func (c *Conn) write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	place := c.beforeWrite(p)
	defer c.afterWrite()
	if place < 0 && c.holds(p) {
		return len(p), nil
	}
	if place >= 0 {
		return c.writeGoAwayIn(p, place)
	}
	return c.writeBehindHeld(p)
}

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the sending direction. net/http's server looks for it, to let
// a client read the answer before it closes.
func (c *Conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// http2 is what is known of a connection behind the preface of HTTP/2.
type http2 struct {
	in, out  frames
	patience patience
	end      error // why there is nothing more to read

	settled bool // the server's first frame, that of settings, has begun
	fields  bool // a field block of the server's goes on with the next frame
	begun   bool // the last frame is all of an answer's header, and more of that is to follow
	leaving bool // the server has said by itself that it leaves

	granted  int64 // to be sent of content, on top of what may be at first
	progress Progress
}

// received takes note of a frame that the client sent.
func (h *http2) received(f frame) error {
	h.grants(f)
	return h.patience.received(f)
}
