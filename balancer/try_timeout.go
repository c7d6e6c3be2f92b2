package balancer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// errTryTimeout ends one attempt, not the request.
var errTryTimeout = errors.New("no response within RETRY_TRY_TIMEOUT")

// try makes one attempt. When TryTimeout passes without the beginning of a
// response, it fails. The time in which the client owes a part of the request's
// body is not the backend's.
func (t *Retrier) try(b *Backend, r *http.Request) (*http.Response, error) {
	if t.cfg.TryTimeout == 0 {
		return b.RoundTrip(r)
	}
	// It ends with the request at the latest: a response's body may need it
	// until then.
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := &tryTimer{limit: t.cfg.TryTimeout, giveUp: func() { cancel(errTryTimeout) }}
	if t.cfg.Queued {
		// net/http dials in the same wait; BACKEND_CONNECT_TIMEOUT bounds that.
		r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { timer.run() }}))
	} else {
		timer.run()
		r = r.WithContext(ctx)
	}
	if r.Body != nil {
		r.Body = &awaitedBody{r.Body, timer}
	}
	resp, err := b.RoundTrip(r)
	if timer.end() && err == nil {
		resp.Body.Close()
		return nil, &Error{Type: ResponseTimeout, Sent: true, Err: errTryTimeout}
	}
	return resp, err
}

// tryTimer gives an attempt up when it has run for as long as limit.
type tryTimer struct {
	limit  time.Duration
	giveUp func()

	mu    sync.Mutex
	timer *time.Timer // nil while it stands still
	ended bool
}

func (t *tryTimer) run() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.timer == nil {
		t.timer = time.AfterFunc(t.limit, t.giveUp)
	}
}

func (t *tryTimer) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.timer != nil && t.timer.Stop() {
		t.timer = nil
	}
}

// end stops the timer for good, and reports whether it has given up.
func (t *tryTimer) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.timer != nil && !t.timer.Stop()
}

// awaitedBody is a request's body for which the timer stands still while the
// client is waited for.
type awaitedBody struct {
	io.ReadCloser
	timer *tryTimer
}

func (b *awaitedBody) Read(p []byte) (int, error) {
	b.timer.pause()
	defer b.timer.run()
	return b.ReadCloser.Read(p)
}
