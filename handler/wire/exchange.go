package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire/http1"
)

const (
	// maxInterim bounds how many interim responses there may be to a request.
	maxInterim = 1000
	// lastWords is how long an answer may take to begin to arrive when its connection
	// can no more be written to. Linux says at once that nothing comes.
	lastWords = 5 * time.Second
)

// exchange is one request over a connection of HTTP/1.1, and its answer, of which it
// is the content. All of it is done by the goroutine that sends the request and reads
// the answer, but that an [upload] has one of its own.
//
// Like any body it is for one reader at a time, and may be closed beside.
type exchange struct {
	transport *Transport
	c         *connection
	r         *http.Request
	course    *Course
	response  *http1.Response // memory for the answer
	upload    *upload         // nil: the request has no content
	kept      bool            // the connection, from before
	untouched bool            // so is the connection
	sent      atomic.Bool     // a part of the request may have reached the backend
	heard     bool            // something of an answer has come
	unsent    error           // why not all of the request's head could be sent

	over atomic.Bool // of the connection nothing more is used

	mu   sync.Mutex // is held while content is read
	resp *http.Response
	body http1.Body
	err  error // of the content, for good
}

// exchange sends r over c, of HTTP/1.1, once, and returns the answer when that has
// begun. Its errors are *[fault.Error].
func (t *Transport) exchange(c *connection, r *http.Request, course *Course) (*http.Response, error) {
	a := attemptFor(r.Context())
	x := &a.exchange
	x.transport, x.c, x.r, x.course, x.response, x.kept = t, c, r, course, &a.response, c.used.Load()
	err := x.send()
	if err != nil {
		return nil, x.fail(err)
	}
	// What waits here does so on a stack that should not have to grow: what comes
	// of the head is seen to further up.
	resp, framing, err := x.head()
	if err == nil {
		err = x.begun(resp, framing)
	}
	if err != nil {
		return nil, x.fail(err)
	}
	return resp, nil
}

// write writes a part of the request.
func (x *exchange) write(p []byte) error {
	first := !x.sent.Swap(true) // before: the backend may be quicker than Write's return
	n, err := x.c.http1.Write(p)
	if first && n == 0 {
		x.sent.Store(false)
	}
	return err
}

// send sends the request, or begins to.
func (x *exchange) send() error {
	h, r := x.c.http1, x.r
	if r.Body != nil && r.Body != http.NoBody {
		x.upload = newUpload(x)
	}
	if err := r.Context().Err(); err != nil {
		x.untouched = true
		return err
	}
	if !x.kept { // else somebody has looked
		if err := h.quiet(); err != nil {
			return err
		}
	}
	if x.upload != nil {
		return x.upload.begin()
	}
	memory := heads.Get().(*[headSize]byte)
	defer heads.Put(memory)
	head, err := http1.AppendRequest(memory[:0], r, 0)
	if err != nil {
		x.untouched = true
		return err
	}
	x.begin(unwatched, nil, x.transport.responseTimeout)
	if err := x.write(head); err != nil {
		return x.sentInPart(err)
	}
	x.course.isSent()
	return nil
}

// begin says that the request is under way, see [timedConn.begin].
func (x *exchange) begin(grace time.Duration, late func(), limit time.Duration) {
	now := x.c.taken // a moment ago
	if now.IsZero() {
		now = time.Now()
	}
	x.c.http1.timed.begin(x.r.Context(), now, grace, late, limit)
}

// headSize holds most heads.
const headSize = 4 << 10

var heads = sync.Pool{New: func() any { return new([headSize]byte) }}

// sentInPart returns err, why the head could not be written, unless the backend may
// have answered before it closed (RFC 9112 §9.5).
func (x *exchange) sentInPart(err error) error {
	if !x.sent.Load() || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	x.unsent = err
	x.c.http1.timed.await(lastWords)
	return nil
}

// begun takes the head of the answer, and waits for the first of its content where
// that has a length.
func (x *exchange) begun(resp *http.Response, framing http1.Framing) error {
	h := x.c.http1
	resp.Request, x.resp = x.r, resp
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return x.switched()
	}
	x.upload.refuse()
	if framing.Length == 0 && !framing.Chunked {
		resp.Body = http.NoBody
		h.timed.begun(0)
		x.finish()
		return nil
	}
	resp.Body, x.body = x, h.in.ResponseBody(framing)
	if framing.Length < 0 || framing.Chunked || h.in.Buffered() > 0 {
		// Content of unknown length may begin much later than the header, which
		// whoever asked for a stream wants to see at once.
		h.timed.begun(0)
		return nil
	}
	limit := x.transport.responseTimeout
	if x.upload.owed() {
		limit = 0 // the backend may be waiting for the client
	}
	h.timed.begun(limit)
	if err := h.in.Fill(); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.Join(errNoFirstByte, err)
		}
		return fault.OfBody(x.r.Context(), x.cause(err))
	}
	h.timed.begun(0)
	return nil
}

