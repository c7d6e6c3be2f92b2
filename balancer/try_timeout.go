package balancer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
	"spangate/handler/wire"
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
// another, where a response may take so long; 0: as long as it takes.
func (c *RetryConfig) autoTryTimeout(response time.Duration) time.Duration {
	if c.Attempts == 0 || !c.On.timeouts() {
		return 0
	}
	return response / 3
}

// tryLimit is how long an attempt may wait for its response.
type tryLimit struct {
	wait time.Duration // 0 leaves it to the transport

	// What has to be looked at then: whether there is anything to be gained by giving
	// up. Without a retrier there is.
	retrier *Retrier
	body    *replay
	backend *Backend
	tried   []*Backend
}

// worth reports whether there is anything to be gained by giving up.
func (l *tryLimit) worth() bool {
	if l.retrier == nil {
		return true
	}
	return (l.body == nil || !l.body.waiting() && l.body.replayable()) && l.retrier.further.hasOther(l.backend, l.tried) && l.retrier.budget.left() >= 1
}

// tryLimit returns the limit of an attempt at r, of whose body so much is kept:
// the one at b, the attempt-th after the first, for which others have waited
// already.
func (t *Retrier) tryLimit(r *http.Request, body *replay, b *Backend, attempt int, tried []*Backend, waited time.Duration) tryLimit {
	limit := tryLimit{wait: time.Duration(max(t.cfg.TryTimeout, 0))}
	if t.cfg.TryTimeout == TryAuto && attempt < t.cfg.Attempts && idempotent(r) && t.further.hasOther(b, tried) {
		limit = tryLimit{wait: t.cfg.autoTryTimeout(t.pool.cfg.ResponseTimeout), retrier: t, body: body, backend: b, tried: tried}
	}
	if all := t.pool.cfg.ResponseTimeout; attempt > 0 && all > 0 {
		if left := max(all-waited, 1); limit.wait == 0 || left < limit.wait {
			limit = tryLimit{wait: left}
		}
	}
	return limit
}

// try makes one attempt. When limit passes without the beginning of a response, the
// attempt fails. told, if not nil, is told how it went.
func (t *Retrier) try(b *Backend, r *http.Request, limit tryLimit, told evidence) (*try, *http.Response, Outcome) {
	try, start, queued := wire.Keep[try](r.Context()), time.Now(), t.queued()
	try.limit = limit
	if limit.wait > 0 {
		// It ends with the request at the latest: a response's body may need it
		// until then.
		try.Parent = r.Context()
		ctx := context.Context(try)
		if queued {
			// A connection may be made in the same wait; BACKEND_CONNECT_TIMEOUT bounds that.
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { try.run() }})
		}
		*r = *r.WithContext(ctx) // in place: it is the attempt's
	}
	if limit.wait == 0 || !queued {
		try.began = start // nobody else has it yet
	}
	if limit.wait > 0 && limit.wait < wire.Watched {
		try.Done() // or it would be noticed late that the time is over
	}
	if r.Body != nil {
		r.Body = &awaitedBody{r.Body, try}
	}
	resp, outcome := b.attempt(r, start, &try.body, told)
	if gaveUp := try.end(); gaveUp && resp != nil {
		resp.Body.Close()
		resp, outcome = nil, Outcome{Err: &fault.Error{Type: fault.ResponseTimeout, Sent: true, Err: errTryTimeout}}
	}
	return try, resp, outcome
}

// queued reports whether an attempt may have to wait for one of the connections
// that BACKEND_MAX_CONNECTIONS allows: its time begins when it has one.
func (t *Retrier) queued() bool { return t.pool.cfg.MaxConnections > 0 }

// try is one attempt with all that it needs, in one piece of memory. It counts how
// long the attempt waits, and gives it up when that is as long as its limit. Where
// there is one it is the attempt's context: there is a timer while somebody waits for
// the end of that, as whoever gets his answer at once does not.
type try struct {
	clock.Context
	limit tryLimit
	body  followedBody

	mu      sync.Mutex
	began   time.Time     // since when it runs; zero: it stands still
	waited  time.Duration // before
	awaited bool          // somebody waits for the end of the context
	timer   *time.Timer   // nil while it stands still, or nobody waits
	ended   bool
	gaveUp  bool
}

// Done implements [context.Context].
func (t *try) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.awaited {
		t.awaited = true
		t.arm()
	}
	return t.Context.Done()
}

// arm starts the timer where there has to be one. The caller holds mu.
func (t *try) arm() {
	if t.awaited && !t.ended && !t.began.IsZero() {
		t.timer = time.AfterFunc(t.limit.wait-time.Since(t.began), t.expire)
	}
}

func (t *try) run() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || !t.began.IsZero() {
		return
	}
	t.began = time.Now()
	t.arm()
}

func (t *try) expire() {
	if !t.limit.worth() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && !t.began.IsZero() {
		t.gaveUp = true
		t.Cancel(&fault.Error{Type: fault.ResponseTimeout, Sent: true, Err: errTryTimeout})
	}
}

func (t *try) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
}

// end stops the timer for good, and reports whether it has given up.
func (t *try) end() (gaveUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.ended = true
	return t.gaveUp
}

// took returns for how long the attempt, which has just ended, has waited for the
// backend: the time in which the client owes a part of the request's body is not the
// backend's. Nobody has to know it of the last attempt.
func (t *try) took() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	return t.waited
}

// stop lets the timer stand still. The caller holds mu.
func (t *try) stop() {
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
	timer *try
}

func (b *awaitedBody) Read(p []byte) (int, error) {
	b.timer.pause()
	defer b.timer.run()
	return b.ReadCloser.Read(p)
}
