package wire

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"spangate/handler/wire/framing"
	"spangate/handler/wire/http1"
)

// clientConn is a connection of a client, from when it was accepted on: one of
// HTTP/1.1 or 1.0, until it turns out to be one of HTTP/2. A goroutine of its own
// reads its requests, and handles them, one after the other.
type clientConn struct {
	net.Conn
	server   *server
	secure   *secureConn // nil: it is not one of TLS
	socket   *socket     // nil: what comes cannot be seen before it is read
	in       *http1.Reader
	accepted time.Time
	remote   string         // the client's end
	peer     netip.AddrPort // remote as [PeerOf] has it
	local    net.Addr

	state   atomic.Int32 // a clientState
	current atomic.Pointer[clientExchange]

	// What follows is for whoever reads: the goroutine of the connection, or, under
	// the mutex of an exchange, those that read its body.

	served    int             // requests
	idleSince time.Time       // the last one was served
	headBy    time.Time       // when the next one's head has to have come; zero: that is yet to be said
	receiving *clientExchange // whose body comes; nil: a head does
	readBy    time.Time       // read deadline of Conn
	writeBy   time.Time       // write deadline of Conn
	memory    *memory         // for the next request; nil: there is none at hand
	one       [1]byte         // of what comes next, where it cannot be seen
	lingers   bool            // the client has yet to read the last word that it was told
	taken     bool            // the connection belongs to somebody else
}

// clientState is what the drain has to know of a connection.
type clientState int32

const (
	isNew    clientState = iota // no byte of a request has come
	isActive                    // one is read, or handled
	isIdle                      // one was, and no other has come
	isClosed                    // by the drain
)

func newClientConn(s *server, conn net.Conn) *clientConn {
	c := &clientConn{Conn: conn, server: s, accepted: time.Now()}
	c.in = http1.NewReader(arriving{c})
	c.socket = newSocket(conn)
	c.secure, _ = conn.(*secureConn)
	if d := s.cfg.HeaderTimeout; d > 0 {
		c.headBy = c.accepted.Add(d)
	}
	return c
}

// stackRest is how long a connection is idle, at least, before it is waited for on
// another stack: that on which a request was handled is large. It may be twice as long.
const stackRest = 100 * time.Millisecond

// serve serves requests until there are no more, and closes the connection, unless
// that belongs to somebody else by then.
func (c *clientConn) serve() {
	if c.served == 0 && !c.begins() {
		return
	}
	for worked := false; ; worked = true {
		next, waited := c.await(worked)
		if waited {
			c.giveMemory()
			go c.serve()
			return
		}
		if !next || !c.handle() {
			c.end()
			return
		}
	}
}

// begins waits until it is known what the client speaks, and reports whether that is
// HTTP/1; otherwise it has seen to the connection.
func (c *clientConn) begins() bool {
	c.readUntil(c.headBy)
	if c.secure != nil {
		if c.secure.handshake.Do(c.secure.shakeHands); c.secure.failure != nil {
			c.end()
			return false
		}
		if c.secure.state.NegotiatedProtocol == "h2" {
			c.handOver()
			return false
		}
	}
	if next, _ := c.await(false); !next {
		c.end()
		return false
	}
	if c.preface() == len(preface) {
		c.handOver()
		return false
	}
	return true
}

// await waits until something comes of a request, and reports whether it has. Where
// that takes long, and worked says that requests were handled on this stack, it
// returns with waited.
func (c *clientConn) await(worked bool) (next, waited bool) {
	if c.in.Buffered() > 0 {
		return true, false
	}
	c.state.CompareAndSwap(int32(isActive), int32(isIdle))
	if c.served > 0 {
		c.restUntil(worked)
	}
	if err := c.awaitBytes(); err != nil {
		return false, worked && c.served > 0 && os.IsTimeout(err) && !c.hasRested()
	}
	return c.state.CompareAndSwap(int32(isIdle), int32(isActive)) || c.state.CompareAndSwap(int32(isNew), int32(isActive)), false
}

// restUntil sets how long is waited for the next request, on this stack.
func (c *clientConn) restUntil(worked bool) {
	var until time.Time
	if d := c.server.cfg.IdleTimeout; d > 0 {
		until = c.idleSince.Add(d)
	}
	if worked {
		if rest := c.idleSince.Add(2 * stackRest); until.IsZero() || rest.Before(until) {
			until = rest
		}
		// Often the deadline of the request before will do.
		if left := until.Sub(c.readBy); 0 <= left && left < stackRest {
			return
		}
	}
	c.readUntil(until)
}

// hasRested reports whether the client has been idle for as long as it may.
func (c *clientConn) hasRested() bool {
	d := c.server.cfg.IdleTimeout
	return d > 0 && time.Since(c.idleSince) >= d
}

// awaitBytes waits for one byte, at least. What waits holds no memory.
func (c *clientConn) awaitBytes() error {
	if c.socket != nil {
		return c.socket.fill(c.in)
	}
	for {
		n, err := c.Conn.Read(c.one[:])
		if c.in.Put(c.one[:n]); n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readUntil sets when reads fail; zero: never.
func (c *clientConn) readUntil(t time.Time) {
	if !t.Equal(c.readBy) {
		c.readBy = t
		c.Conn.SetReadDeadline(t)
	}
}

// arriving is what comes on a connection, as its requests are read.
type arriving struct{ *clientConn }

func (a arriving) Read(p []byte) (int, error) {
	c := a.clientConn
	if c.receiving != nil {
		return c.receiving.arrive(p)
	}
	if c.headBy.IsZero() && c.server.cfg.HeaderTimeout > 0 {
		c.headBy = time.Now().Add(c.server.cfg.HeaderTimeout)
	}
	c.readUntil(c.headBy)
	return c.Conn.Read(p)
}

// preface returns how much has come of HTTP/2's preface, once it is known whether that
// is what comes.
func (c *clientConn) preface() int {
	for {
		p := c.in.Peek()
		n := 0
		for n < min(len(p), len(preface)) && p[n] == preface[n] {
			n++
		}
		if n < len(p) || n == len(preface) || c.in.Fill() != nil {
			return n
		}
	}
}

// close closes the connection because nobody waits for an answer on it, if that is so.
func (c *clientConn) close(now time.Time) {
	if now.Sub(c.accepted) > newcomers && c.state.CompareAndSwap(int32(isNew), int32(isClosed)) ||
		c.state.CompareAndSwap(int32(isIdle), int32(isClosed)) {
		c.Conn.Close()
	}
}

// reset closes the connection so that its other end cannot take that for a regular end.
func (c *clientConn) reset() {
	conn := below(c.Conn) // without the word that TLS ends with
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// below returns what conn is over in the end.
func below(conn net.Conn) net.Conn {
	for {
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = above.NetConn()
	}
}

// end closes the connection. Where it has told its client something that the client
// may not expect, it lets him read that.
func (c *clientConn) end() {
	switch {
	case c.taken:
	case c.lingers:
		framing.Linger(c.Conn)
		fallthrough
	default:
		c.Conn.Close()
	}
	c.giveMemory()
	c.server.clients.left(c)
}
