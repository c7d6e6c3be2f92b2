package wire

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"spangate/handler/fault"
)

// streamUpload is the body of a request that is being sent over HTTP/2, and knows whether all of
// it was read. A nil one is that of a request without one.
type streamUpload struct {
	io.ReadCloser
	course *Course
	left   int64 // bytes still to come; not above 0 when their number is unknown
	begun  atomic.Bool
	ended  atomic.Bool
	broken atomic.Bool // it could not be read to its end
	closed atomic.Bool

	givenUp *givenUp // what to tell of a Close before the end; nil: nobody

	trailer http.Header // of the request that all attempts have in common
	sent    http.Header // of this attempt
}

// newStreamUpload returns the body of r, and gives r a trailer of its own, which is
// filled when the body has ended: the transport goes through the names while the
// body of an attempt that was given up may be coming to its end.
func newStreamUpload(r *http.Request, course *Course) *streamUpload {
	u := &streamUpload{ReadCloser: r.Body, course: course, left: r.ContentLength, trailer: r.Trailer}
	if r.Trailer != nil {
		u.sent = make(http.Header, len(r.Trailer))
		for name := range r.Trailer {
			u.sent[name] = nil
		}
		r.Trailer = u.sent
	}
	return u
}

func (u *streamUpload) Read(p []byte) (int, error) {
	u.begun.Store(true)
	n, err := u.ReadCloser.Read(p)
	if err == io.EOF {
		for name, values := range u.trailer {
			if len(values) > 0 && values[0] != "" {
				u.sent[name] = values
			}
		}
	}
	last := u.left > 0 && u.left <= int64(n) // net/http may send it before it looks for the end
	u.left -= int64(n)
	if err != nil && err != io.EOF && !errors.Is(err, fault.ErrGivenUp) { // else it was closed, which is not why the attempt failed
		u.broken.Store(true)
	}
	if (last || err == io.EOF) && !u.ended.Load() {
		u.course.isSent() // but for what net/http is about to
	}
	if last || err != nil {
		u.ended.Store(true)
	}
	return n, err
}

func (u *streamUpload) Close() error {
	u.closed.Store(true)
	if u.givenUp != nil && !u.ended.Load() {
		u.givenUp.bodyClosed()
	}
	return u.ReadCloser.Close()
}

// closeUnread closes it if nobody has begun to read it, as net/http does with
// the body of a request that it sends, but not of one that it refuses.
func (u *streamUpload) closeUnread() {
	if u != nil && !u.begun.Load() && !u.closed.Load() {
		u.Close()
	}
}

// owed reports whether the client may have more of it to send.
func (u *streamUpload) owed() bool { return u != nil && !u.ended.Load() }

// failed reports whether it, and not the connection, has broken off.
func (u *streamUpload) failed() bool { return u != nil && u.broken.Load() }
