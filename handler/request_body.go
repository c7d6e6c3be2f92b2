package handler

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

// requestBody is a client's body as the transport reads it. It outlives Close,
// so that a request whose connection was refused can be sent elsewhere, and it
// marks what goes wrong as the client's doing.
type requestBody struct {
	ctx     clock.Context // of the request as it is sent; it ends with the handler
	body    io.Reader
	trailer http.Header // that the server fills when the body ends; may be nil
	passed  http.Header // what goes on of it; see announced
	pauses  *pauses

	reading sync.Mutex // held by each Read
	stopped bool       // guarded by reading

	mu       sync.Mutex
	left     int64 // bytes still to come; negative when the length is unknown
	complete bool
	err      error // of the read that failed
}

// newRequestBody returns the body of r, or nil when r has none. Over HTTP/2 one of
// length 0 has an end to come, which content may precede.
func newRequestBody(r *http.Request) *requestBody {
	ended := r.ContentLength == 0 && (r.ProtoMajor != 2 || r.Header["Content-Length"] == nil)
	if ended || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	return &requestBody{body: r.Body, trailer: r.Trailer, left: r.ContentLength}
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.stopped {
		return 0, &fault.RequestBodyError{Err: http.ErrBodyReadAfterClose}
	}
	b.pauses.begin()
	n, err := b.body.Read(p)
	b.pauses.over()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err == io.EOF {
		for name, value := range b.passed {
			value[0] = strings.Join(b.trailer[name], ", ")
		}
	}
	if err == io.EOF || b.left == 0 {
		b.complete = true
	}
	if err != nil && err != io.EOF {
		err = &fault.RequestBodyError{Err: err}
		b.err = err
	}
	return n, err
}

// watch gets ready to read the body of r beside the answer, and ends a read of it
// that takes too long, until the returned function is called. Over HTTP/2 nobody
// reads it from then on.
func (b *requestBody) watch(w http.ResponseWriter, r *http.Request, limit time.Duration) (stop func()) {
	uninterrupted := interruptBody(w, r)
	b.pauses = limitPauses(w, r, limit)
	return func() {
		b.pauses.end()
		uninterrupted()
		if r.ProtoMajor == 2 {
			b.stop(w)
		}
	}
}

// none waits for the end of a body that is said to be empty. Where there is one
// nevertheless, reading it fails, and RFC 9113 §8.1.1 lets no part of such a
// request be sent.
func (b *requestBody) none() error {
	_, err := io.Copy(io.Discard, b)
	return err
}

// Close does nothing: net/http calls it when a dial fails, and the server
// closes what it handed out by itself.
func (b *requestBody) Close() error { return nil }

// failure returns the error that ended the body before its end, or nil. As
// net/http cancels a request whose body cannot be read, the transport may
// report that instead.
func (b *requestBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// incomplete reports whether the client still owes a part of the body.
func (b *requestBody) incomplete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.complete
}

// stop ends the reading of the body of an HTTP/2 request, w being what it is
// answered with, and returns when nobody reads it any more. The transport may go on
// long after it has been told to give up. What it reads while the answer ends has
// net/http grant the stream a larger window, and panic if the stream ends before
// that is written (golang.org/issue/56940): all requests of the connection are lost.
func (b *requestBody) stop(w http.ResponseWriter) {
	if !b.reading.TryLock() {
		http.NewResponseController(w).SetReadDeadline(longAgo)
		b.reading.Lock()
	}
	defer b.reading.Unlock()
	b.stopped = true
}

// interruptBody makes the deadline of r, and a shutdown that runs out of time,
// end the wait for its body, until the returned function is called. The
// transport answers only when its read of the body has ended, and that heeds no
// context.
func interruptBody(w http.ResponseWriter, r *http.Request) (stop func()) {
	ctx := r.Context()
	interrupted := make(chan struct{})
	unused := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		if ctx.Err() != context.DeadlineExceeded && fault.Gone(ctx).Type != fault.Shutdown {
			return // the client is gone, which its body tells by itself
		}
		http.NewResponseController(w).SetReadDeadline(longAgo)
	})
	return func() {
		if !unused() {
			<-interrupted // w is not to be used later, nor the next request interrupted
		}
	}
}
