package wire

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Connections counts the connections to one backend. The zero value is ready
// to use; it is safe for concurrent use. What is to be told must be set before
// the first connection is made.
type Connections struct {
	open atomic.Int64
	// Got, if not nil, is told which connection a request goes over, by the
	// goroutine that sends it, before it does. The context is the request's.
	Got func(context.Context, net.Conn)
	// Ended, if not nil, is told how long a connection was open when it is
	// closed.
	Ended func(time.Duration)
	// Unsolicited, if not nil, is told when a connection is given up because the
	// backend sent something on it that nobody had asked for.
	Unsolicited func()
}

// Open returns the number of open connections.
func (c *Connections) Open() int64 { return c.open.Load() }

// count returns conn, which has just been made, counted until it is closed;
// closed is called then as well.
func (c *Connections) count(conn net.Conn, closed func()) net.Conn {
	c.open.Add(1)
	start := time.Now()
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() {
		c.open.Add(-1)
		if c.Ended != nil {
			c.Ended(time.Since(start))
		}
		closed()
	})}
}

func (c *Connections) unsolicited() {
	if c.Unsolicited != nil {
		c.Unsolicited()
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.closed()
	return err
}

// NetConn returns the connection as it was made.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite keeps half-closes possible, for upgraded connections.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
