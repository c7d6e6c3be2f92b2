package wire

import (
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
	"spangate/handler/wire/http1"
)

// requestBody is the content of a request, as it comes. It may be read beside the
// answer. A client that sends nothing for [Config.ClientTimeout], while somebody waits
// for it, is given up.
type requestBody struct {
	exchange *clientExchange
	reading  sync.Mutex // held by each Read; goes before the exchange's mu
	expected bool       // the client waits for a 100; guarded by the answer's writing

	// Guarded by the exchange's mu, which is not held while somebody waits.

	content http1.Body
	waiting bool      // for the client
	asked   time.Time // read deadline that the handler has set; it goes before ours
	closed  bool
	err     error // for which no more is read
}

// Read implements [io.Reader].
func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	x := b.exchange
	if err := x.tellToContinue(); err != nil {
		return 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.err != nil:
		return 0, b.err
	}
	n, err := b.content.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	if b.content.Ended() {
		b.takeTrailer()
		x.startWatch()
	}
	return n, err
}

// takeTrailer hands the trailer to the handler, where that expects it.
func (b *requestBody) takeTrailer() {
	trailer, r := b.content.Trailer(), b.exchange.request
	switch {
	case trailer == nil:
	case r.Trailer == nil:
		r.Trailer = trailer
	default:
		maps.Copy(r.Trailer, trailer)
	}
}

// Close implements [io.Closer]. Nothing is read any more.
func (b *requestBody) Close() error {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.exchange.mu.Lock()
	defer b.exchange.mu.Unlock()
	b.closed = true
	return nil
}

// arrive waits for a piece of the body, or of its framing. It is called within Read.
func (x *clientExchange) arrive(p []byte) (int, error) {
	b := &x.body
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if d := x.conn.server.cfg.ClientTimeout; b.asked.IsZero() && d > 0 {
		x.conn.readUntil(time.Now().Add(d))
	} else {
		x.conn.readUntil(b.asked)
	}
	b.waiting = true
	x.mu.Unlock()
	n, err := x.conn.Conn.Read(p)
	if n == 0 && err != nil && fault.Lost(err) {
		x.context.cancel()
	}
	x.mu.Lock()
	b.waiting = false
	return n, err
}

// bodyCame reports whether all of the body has come, read or not.
func (x *clientExchange) bodyCame() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	whole, _ := x.ahead()
	return whole
}

// ahead is [http1.Body.Ahead]. The caller holds mu.
func (x *clientExchange) ahead() (whole bool, behind int) {
	if x.body.waiting || x.body.err != nil {
		return false, 0
	}
	return x.body.content.Ahead()
}

// endBody ends the reading of the body, whoever does that, and reports whether all of
// it had come. What was not read of it is then dropped.
func (x *clientExchange) endBody() (whole bool) {
	x.mu.Lock()
	x.body.closed = true
	if !x.body.waiting {
		defer x.mu.Unlock()
		return x.body.err == nil && x.body.content.Skip()
	}
	x.conn.readUntil(longAgo)
	x.mu.Unlock()
	x.body.reading.Lock() // the read has failed by then
	defer x.body.reading.Unlock()
	return false
}

// awaitsContinue reports whether the client of r waits for a 100 before it sends the
// body. HTTP/1.0 has no expectations (RFC 9110 §10.1.1).
func awaitsContinue(r *http.Request) bool {
	return r.ProtoMinor > 0 && httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
}
