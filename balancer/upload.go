package balancer

import (
	"io"
	"net/http"
	"sync/atomic"
)

// upload is the body of a request that is being sent, and knows whether all of
// it was read. A nil upload is that of a request without one.
type upload struct {
	io.ReadCloser
	left  int64 // bytes still to come; not above 0 when their number is unknown
	ended atomic.Bool
}

func newUpload(r *http.Request) *upload {
	return &upload{ReadCloser: r.Body, left: r.ContentLength}
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	last := u.left > 0 && u.left <= int64(n) // net/http may send it before it looks for the end
	u.left -= int64(n)
	if last || err != nil {
		u.ended.Store(true)
	}
	return n, err
}

// owed reports whether the client may have more of it to send.
func (u *upload) owed() bool { return u != nil && !u.ended.Load() }
