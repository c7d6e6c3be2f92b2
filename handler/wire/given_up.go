package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// givenUpGrace is how long what has come of a response is waited for once its
// stream has ended: it is there already, and only to be picked up.
const givenUpGrace = 20 * time.Millisecond

// abortGrace is how long the header of a response is waited for once its stream has
// ended without any: net/http knows by then why it has, and says so as soon as it
// gets to run. Whoever cancels before that is told of the cancellation instead, and
// cannot tell what was never taken from what was.
const abortGrace = 250 * time.Millisecond

// interimGrace is how long the header of a response is waited for once its stream
// has ended, where a header has come: it may be on its way through net/http, or
// have been an interim one.
const interimGrace = time.Second

// lostGrace and brokenGrace are how long one and the same read of a response's body may
// go on once nothing more comes of that: as the connection is lost, or what came was no
// HTTP/2. Whoever reads may have been told already, and only wait for a processor.
const (
	lostGrace   = 250 * time.Millisecond
	brokenGrace = 5 * time.Second
)

// givenUp ends the wait for an HTTP/2 response that will not come. When a
// backend resets a stream, or its connection is lost, net/http closes the
// request's body, and says so to whoever waits for the header of the response only
// once its read of that body has returned: never, while a client waits for the answer
// before it sends the rest. Whoever reads the body of the response is told at once of
// the end of the stream, which may be a regular one, and not of that of the connection.
//
// net/http does not notice that the context ends, either, while its request's body waits
// for the backend to take more: whoever reads the body of the response waits on, and so
// does the backend. Both are told once that is closed.
//
// What has come goes before: only who waits with nothing at hand is told. A nil
// givenUp ends nothing.
type givenUp struct {
	ctx    context.Context    // of the request
	cancel context.CancelFunc // ends the wait for the header
	lost   *atomic.Bool       // the connection is

	begun atomic.Bool // a header has come, if only an interim one

	mu       sync.Mutex
	response io.ReadCloser // nil: its header is not handed out
	goesOn   bool          // it may, as net/http takes it for a reason to send no more
	reads    int           // of its body that have begun
	reading  bool
	over     bool
	unwatch  func() bool // ends the watch for the end of the context; nil: there is none
}

// overHTTP2 returns r, whose body u is, to be sent over HTTP/2, and what ends the
// wait for its response. Lost becomes true when the connection is.
func (u *streamUpload) overHTTP2(r *http.Request, lost *atomic.Bool) (*http.Request, *givenUp) {
	ctx, cancel := context.WithCancel(r.Context())
	g := &givenUp{ctx: r.Context(), cancel: cancel, lost: lost}
	u.givenUp = g
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { g.begun.Store(true) }})
	return r.WithContext(ctx), g
}

// bodyClosed is to be called when net/http has closed a request's body of which
// a part is still to come.
func (g *givenUp) bodyClosed() {
	grace := abortGrace
	if g.begun.Load() {
		grace = interimGrace
	}
	time.AfterFunc(givenUpGrace, func() { g.end(0, time.Now(), time.Now().Add(grace-givenUpGrace)) })
}

// end ends the read of that number, which has been seen to wait since then, if nothing
// will come of it, and the wait for the header once it is late.
func (g *givenUp) end(read int, since, late time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.reading || g.reads != read {
		read, since = g.reads, now
	}
	switch waited := now.Sub(since); {
	case g.over:
		return
	case g.response == nil && !now.Before(late):
		g.cancel()
	case g.lost.Load() && waited >= lostGrace, !g.goesOn && waited >= brokenGrace:
		go g.response.Close() // which may wait in turn
		return
	}
	again := givenUpGrace
	if now.Sub(since) > lostGrace {
		again = lostGrace // it may take hours
	}
	time.AfterFunc(again, func() { g.end(read, since, late) })
}

// answered has the response's body ended like the wait for its header, and
// returns it. A status above 299 has net/http close the request's body, and read on.
func (g *givenUp) answered(status int, body io.ReadCloser) io.ReadCloser {
	if g == nil {
		return body
	}
	if body == http.NoBody {
		g.finish() // there is nothing to wait for
		return body
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.response, g.goesOn = body, status > 299
	g.unwatch = context.AfterFunc(g.ctx, func() { body.Close() })
	return &streamBody{body, g}
}

// finish says that nobody waits any more.
func (g *givenUp) finish() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.unwatch != nil {
		g.unwatch()
	}
}

// streamBody is the body of an HTTP/2 response.
type streamBody struct {
	io.ReadCloser
	givenUp *givenUp
}

func (b *streamBody) Read(p []byte) (int, error) {
	b.reads(true)
	defer b.reads(false)
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.givenUp.finish()
	}
	return n, err
}

func (b *streamBody) reads(now bool) {
	b.givenUp.mu.Lock()
	defer b.givenUp.mu.Unlock()
	if b.givenUp.reading = now; now {
		b.givenUp.reads++
	}
}

func (b *streamBody) Close() error {
	b.givenUp.finish()
	b.givenUp.cancel() // else net/http waits for the request's body here too
	return b.ReadCloser.Close()
}
