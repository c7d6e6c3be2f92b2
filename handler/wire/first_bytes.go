package wire

import (
	"io"
	"net/http"
	"sync"
	"time"

	"spangate/handler/fault"
)

// firstBytes is the beginning of a response's body, read ahead of whoever it is
// for.
type firstBytes struct {
	left   []byte // what of it is still to be had
	err    error  // how the body goes on: nil, or io.EOF when that is all
	buffer [4 << 10]byte
}

var firstBytesPool = sync.Pool{New: func() any { return new(firstBytes) }}

const errNoFirstByte = fault.Phrase("no body after the response's header")

// readFirst waits for the first bytes of the body of resp, the answer to r,
// where its length says that there are some; for no longer than limit, if that
// is not 0. A backend that is lost before them has answered nothing that a
// client could use, and as nothing was passed on the request can still be tried
// elsewhere, or answered with what went wrong.
//
// A body of unknown length may begin much later than its header, which whoever
// asked for a stream wants to see at once: such a one is left alone.
func readFirst(r *http.Request, resp *http.Response, limit time.Duration) error {
	if resp.ContentLength <= 0 || r.Method == http.MethodHead {
		return nil
	}
	inTime := func() bool { return true }
	if limit > 0 {
		inTime = time.AfterFunc(limit, func() { resp.Body.Close() }).Stop
	}
	f := firstBytesPool.Get().(*firstBytes)
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = resp.Body.Read(f.buffer[:])
	}
	switch {
	case !inTime():
		firstBytesPool.Put(f)
		return &fault.Error{Type: fault.ResponseTimeout, Sent: true, Err: errNoFirstByte}
	case err != nil && err != io.EOF:
		firstBytesPool.Put(f)
		return fault.OfBody(r.Context(), err)
	}
	f.left, f.err = f.buffer[:n], err
	resp.Body = &begunBody{resp.Body, f}
	return nil
}

// begunBody is a body of which the first bytes were read.
type begunBody struct {
	io.ReadCloser
	first *firstBytes // nil when they have been handed out
}

func (b *begunBody) Read(p []byte) (int, error) {
	f := b.first
	if f == nil {
		return b.ReadCloser.Read(p)
	}
	n := copy(p, f.left)
	if f.left = f.left[n:]; len(f.left) > 0 {
		return n, nil
	}
	err := f.err
	b.first = nil
	firstBytesPool.Put(f)
	return n, err
}
