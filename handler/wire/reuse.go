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
	exchange   clientExchange
	request    http1.Request
	header     http.Header // of the answer, unless another one has taken its place
	attempt    attempt
	attempted  atomic.Bool // attempt is in use
	companions [places]Companion
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

// Companion is what a handler keeps for a request in memory that is used again with the
// request's. Reset is called once nobody looks at it any more, and has it forget all.
type Companion interface{ Reset() }

// Place says which of the companions of a request one is.
type Place int

// The places.
const (
	OfClient  Place = iota // who asks
	OfAttempt              // who is asked, the first time
	places                 // how many there are
)

// CompanionOf returns the place for what is kept for the request with that context, in
// which there may be that of an earlier one. It is nil where no memory is used again, as
// over HTTP/2.
func CompanionOf(ctx context.Context, place Place) *Companion {
	if x := exchangeOf(ctx); x != nil {
		return &x.memory.companions[place]
	}
	return nil
}

// maxKept is how many fields of an answer may have their memory used again.
const maxKept = 100

var memories = sync.Pool{New: func() any { return &memory{header: http.Header{}} }}

// release has memory used again whose request is over, if nobody looks at it any more.
// Handlers leave no goroutine behind but those that read content, or wait for the end of
// the context; and a drain may know of the context too.
func (m *memory) release() {
	x := &m.exchange
	if x.carries || x.watch.wanted || x.conn.server.leaving.Err() != nil || len(m.header) > maxKept {
		return
	}
	m.exchange = clientExchange{}
	m.request.Reset()
	clear(m.header)
	m.attempt.exchange = exchange{}
	m.attempt.response.Reset()
	m.attempted.Store(false)
	for _, c := range m.companions {
		if c != nil {
			c.Reset()
		}
	}
	giveBack(m)
}
