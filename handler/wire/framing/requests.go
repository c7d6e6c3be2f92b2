// Package framing answers: can this request of HTTP/1 be understood in one way
// only?
//
// RFC 9112 lets readers take some messages in two ways, and net/http takes them
// in one of the two: both kinds of length (§6.1), folded lines (§5.2), lines
// that end in a bare LF or hold a bare CR (§2.2), sloppy chunks (§7.1). Where
// the other end takes them in the other, a request can be smuggled past the
// proxy. The connections of this package stand between the
// network and net/http: they pass well-framed messages on as they are, and
// fail to read any other. As they know where a message ends, they also bound
// how long its sender may pause within it.
package framing

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Listener returns ln with [Requests] around each connection.
func Listener(ln net.Listener, pause, header time.Duration) net.Listener {
	return listener{ln, pause, header}
}

type listener struct {
	net.Listener
	pause, header time.Duration
}

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Requests(conn, l.pause, l.header), nil
}

// Conn is a connection on which requests arrive. It is safe for concurrent use
// as other connections are.
type Conn struct {
	net.Conn
	pause, header time.Duration
	goAway        goAway

	writing   sync.Mutex // goes before mu
	mu        sync.Mutex
	in        *follower
	asked     time.Time // read deadline that the server set; it goes before ours
	armed     bool      // the deadline of Conn is ours
	abandoned bool
	closed    bool
	handled   int  // requests
	handling  bool // the last of them has not been answered yet
	onNext    func()
}

// Requests returns conn, on which requests arrive. A read that comes upon one
// that is not well-framed fails, which net/http's server answers with 400 and
// the end of the connection; the answer is made to say what is wrong. What follows
// a request that [OffersSwitch] passes unread. So does HTTP/2, until its frames
// are too many for what they are good for: reads then fail with [ErrFlood].
//
// A read within a request's body, and any write, fails when the client neither
// sends nor takes a byte for as long as pause. Over HTTP/2 a read within a request's
// header fails when that is not whole after header; over HTTP/1 the server sees to
// it. 0 sets no bound.
func Requests(conn net.Conn, pause, header time.Duration) *Conn {
	return &Conn{Conn: conn, pause: pause, header: header, in: followRequests()}
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if err := c.beforeRead(); err != nil {
			if c.isNext() {
				return 0, c.readPast()
			}
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if n = c.afterRead(p[:n], err); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (c *Conn) beforeRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.err == nil {
		c.setDeadline()
	}
	return c.in.err
}

func (c *Conn) afterRead(p []byte, err error) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.in.follow(p)
	if err != nil && c.armed && c.in.inBody() && c.in.err == nil {
		// For good: net/http may take what comes later for another request.
		c.in.err = err
	}
	if c.onNext != nil && (err != nil || c.in.in != beforeRequest) {
		c.onNext()
		c.onNext = nil
	}
	return n
}

// isNext reports whether what is malformed is the request after one that is still
// being handled, or about to be: net/http reads on before it calls the handler.
func (c *Conn) isNext() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.begun > c.handled+1 || c.handling && c.in.begun > c.handled
}

// readPast reads on to no purpose but to notice that the client leaves, as
// net/http does beside a handler: there a fault of the next request would be
// taken for that, and the one being handled lose its answer. It returns why the
// reading ended.
func (c *Conn) readPast() error {
	var dropped [512]byte
	for left := lingerBytes; left > 0; {
		n, err := c.Conn.Read(dropped[:])
		if err != nil {
			return err
		}
		left -= n
	}
	return errors.New("too much behind a malformed request")
}

// Handling says that one more of the connection's requests is being handled,
// until the returned function is called.
func (c *Conn) Handling() (handled func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handled++
	c.handling = true
	return c.endHandling
}

func (c *Conn) endHandling() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = false
}

// OnNext has f called, once, when something comes of the request after the one
// that is [Conn.Handling], or the connection ends, which only a read notices. It
// reports false, and f is not called, when that has come already, or the one
// being handled has not come whole. f must not use the connection.
func (c *Conn) OnNext(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.in != beforeRequest || c.in.begun > c.handled {
		return false
	}
	c.onNext = f
	return true
}

// setDeadline bounds the next read if it is one within a body, or a header of
// HTTP/2, and the server has not done so. The caller holds mu.
func (c *Conn) setDeadline() {
	switch {
	case !c.asked.IsZero():
	case c.in.inBody() && c.pause > 0:
		c.Conn.SetReadDeadline(time.Now().Add(c.pause))
		c.armed = true
	case c.in.inHeaderFrames() && c.header > 0:
		if !c.armed { // one bound for all of it
			c.Conn.SetReadDeadline(time.Now().Add(c.header))
			c.armed = true
		}
	case c.armed:
		c.Conn.SetReadDeadline(time.Time{})
		c.armed = false
	}
}

var errAbandoned = errors.New("the request was answered before it had come")

// Answered says that a request has been answered, and reports whether all of
// its body has come. If not the connection reads no more, and ends: net/http
// would wait for the rest without limit, and at times take it for another
// request.
func (c *Conn) Answered() (complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.inBody() && c.in.err == nil {
		c.in.err, c.abandoned = errAbandoned, true
	}
	return c.in.err == nil
}

// Receiving reports whether a part of a request's body is still to come.
func (c *Conn) Receiving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.inBody()
}

// Interrupt makes reads fail with a timeout if a part of a request's body is
// still to come. If not it does nothing: net/http reads beside a handler then,
// to notice that the client leaves, and would take the timeout for that.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.inBody() {
		c.asked, c.armed = longAgo, false
		c.Conn.SetReadDeadline(longAgo)
	}
}

// Flooded reports whether reads fail with [ErrFlood].
func (c *Conn) Flooded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.err == ErrFlood
}

var longAgo = time.Unix(1, 0)

// What a client is let send, after an answer that came before, until its
// connection is closed. To close it over unread bytes would reset it, and the
// answer might be lost (RFC 9112 §9.6).
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// Close implements [net.Conn]. It takes a moment when the client has not sent
// all of a request that was answered, or not been read to the end.
func (c *Conn) Close() error {
	c.mu.Lock()
	_, refused := c.in.err.(fault)
	flooded := c.in.err == ErrFlood
	linger := (c.abandoned || refused || flooded || c.in.err == errGone || c.in.in == prefaceLine) && !c.closed
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
// bound on pauses.
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
	c.limitWrite()
	switch {
	case place >= 0:
		return c.writeGoAwayIn(p, place)
	case string(p) == unexplained:
		if _, err := io.WriteString(c.Conn, unexplained+": "+c.explanation()+"\n"); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *Conn) limitWrite() {
	if c.pause > 0 {
		c.Conn.SetWriteDeadline(time.Now().Add(c.pause))
	}
}

// unexplained is all that net/http answers to a request that it cannot read.
const unexplained = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

// explanation says why a request cannot be read.
func (c *Conn) explanation() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.in.err.(fault); ok {
		return f.Error()
	}
	return malformed("a target or a header that cannot be read").Error()
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
