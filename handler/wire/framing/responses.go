package framing

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"spangate/handler/clock"
)

// ResponseConn is a connection on which responses arrive. It is safe for
// concurrent use as other connections are.
type ResponseConn struct {
	net.Conn
	noticed func() // unsolicited bytes; may be nil

	pause   time.Duration
	socket  *socket       // nil: cannot be looked at
	ending  sync.Once     // closes silent
	silent  chan struct{} // until nothing is read any more
	mu      sync.Mutex
	in, out *follower
	broken  bool // a read or a write has failed before it was closed here
	closed  bool
	ended   error // why reading ended before it was closed here
	passed  Passed
}

// Passed is how many bytes a connection has carried each way.
type Passed struct{ Sent, Received int64 }

// Responses returns conn, on which responses arrive to the requests that are
// written to it, one at a time, as net/http's transport does. HTTP/2 must not be
// spoken on it.
//
// A read that comes upon a response that is not well-framed fails. So does one
// that comes upon anything while no request is unanswered, be it right behind
// the end of a response (RFC 9112 §9.2): it would become the answer to the next
// request. Of such bytes none is handed out.
//
// A write fails when the other end takes no byte for as long as pause; 0 sets no
// bound. One that has begun to answer may take its time over the rest. A write
// on a connection that the other end has closed fails only once nothing is left
// to be read: the other end may have answered before it closed (RFC 9112 §9.5).
// One that fails because the connection was closed here, after a read had failed,
// fails with what the read did.
//
// unsolicited, if not nil, is told, once, when something came that nobody had asked
// for. It must not use the connection.
func Responses(conn net.Conn, pause time.Duration, unsolicited func()) *ResponseConn {
	r := &ResponseConn{
		Conn: conn, noticed: unsolicited, pause: pause, socket: socketOf(conn), silent: make(chan struct{}),
		in: followResponses(), out: followRequests(),
	}
	r.out.onRequest = r.expect
	return r
}

var (
	// ErrUnsolicited is why a connection fails on which something came that nobody
	// had asked for.
	ErrUnsolicited = errors.New("unsolicited bytes on an idle connection")

	errUnfinished = errors.New("answered before the request was sent")
	errEnded      = errors.New("the connection has been ended by its other end")
)

// expect is told of each request's first line. The caller holds mu.
func (r *ResponseConn) expect(line []byte) {
	if r.in.in == idle {
		r.in.in = startLine
		r.in.noBody = bytes.HasPrefix(line, []byte("HEAD "))
	}
}

// Quiet reports whether the connection, on which no request is unanswered, can
// carry another one: it has not failed, and nothing has come, the end included.
func (r *ResponseConn) Quiet() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quiet() == nil
}

// quiet returns why the connection must not carry another request, or nil. The
// caller holds mu.
func (r *ResponseConn) quiet() error {
	if r.in.err != nil {
		return r.in.err
	}
	if r.broken || r.closed {
		return errEnded
	}
	switch beginning, ended := r.socket.look(); {
	case len(beginning) > 0:
		r.unsolicited(beginning)
	case ended:
		r.in.err = errEnded
	}
	return r.in.err
}

// unsolicited notes that something has come that nobody has asked for. A 408 is
// no news: it says why an idle connection is closed (RFC 9110 §15.5.9). The
// caller holds mu.
func (r *ResponseConn) unsolicited(beginning []byte) {
	r.in.err = ErrUnsolicited
	timeout := bytes.HasPrefix(beginning, []byte("HTTP/1.")) && bytes.HasPrefix(beginning[min(len("HTTP/1.x"), len(beginning)):], []byte(" 408"))
	if r.noticed != nil && !timeout {
		r.noticed()
	}
}

// Broken reports whether the connection has failed or come to its end, other
// than by being closed here.
func (r *ResponseConn) Broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken || r.in.err != nil
}

// Passed returns how much the connection has carried so far.
func (r *ResponseConn) Passed() Passed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.passed
}

