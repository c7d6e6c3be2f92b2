package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
	"spangate/handler/wire/http1"
)

const (
	// headGrace is how long the head of a request waits for the first of its content,
	// to go in one write with it.
	headGrace = 2 * time.Millisecond
	// continueGrace is how long a request with Expect waits for the 100 (RFC 9110
	// §10.1.1).
	continueGrace = time.Second

	uploadPiece  = 32 << 10                       // at most, of one write
	uploadAtOnce = 8 << 10                        // any connection takes it with its head, and without a wait
	chunkRoom    = len("8000\r\n")                // for what precedes a piece
	chunkTail    = len("\r\n") + len("0\r\n\r\n") // for what follows the last one
)

// uploadMemory holds a head that is not too large, and a piece of content behind it.
type uploadMemory [headSize + chunkRoom + uploadPiece + chunkTail]byte

var uploadMemories = sync.Pool{New: func() any { return new(uploadMemory) }}

// upload is the content of a request on its way over HTTP/1.1. Little of it that has
// come whole goes with the head; else a goroutine of its own sends it, as the backend
// may answer before it has all, and ends with it. That may be after the exchange: a
// client can be slow, and heeds no context. Then it neither writes nor touches anything
// of the exchange any more.
//
// A nil upload is that of a request without content.
type upload struct {
	x       *exchange
	body    io.ReadCloser
	left    int64 // of the content; -1: nobody knows
	memory  *uploadMemory
	expects chan struct{} // not nil: is closed when the backend wants the content
	running sync.WaitGroup

	mu       sync.Mutex
	head     int  // bytes of the head that wait in memory for the first of the content
	last     bool // all has been read, and is being written
	ended    bool
	complete bool  // it has been sent
	closed   bool  // nobody wants it any more
	err      error // why it could not be read
	wrote    error // why it could not be written
}

// newUpload returns the content of x's request.
func newUpload(x *exchange) *upload {
	u := &upload{x: x, body: x.r.Body, left: x.r.ContentLength}
	if u.left == 0 {
		u.left = -1
	}
	return u
}

// begin sends the head, together with the first of the content if that is there soon,
// and starts to send the rest.
func (u *upload) begin() error {
	x := u.x
	u.memory = uploadMemories.Get().(*uploadMemory)
	head, err := http1.AppendRequest(u.memory[:0], x.r, u.left)
	if err != nil {
		x.untouched = true
		return err
	}
	if expectsContinue(x.r.Header) {
		u.expects = make(chan struct{})
	}
	small := len(head) <= headSize
	if u.expects == nil && small && u.isAtHand() {
		u.head = len(head)
		x.begin(unwatched, nil, 0)
		u.run()
		return nil
	}
	if u.expects == nil && small {
		u.head = len(head)
		x.begin(headGrace, u.flush, 0)
	} else {
		x.begin(unwatched, nil, 0)
		if err := x.write(head); err != nil {
			return x.sentInPart(err)
		}
	}
	u.running.Go(u.run)
	return nil
}

// isAtHand reports whether it is short, and to read it is to wait for nobody.
func (u *upload) isAtHand() bool {
	if u.left < 0 || u.left > uploadAtOnce {
		return false
	}
	asked := exchangeOf(u.x.r.Context())
	return asked != nil && asked.bodyCame()
}

func expectsContinue(header http.Header) bool {
	lines := header["Expect"]
	return len(lines) > 0 && strings.EqualFold(lines[0], "100-continue")
}

// flush sends the head without content, if it still waits for some.
func (u *upload) flush() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := u.head; n > 0 {
		u.head = 0
		u.wrote = u.x.write(u.memory[:n])
	}
}

// run sends the content.
func (u *upload) run() {
	sent := false
	if u.expects == nil || clock.Await(u.x.r.Context(), u.expects, continueGrace) || u.x.r.Context().Err() == nil {
		sent = u.send()
	}
	u.mu.Lock()
	u.ended, u.complete, u.head = true, sent, 0
	u.mu.Unlock()
	uploadMemories.Put(u.memory)
	u.close()
}

// send reads and writes until the end, and reports whether it has come to that.
func (u *upload) send() bool {
	for {
		piece, last, ok := u.read()
		if !ok {
			return false
		}
		if last {
			u.x.course.isSent() // before: the backend may be quicker than Write's return
		}
		if err := u.x.write(piece); err != nil {
			u.failed(err)
			return false
		}
		if last {
			u.x.c.http1.timed.await(u.x.transport.responseTimeout)
			return true
		}
	}
}

