package wire

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ConnectionHooks listen to the connections of a transport. Each is called
// concurrently, and not at all when it is nil.
type ConnectionHooks struct {
	// Got is told which connection a request goes over, by the goroutine that sends
	// it, before it does. The context is the request's.
	Got func(context.Context, net.Conn)
	// Ended is told how long a connection was open when it is closed.
	Ended func(time.Duration)
	// Unsolicited is told when a connection is given up because the backend sent
	// something on it that nobody had asked for.
	Unsolicited func()
}

// connections counts the connections to one backend.
type connections struct {
	open  atomic.Int64
	hooks ConnectionHooks
}

// count returns conn, which has just been made, counted until it is closed;
// closed is called then as well.
func (c *connections) count(conn net.Conn, closed func()) net.Conn {
	c.open.Add(1)
	start := time.Now()
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() {
		c.open.Add(-1)
		if c.hooks.Ended != nil {
			c.hooks.Ended(time.Since(start))
		}
		closed()
	})}
}

func (c *connections) unsolicited() {
	if c.hooks.Unsolicited != nil {
		c.hooks.Unsolicited()
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
