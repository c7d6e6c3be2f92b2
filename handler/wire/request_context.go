package wire

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// requestContext is the context of a request over HTTP/1. It ends when the handler
// returns, when the client leaves, or with those of all requests.
//
// Whether the client leaves is looked for from when somebody calls Done on, be it by
// way of a context that is derived; until then the context costs nothing.
type requestContext struct {
	exchange *clientExchange

	over  atomic.Bool
	mu    sync.Mutex
	done  chan struct{}        // nil: nobody has asked for it
	after map[*func()]struct{} // that are to be called in the end
}

// Deadline implements [context.Context].
func (c *requestContext) Deadline() (time.Time, bool) { return c.all().Deadline() }

// Err implements [context.Context].
func (c *requestContext) Err() error {
	if c.over.Load() {
		return context.Canceled
	}
	return c.all().Err()
}

// Done implements [context.Context].
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wait()
}

// wait makes the channel that Done returns. The caller holds mu.
func (c *requestContext) wait() chan struct{} {
	switch {
	case c.done != nil:
	case c.Err() != nil:
		c.done = closed
	default:
		c.done = make(chan struct{})
		c.exchange.wantWatch()
	}
	return c.done
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case connKey:
		return c.exchange.conn
	case exchangeKey:
		return c.exchange
	}
	if key == http.LocalAddrContextKey {
		return c.exchange.conn.local
	}
	return c.all().Value(key)
}

// exchangeKey is that of the exchange that a context is of.
type exchangeKey struct{}

// exchangeOf returns the exchange that ctx is of, nil if that is none over HTTP/1.
func exchangeOf(ctx context.Context) *clientExchange {
	x, _ := ctx.Value(exchangeKey{}).(*clientExchange)
	return x
}

// AfterFunc is what package context looks for in contexts of others, so that those
// derived from this one need no goroutine.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait() == closed || c.Err() != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[*func()]struct{}{}
	}
	c.after[&f] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.after[&f]
		delete(c.after, &f)
		return waits
	}
}

// cancel ends the context, unless it has ended.
func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over.Swap(true) {
		return
	}
	if c.done != nil && c.done != closed {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}

// all is the context of all requests.
func (c *requestContext) all() context.Context { return c.exchange.conn.server.requests }