// Write implements [net.Conn].
func (r *ResponseConn) Write(p []byte) (int, error) {
	if err := r.beforeWrite(p); err != nil {
		return 0, err
	}
	n, err := r.write(p)
	if r.afterWrite(n, err) {
		r.awaitSilence()
	}
	return n, r.cause(err)
}

// cause returns why a write failed. Whoever reads closes the connection when that
// fails, and may come before whoever writes: that it is closed here says nothing.
func (r *ResponseConn) cause(err error) error {
	if !errors.Is(err, net.ErrClosed) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return r.ended
	}
	return err
}

// beforeWrite takes the last look before a further request is sent: what comes
// from here on may be its answer.
func (r *ResponseConn) beforeWrite(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in.in == idle && r.out.in == beforeRequest && r.out.begun > 0 {
		if err := r.quiet(); err != nil {
			return err
		}
	}
	if !r.in.switched() {
		r.out.follow(p)
	}
	return nil
}

// afterWrite reports whether an answer may come though err says that nothing can
// be sent any more.
func (r *ResponseConn) afterWrite(n int, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed.Sent += int64(n)
	r.broken = r.broken || err != nil && !r.closed
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !r.in.switched()
}

func (r *ResponseConn) write(p []byte) (int, error) {
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
func (r *ResponseConn) answered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.inBody() || r.in.in == unread
}

// lastWords is how long a response may take to begin to arrive when its
// connection can no more be written to. Linux says at once that nothing comes.
const lastWords = 5 * time.Second

// awaitSilence returns when there is nothing to be read any more, or nobody
// reads: net/http gives up reading when a write fails, also amid a response.
func (r *ResponseConn) awaitSilence() {
	if !clock.Await(context.Background(), r.silent, lastWords) && r.answered() {
		<-r.silent
	}
}

// Read implements [net.Conn].
func (r *ResponseConn) Read(p []byte) (int, error) {
	for {
		if err := r.beforeRead(); err != nil {
			r.fallSilent(err)
			return 0, err
		}
		n, err := r.Conn.Read(p)
		n = r.follow(p[:n], err)
		if err != nil {
			r.fallSilent(err)
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// fallSilent notes that nothing is read any more, and why: because of err, or
// because the connection is closed here.
func (r *ResponseConn) fallSilent(err error) {
	r.ending.Do(func() {
		r.mu.Lock()
		r.ended = err
		r.mu.Unlock()
		close(r.silent)
	})
}

// beforeRead waits, while no request is unanswered, until something has come or
// a request is answered. It reads nothing itself, so that the look before a
// request sees all that came before it. Of what comes over TLS only reading tells
// whether it is content: a server may send tickets when it likes (RFC 8446 §4.6.1).
func (r *ResponseConn) beforeRead() error {
	if waits, err := r.idle(); !waits || err != nil {
		return err
	}
	r.socket.await()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in.in == idle && !r.socket.isOpaque() {
		return r.quiet()
	}
	return r.in.err
}

func (r *ResponseConn) idle() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.in == idle, r.in.err
}

func (r *ResponseConn) follow(p []byte, err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = r.broken || err != nil && !r.closed && !errors.Is(err, os.ErrDeadlineExceeded)
	r.passed.Received += int64(len(p))
	n := r.in.follow(p)
	if rest := r.in.surplus; len(rest) > 0 {
		r.in.surplus = nil
		r.unsolicited(rest)
	}
	if r.in.in == idle && r.out.inBody() && r.in.err == nil {
		// It may go on, or never be sent (RFC 9110 §10.1.1): where the next request
		// begins cannot be told any more, so there must be none.
		r.in.err = errUnfinished
	}
	return n
}

// Close implements [net.Conn].
func (r *ResponseConn) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.fallSilent(nil)
	return r.Conn.Close()
}

// Options returns the lines of Connection in the latest header of a response on
// conn and in those of the interim responses before it, but for those that say no
// more than whether the connection stays open; none of a connection that is not
// from [Responses].
func Options(conn net.Conn) []string {
	r, ok := conn.(*ResponseConn)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.head.options
}

// CloseWrite ends the sending direction, as of an upgraded connection.
func (r *ResponseConn) CloseWrite() error { return closeWrite(r.Conn) }
