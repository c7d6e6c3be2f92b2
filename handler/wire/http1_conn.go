package wire

import (
	"bytes"
	"errors"
	"net"
	"os"

	"spangate/handler/wire/http1"
)

// http1Conn is a connection of HTTP/1.1, which carries one exchange after the other.
type http1Conn struct {
	net.Conn    // which the messages are on; it is over timed
	timed       *timedConn
	in          *http1.Reader
	socket      *socket // nil: it cannot be looked at
	secure      bool    // what can be seen of timed is TLS
	unsolicited func()  // is told that something came that nobody had asked for

	beginning [len("HTTP/1.x 408")]byte // of what came over TLS
}

func newHTTP1Conn(conn net.Conn, timed *timedConn, unsolicited func()) *http1Conn {
	c := &http1Conn{Conn: conn, timed: timed, socket: socketBelow(timed), secure: conn != net.Conn(timed), unsolicited: unsolicited}
	if c.in = http1.NewReader(conn); c.socket != nil && !c.secure {
		c.in = http1.NewReader(waiting{timed, c.socket})
	}
	return c
}

var (
	errUnsolicited = errors.New("unsolicited bytes on an idle connection")
	errEnded       = errors.New("the connection has been ended by its other end")
)

// quiet returns why the connection, on which nothing is under way, must not carry a
// request: something has come, which would be taken for the answer (RFC 9112 §9.2),
// or the end.
func (c *http1Conn) quiet() error {
	if c.in.Buffered() > 0 {
		return c.surplus(c.in.Peek())
	}
	if c.secure {
		return c.quietThrough()
	}
	switch beginning, ended := c.socket.look(); {
	case len(beginning) > 0:
		return c.surplus(beginning)
	case ended:
		return errEnded
	}
	return nil
}

// quietThrough looks through TLS: only reading tells whether what has come is content.
// A server may send tickets when it likes (RFC 8446 §4.6.1).
func (c *http1Conn) quietThrough() error {
	if c.socket == nil {
		return nil
	}
	c.timed.peeks = c.socket
	n, err := c.Read(c.beginning[:])
	c.timed.peeks = nil
	switch {
	case n > 0:
		return c.surplus(c.beginning[:n])
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// surplus notes that something has come that nobody has asked for. A 408 is no news:
// it says why an idle connection is closed (RFC 9110 §15.5.9).
func (c *http1Conn) surplus(beginning []byte) error {
	timeout := bytes.HasPrefix(beginning, []byte("HTTP/1.")) && bytes.HasPrefix(beginning[min(len("HTTP/1.x"), len(beginning)):], []byte(" 408"))
	if !timeout {
		c.unsolicited()
	}
	return errUnsolicited
}
