package handler

import (
	"io"
	"net/http"
	"sync"
	"time"

	"spangate/balancer"
)

// bodyGrace is how long the server may go on reading a body that the backend
// did not wait for, so that a client in the middle of a small upload can
// finish it and keep its connection.
const bodyGrace = 500 * time.Millisecond

// requestBody is a client's body as the transport reads it. It outlives Close,
// so that a request whose connection was refused can be sent elsewhere; it
// marks what goes wrong as the client's doing; and over HTTP/1 it bounds each
// pause of the client.
type requestBody struct {
	body    io.Reader
	control *http.ResponseController // nil: pauses are not bounded
	timeout time.Duration

	mu       sync.Mutex
	left     int64 // bytes still to come; negative when the length is unknown
	complete bool
	released bool
	err      error // of the read that failed
}

// newRequestBody returns the body of r, or nil when r has none.
func newRequestBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) *requestBody {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	b := &requestBody{body: r.Body, left: r.ContentLength, timeout: timeout}
	if r.ProtoMajor == 1 {
		b.control = http.NewResponseController(w)
	}
	return b
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.setDeadline()
	n, err := b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err == io.EOF || b.left == 0 {
		b.complete = true
		b.clearDeadline()
	}
	if err != nil && err != io.EOF {
		err = &balancer.RequestBodyError{Err: err}
		b.err = err
	}
	return n, err
}

// Close does nothing: net/http calls it when a dial fails, and the server
// closes what it handed out by itself.
func (b *requestBody) Close() error { return nil }

func (b *requestBody) setDeadline() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control != nil && b.timeout > 0 && !b.released && !b.complete {
		b.control.SetReadDeadline(time.Now().Add(b.timeout))
	}
}

// clearDeadline leaves the connection to the server's own deadlines. The caller
// holds mu.
func (b *requestBody) clearDeadline() {
	if b.control != nil && b.timeout > 0 && !b.released {
		b.control.SetReadDeadline(time.Time{})
	}
}

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

// release ends the use of the body. The transport may be in the middle of a
// Read that only the client can end; as net/http waits for that Read before it
// finishes the response, the wait is bounded.
func (b *requestBody) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control != nil && !b.complete {
		b.control.SetReadDeadline(time.Now().Add(bodyGrace))
	}
	b.released = true
}
