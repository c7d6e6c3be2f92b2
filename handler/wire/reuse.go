package wire

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"spangate/handler/wire/http1"
)

// memory is all that is kept of one request over HTTP/1 and of its answer. Once nobody
// can look at it any more, see [memory.release], it is used again for another request, of
// whichever client. Strings never are: they may be kept.
type memory struct {
	exchange  clientExchange
	request   http1.Request
	header    http.Header // of the answer, unless another one has taken its place
	attempt   attempt
	attempted atomic.Bool // attempt is in use
	beside    []beside
}

// attempt is a request to a backend, and its answer.
type attempt struct {
	exchange exchange
	response http1.Response
}

// attemptFor returns memory for an attempt at the request with that context.
func attemptFor(ctx context.Context) *attempt {
	if x := exchangeOf(ctx); x != nil && !x.memory.attempted.Swap(true) {
		return &x.memory.attempt
	}
	return new(attempt)
}

// beside is what a handler keeps for a request in the request's memory.
type beside struct {
	value any // a pointer
	used  bool
	reset func()
}

// Keep returns memory, which is zero, for what is kept for the request with that context
// until it is over: where the memory of requests is used again, as it is over HTTP/1, so
// is this, by the same rule. It is for one goroutine at a time.
func Keep[T any](ctx context.Context) *T {
	x := exchangeOf(ctx)
	if x == nil {
		return new(T)
	}
	all := &x.memory.beside
	for i := range *all {
		b := &(*all)[i]
		if value, ok := b.value.(*T); ok && !b.used {
			b.used = true
			return value
		}
	}
	value := new(T)
	if len(*all) < maxBeside {
		*all = append(*all, beside{value, true, func() {
			var zero T
			*value = zero
		}})
	}
	return value
}

// maxBeside bounds what is kept of requests of which some need many.
const maxBeside = 8

// maxKept is how many fields of an answer may have their memory used again.
const maxKept = 100

// memories are those that no connection holds.
var memories = sync.Pool{New: func() any { return &memory{header: http.Header{}} }}

// takeMemory returns memory for the next request: that of the one before, if there was
// one a moment ago. Thousands of connections would find a pool empty again and again, as
// each collection of garbage empties it.
func (c *clientConn) takeMemory() *memory {
	m := c.memory
	if c.memory = nil; m == nil {
		m = memories.Get().(*memory)
	}
	return m
}

// giveMemory gives back what the connection holds for its next request.
func (c *clientConn) giveMemory() {
	if c.memory != nil {
		memories.Put(c.memory)
		c.memory = nil
	}
}

// release has memory used again whose request is over, if nobody looks at it any more.
// Handlers leave no goroutine behind but those that read content, or wait for the end of
// the context: one that only asks the context for a value must have a context of its own.
// A drain may know of the context too.
func (m *memory) release() {
	x := &m.exchange
	c := x.conn
	if x.carries || x.watch.wanted || c.server.leaving.Err() != nil || len(m.header) > maxKept {
		return
	}
	m.exchange = clientExchange{}
	m.request.Reset()
	clear(m.header)
	m.attempt.exchange = exchange{}
	m.attempt.response.Reset()
	m.attempted.Store(false)
	for i := range m.beside {
		if b := &m.beside[i]; b.used {
			b.reset()
			b.used = false
		}
	}
	c.keepMemory(m)
}