// head reads up to the head of the final response.
func (x *exchange) head() (*http.Response, http1.Framing, error) {
	h := x.c.http1
	for range maxInterim {
		resp, framing, err := h.in.ReadResponse(x.response, x.r.Method, maxResponseHeader)
		if err != nil {
			x.heard = x.heard || h.in.Buffered() > 0
			return nil, framing, x.cause(err)
		}
		if !x.sent.Load() {
			return nil, framing, h.surplus(nil)
		}
		x.heard = true
		if resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, framing, nil
		}
		if resp.StatusCode == http.StatusContinue {
			x.upload.proceed()
		}
		if interim := interimOf(x.r.Context()); interim != nil {
			if err := interim.Interim(resp.StatusCode, resp.Header); err != nil {
				return nil, framing, err
			}
		}
		x.response.Reset()
	}
	return nil, http1.Framing{}, http1.Malformed(fmt.Sprintf("more than %d interim responses", maxInterim))
}

// cause returns why reading has failed with err.
func (x *exchange) cause(err error) error {
	if cause := x.upload.failure(); cause != nil {
		return cause
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	switch wrote := x.upload.unsent(); {
	case x.r.Context().Err() != nil:
		return context.Cause(x.r.Context())
	case wrote != nil:
		return wrote
	case x.unsent != nil:
		return x.unsent
	}
	return err
}

// fail ends the exchange, which has failed with err.
func (x *exchange) fail(err error) *fault.Error {
	e := x.failure(err)
	if x.c.tls != nil && !x.kept {
		e = x.transport.connections.refused(x.c.tls, e)
	}
	x.upload.giveUp()
	if !x.over.Swap(true) {
		x.c.http1.timed.end()
		if !x.heard && !x.upload.owed() && !x.c.taken.IsZero() {
			x.transport.pool.doubt(x.c.taken)
		}
		x.transport.ended(x.c, x.untouched)
	}
	return e
}

// failure returns whose fault err is, for which there is no answer, and whether a part
// of the request may have reached the backend.
func (x *exchange) failure(err error) *fault.Error {
	ctx := x.r.Context()
	e := fault.Of(ctx, err)
	switch sent := x.sent.Load(); {
	case ctx.Err() != nil && !sent:
		return notSent(ctx)
	case ctx.Err() != nil || x.upload.failure() != nil:
		return e
	case sent:
		e.Kept = x.kept && !x.heard && e.Type == fault.ConnectionReset
		return e
	case x.untouched:
		return &fault.Error{Type: fault.MalformedRequest, Err: err}
	case err == errUnsolicited && !x.kept:
		return &fault.Error{Type: fault.MalformedResponse, Err: err} // it speaks first, as no server of HTTP does
	}
	return &fault.Error{Type: fault.ConnectionReset, Kept: x.kept, Err: err}
}

// Read implements [io.Reader].
func (x *exchange) Read(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return 0, x.err
	}
	n, err := x.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		x.addTrailer()
		x.finish()
	} else {
		err = x.cause(err)
		x.abandon()
	}
	x.err = err
	return n, err
}

// addTrailer adds the fields that have come to those that were announced.
func (x *exchange) addTrailer() {
	trailer := x.body.Trailer()
	if x.resp.Trailer == nil {
		x.resp.Trailer = trailer
		return
	}
	maps.Copy(x.resp.Trailer, trailer)
}

// Close implements [io.Closer]. What has come of a short answer is taken for read, so
// that the connection can serve again.
func (x *exchange) Close() error {
	if !x.mu.TryLock() {
		x.abandon() // which ends the read
		return nil
	}
	defer x.mu.Unlock()
	if x.err != nil {
		return nil
	}
	x.err = http.ErrBodyReadAfterClose
	if x.body.AtHand() {
		io.Copy(io.Discard, &x.body)
		x.finish()
	} else {
		x.abandon()
	}
	return nil
}

// abandon ends the exchange, and its connection with it.
func (x *exchange) abandon() {
	if x.over.Swap(true) {
		return
	}
	x.upload.giveUp()
	x.c.http1.timed.end()
	x.transport.ended(x.c, false)
}

// finish ends the exchange, of which all has been read that is of it.
func (x *exchange) finish() {
	if x.over.Swap(true) {
		return
	}
	h := x.c.http1
	h.timed.end()
	reusable := !x.resp.Close && !x.r.Close && x.unsent == nil
	if h.in.Buffered() > 0 {
		h.surplus(h.in.Peek())
		reusable = false
	}
	complete := x.upload.leave()
	x.transport.ended(x.c, reusable && complete)
}

// ended takes c, of HTTP/1.1, back when an exchange over it is over, or closes it.
func (t *Transport) ended(c *connection, reusable bool) {
	if !reusable || t.announced != nil {
		discard(c)
		return
	}
	c.used.Store(true)
	t.pool.giveBack(c)
}
