package wire

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

// ConnectionHooks listen to the connections of a transport. Each is called
// concurrently, and not at all when it is nil.
type ConnectionHooks struct {
	// Course returns where it is to be noted how a request goes on its way, or nil. The
	// context is the request's.
	Course func(context.Context) *Course
	// Handshake is told how each of TLS went: what was agreed on, or why it failed. One
	// that the backend turns out not to be content with is told of again, with the error.
	Handshake func(tls.ConnectionState, error)
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

// count counts a connection that has just been made until the function that it returns
// is called for the first time, which calls closed then.
func (c *connections) count(closed func()) (ended func()) {
	c.open.Add(1)
	start := time.Now()
	return sync.OnceFunc(func() {
		c.open.Add(-1)
		if c.hooks.Ended != nil {
			c.hooks.Ended(time.Since(start))
		}
		closed()
	})
}

// course returns where the course of the request with that context is noted, or nil.
func (c *connections) course(ctx context.Context) *Course {
	if c.hooks.Course == nil {
		return nil
	}
	return c.hooks.Course(ctx)
}

// shaken tells how a handshake of TLS went.
func (c *connections) shaken(state tls.ConnectionState, err error) {
	if c.hooks.Handshake != nil {
		c.hooks.Handshake(state, err)
	}
}

// refused returns err, of a connection over which nothing was answered yet, as what it
// is where it says that the backend is not content with the handshake. With TLS 1.3
// the client's certificate is looked at when the client is done (RFC 8446 §4.4.2.4):
// nothing of what came after it is heeded then.
func (c *connections) refused(state *tls.ConnectionState, e *fault.Error) *fault.Error {
	if !fault.HandshakeRefused(e) {
		return e
	}
	c.shaken(*state, e.Err)
	return &fault.Error{Type: fault.TLSHandshakeError, Err: e.Err}
}

func (c *connections) unsolicited() {
	if c.hooks.Unsolicited != nil {
		c.hooks.Unsolicited()
	}
}
