package balancer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"spangate/handler/fault"
)

// TryTimeout is how long one attempt may wait for its response. As text it is a
// duration, of which 0 sets no limit, or auto.
type TryTimeout time.Duration

// TryAuto gives an attempt a third of BACKEND_RESPONSE_TIMEOUT, so that there
// is as much left for two others, and only where there may be others: the request
// can be tried again at a backend that was not tried yet. What nobody else would
// answer is not cut short.
const TryAuto TryTimeout = -1

// UnmarshalText parses a duration, or auto.
func (t *TryTimeout) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*t = TryAuto
		return nil
	}
	d, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return errors.New("must be auto, or a duration such as 500ms, 10s or 1m30s")
	case d < 0:
		return errors.New("must be at least 0")
	}
	*t = TryTimeout(d)
	return nil
}

// MarshalText renders t as UnmarshalText reads it.
func (t TryTimeout) MarshalText() ([]byte, error) {
	if t == TryAuto {
		return []byte("auto"), nil
	}
	return []byte(time.Duration(t).String()), nil
}

// errTryTimeout ends one attempt, not the request.
const errTryTimeout = fault.Phrase("no response in the time that an attempt has")

// autoTryTimeout returns what [TryAuto] gives an attempt after which there may be
// another; 0: as long as it takes.
func (c *Config) autoTryTimeout() time.Duration {
	if c.Retry.Attempts == 0 || !c.Retry.On.timeouts() {
		return 0
	}
	return c.ResponseTimeout / 3
}

// tryLimit is how long an attempt may wait for its response.
type tryLimit struct {
	wait time.Duration // 0 leaves it to the transport
	// worth reports whether there is anything to be gained by giving up then; nil
	// is yes.
	worth func() bool
}

// tryLimit returns the limit of an attempt at r, of whose body so much is kept:
// the one at b, the attempt-th after the first, for which others have waited
// already.
func (t *Retrier) tryLimit(r *http.Request, body *replay, b *Backend, attempt int, tried []*Backend, waited time.Duration) tryLimit {
	limit := tryLimit{wait: time.Duration(max(t.cfg.TryTimeout, 0))}
	if t.cfg.TryTimeout == TryAuto && attempt < t.cfg.Attempts && idempotent(r) && t.pool.hasOther(b, tried) {
		limit.wait = t.pool.cfg.autoTryTimeout()
		limit.worth = func() bool {
			return (body == nil || !body.waiting() && body.replayable()) && t.pool.hasOther(b, tried) && t.budget.left() >= 1
		}
	}
	if all := t.pool.cfg.ResponseTimeout; attempt > 0 && all > 0 {
		if left := max(all-waited, 1); limit.wait == 0 || left < limit.wait {
			limit = tryLimit{wait: left}
		}
	}
	return limit
}

// try makes one attempt, and returns how long it has waited for the backend: the
// time in which the client owes a part of the request's body is not the
// backend's. When limit passes without the beginning of a response, the attempt
// fails.
func (t *Retrier) try(b *Backend, r *http.Request, limit tryLimit) (*http.Response, time.Duration, Outcome) {
	if limit.wait == 0 && r.Body == nil {
		began := time.Now()
		resp, outcome := b.attempt(r)
		return resp, time.Since(began), outcome
	}
	timer := &tryTimer{limit: limit}
	if limit.wait > 0 {
		// It ends with the request at the latest: a response's body may need it
		// until then.
		ctx, cancel := context.WithCancelCause(r.Context())
		timer.giveUp = cancel
		if t.queued() {
			// A connection may be made in the same wait; BACKEND_CONNECT_TIMEOUT bounds that.
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { timer.run() }})
		}
		r = r.WithContext(ctx)
	}
	if limit.wait == 0 || !t.queued() {
		timer.run()
	}
	if r.Body != nil {
		r.Body = &awaitedBody{r.Body, timer}
	}
	resp, outcome := b.attempt(r)
	waited, gaveUp := timer.end()
	if gaveUp && resp != nil {
		resp.Body.Close()
		return nil, waited, Outcome{Err: &fault.Error{Type: fault.ResponseTimeout, Sent: true, Err: errTryTimeout}}
	}
	return resp, waited, outcome
}

// queued reports whether an attempt may have to wait for one of the connections
// that BACKEND_MAX_CONNECTIONS allows: its time begins when it has one.
func (t *Retrier) queued() bool { return t.pool.cfg.MaxConnections > 0 }

// tryTimer counts how long an attempt waits, and gives it up when it has run for
// as long as its limit.
type tryTimer struct {
	limit  tryLimit
	giveUp context.CancelCauseFunc

	mu     sync.Mutex
	began  time.Time     // since when it runs; zero: it stands still
	waited time.Duration // before
	timer  *time.Timer   // nil while it stands still
	ended  bool
	gaveUp bool
}

func (t *tryTimer) run() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || !t.began.IsZero() {
		return
	}
	t.began = time.Now()
	if t.limit.wait > 0 {
		t.timer = time.AfterFunc(t.limit.wait, t.expire)
	}
}

func (t *tryTimer) expire() {
	if worth := t.limit.worth; worth != nil && !worth() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && !t.began.IsZero() {
		t.gaveUp = true
		t.giveUp(&fault.Error{Type: fault.ResponseTimeout, Sent: true, Err: errTryTimeout})
	}
}

func (t *tryTimer) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
}

// end stops the timer for good, and reports for how long it ran and whether it
// has given up.
func (t *tryTimer) end() (waited time.Duration, gaveUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	t.ended = true
	return t.waited, t.gaveUp
}

// stop lets the timer stand still. The caller holds mu.
func (t *tryTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if !t.began.IsZero() {
		t.waited += time.Since(t.began)
		t.began = time.Time{}
	}
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
