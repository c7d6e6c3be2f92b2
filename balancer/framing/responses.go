package framing

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Responses returns conn, on which responses arrive to the requests that are
// written to it, one at a time, as net/http's transport does. A read that comes
// upon one that is not well-framed fails. HTTP/2 must not be spoken on it.
//
// A write fails when the other end takes no byte for as long as pause; 0 sets no
// bound. One that has begun to answer may take its time over the rest.
func Responses(conn net.Conn, pause time.Duration) net.Conn {
	r := &responses{Conn: conn, pause: pause, in: followResponses(), out: followRequests()}
	r.out.onRequest = r.expect
	return r
}

// responses follows both directions: how a response ends depends on what was
// asked, and a request may still be on its way when its response has ended.
type responses struct {
	net.Conn
	pause   time.Duration
	mu      sync.Mutex
	in, out *follower
}

// expect is told of each request's first line. The caller holds mu.
func (r *responses) expect(line []byte) {
	if r.in.in == idle {
		r.in.in = startLine
		r.in.noBody = bytes.HasPrefix(line, []byte("HEAD "))
	}
}

func (r *responses) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.out.follow(p)
	r.mu.Unlock()
	if r.pause == 0 {
		return r.Conn.Write(p)
	}
	for written := 0; ; {
		r.Conn.SetWriteDeadline(time.Now().Add(r.pause))
		n, err := r.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 && !r.answered() {
			return written, err
		}
	}
}

// answered reports whether the response has begun.
func (r *responses) answered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.inBody() || r.in.in == unread
}

func (r *responses) Read(p []byte) (int, error) {
	for {
		if err := r.fault(); err != nil {
			return 0, err
		}
		n, err := r.Conn.Read(p)
		if n = r.follow(p[:n]); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (r *responses) fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.err
}

func (r *responses) follow(p []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.in.follow(p)
	if r.in.in == idle && r.out.inBody() {
		// It may go on, or never be sent (RFC 9110 §10.1.1): where the next request
		// begins cannot be told any more, so there must be none.
		r.in.err = errUnfinished
	}
	return n
}

var errUnfinished = errors.New("answered before the request was sent")

// Options returns the lines of Connection in the latest header of a response on
// conn, but for those that say no more than whether the connection stays open;
// none of a connection that is not from [Responses].
func Options(conn net.Conn) []string {
	r, ok := conn.(*responses)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.head.options
}

// CloseWrite ends the sending direction, as of an upgraded connection.
func (r *responses) CloseWrite() error { return closeWrite(r.Conn) }