// read returns what is to be written next, and whether it is the last of it. It
// reports false when there is no more, or nobody wants it.
func (u *upload) read() (piece []byte, last, ok bool) {
	const from = headSize + chunkRoom
	chunked := u.left < 0
	data := u.memory[from : from+uploadPiece]
	if !chunked {
		data = data[:min(u.left, uploadPiece)]
	}
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		if u.isClosed() {
			return nil, false, false
		}
		n, err = u.body.Read(data)
	}
	if !chunked {
		u.left -= int64(n)
		last = u.left == 0
	}
	switch {
	case last, chunked && err == io.EOF:
		last, err = true, nil
	case err == io.EOF:
		err = &fault.RequestBodyError{Err: fmt.Errorf("%w, %d bytes before its length", io.ErrUnexpectedEOF, u.left)}
	}
	if err != nil {
		u.broken(err)
		return nil, false, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = last
	if u.closed {
		return nil, false, false
	}
	piece, err = u.frame(n, chunked, last)
	if err != nil {
		u.err = &fault.RequestBodyError{Err: err}
		u.x.c.http1.timed.cut()
	}
	return piece, last, err == nil
}

func (u *upload) isClosed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.closed
}

// frame returns the n bytes of content that were read as they are to be written, with
// the head before if that still waits. The caller holds mu.
func (u *upload) frame(n int, chunked, last bool) ([]byte, error) {
	from := headSize + chunkRoom
	to := from + n
	if chunked && n > 0 {
		var line [chunkRoom]byte
		size := http1.AppendChunkSize(line[:0], n)
		from -= len(size)
		copy(u.memory[from:], size)
		to += copy(u.memory[to:], "\r\n")
	}
	if u.head > 0 {
		// Directly before: the head is at the beginning, with room behind it.
		from -= u.head
		copy(u.memory[from:], u.memory[:u.head])
		u.head = 0
	}
	piece := u.memory[from:to]
	if chunked && last {
		return http1.AppendLastChunk(piece, u.trailer())
	}
	return piece, nil
}

// trailer returns the fields that go behind the content: those of the names announced
// that have come. Until the content has ended they have no values.
func (u *upload) trailer() http.Header {
	var trailer http.Header
	for name, values := range u.x.r.Trailer {
		if len(values) > 0 && values[0] != "" {
			if trailer == nil {
				trailer = http.Header{}
			}
			trailer[name] = values
		}
	}
	return trailer
}

// broken notes that no more can be read, for err. There can be no answer to what has
// been sent.
func (u *upload) broken(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return // which is why
	}
	u.err = err
	u.x.c.http1.timed.cut()
}

// failed notes that no more can be written, for err. The backend may have answered
// before it closed (RFC 9112 §9.5).
func (u *upload) failed(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.wrote = err
	if timed := u.x.c.http1.timed; errors.Is(err, os.ErrDeadlineExceeded) || !u.x.sent.Load() {
		timed.cut()
	} else {
		timed.await(lastWords)
	}
}

// proceed says that the backend wants the content.
func (u *upload) proceed() {
	if u == nil || u.expects == nil {
		return
	}
	select {
	case <-u.expects:
	default:
		close(u.expects)
	}
}

// refuse says that the backend has answered: what it has not asked for yet it does not
// want.
func (u *upload) refuse() {
	if u == nil || u.expects == nil {
		return
	}
	u.mu.Lock()
	select {
	case <-u.expects:
	default:
		u.closed = true
	}
	u.mu.Unlock()
	u.proceed()
}

// owed reports whether the client may have more of it to send.
func (u *upload) owed() bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.last && !u.ended
}

// failure returns why it could not be read.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// unsent returns why it could not be written.
func (u *upload) unsent() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.wrote
}

// leave is called when the answer has come whole. It reports whether all of the content
// was sent: where the next request would begin could not be told else. The write of the
// last of it, which the backend has most often taken by then, is waited for, but not for
// long. A part that is still to come is not sent any more (RFC 9110 §10.1.1).
func (u *upload) leave() (complete bool) {
	if u == nil {
		return true
	}
	u.mu.Lock()
	ending := u.last && !u.ended && u.wrote == nil
	u.mu.Unlock()
	if ending {
		u.x.c.http1.timed.hurry()
		u.running.Wait()
	}
	u.mu.Lock()
	complete = u.complete
	u.mu.Unlock()
	u.giveUp()
	return complete
}

// giveUp ends the sending. It does not wait for a read of the content.
func (u *upload) giveUp() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.close()
	u.proceed()
}

// close closes the content.
func (u *upload) close() { u.body.Close() }
