package balancer

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Connections counts the connections to one backend. The zero value is ready
// to use; it is safe for concurrent use.
type Connections struct {
	open atomic.Int64
	// Ended, if not nil, is told how long a connection was open when it is
	// closed. It must be set before the first connection is made.
	Ended func(time.Duration)
}

// Open returns the number of open connections.
func (c *Connections) Open() int64 { return c.open.Load() }

// count returns dial with its connections counted.
func (c *Connections) count(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.open.Add(1)
		start := time.Now()
		return &countedConn{Conn: conn, closed: sync.OnceFunc(func() {
			c.open.Add(-1)
			if c.Ended != nil {
				c.Ended(time.Since(start))
			}
		})}, nil
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// CloseWrite keeps half-closes possible, for upgraded connections.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
