package balancer

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-retry"

	"spangate/handler/clock"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/field"
)

// RetryConfig says when a failed attempt is followed by another one. The zero
// value never tries again.
type RetryConfig struct {
	Attempts   int            `env:"RETRY_ATTEMPTS" envDefault:"2" min:"0" zero:"none" doc:"further attempts after the first, at other backends while there are; 0 turns retries off"`
	On         Conditions     `env:"RETRY_ON" envDefault:"connect,502,503,504" list:"true" needs:"RETRY_ATTEMPTS" doc:"failures to try again: connect, reset, timeout, status codes, of which 502 and 504 also mean the failures that are answered with them, or grpc:NAME with a status of gRPC, such as grpc:unavailable, of an answer that is all header or has Content-Length: 0"`
	Backoff    time.Duration  `env:"RETRY_BACKOFF" envDefault:"25ms" min:"0" needs:"RETRY_ATTEMPTS" within:"RETRY_MAX_BACKOFF" doc:"wait before a backend that was tried already is tried again; doubles each time"`
	MaxBackoff time.Duration  `env:"RETRY_MAX_BACKOFF" envDefault:"1s" min:"0" needs:"RETRY_ATTEMPTS" doc:"longest such wait, also where a backend's Retry-After asks for one"`
	Budget     config.Percent `env:"RETRY_BUDGET" envDefault:"20%" needs:"RETRY_ATTEMPTS" doc:"most retries, as a share of all requests"`
	BodyLimit  config.Bytes   `env:"RETRY_BODY_LIMIT" envDefault:"64KiB" min:"0" needs:"RETRY_ATTEMPTS|MIRROR_BACKENDS" doc:"largest body that is kept to be sent again, or copied to MIRROR_BACKENDS"`
	TryTimeout TryTimeout     `env:"RETRY_TRY_TIMEOUT" envDefault:"auto" within:"REQUEST_TIMEOUT" zero:"no limit" doc:"longest wait for one attempt's response, while the client owes no part of the request, and with BACKEND_MAX_CONNECTIONS from when it has a connection; auto is a third of BACKEND_RESPONSE_TIMEOUT, which makes 10s, for a request that can then be tried again at another backend, and no limit for others; 0 sets none"`
}

// RetryDecision says that another attempt is made.
type RetryDecision struct {
	Attempt int           // its number, from 1 for the first retry
	Reason  string        // why the one before has failed: an error type or a status
	Delay   time.Duration // until it is made
}

// StopReason names why no further attempt is made.
type StopReason string

// The reasons.
const (
	StopSuccess            StopReason = "success"             // nothing to try again
	StopMaxAttempts        StopReason = "max_attempts"        // RETRY_ATTEMPTS are made
	StopBudgetExhausted    StopReason = "budget_exhausted"    // RETRY_BUDGET is spent
	StopDeadline           StopReason = "deadline"            // the request's own comes first, or all waits together reach BACKEND_RESPONSE_TIMEOUT
	StopNotIdempotent      StopReason = "not_idempotent"      // a backend may have acted on it
	StopBodyNotReplayable  StopReason = "body_not_replayable" // more of the body was read than is kept
	StopPushback           StopReason = "pushback"            // the backend asks for no other, or for one that is later than RETRY_MAX_BACKOFF
	StopNoOtherBackend     StopReason = "no_other_backend"    // none may be used any more
	StopClientDisconnected StopReason = "client_disconnected" // nobody waits for it
	StopShutdown           StopReason = "shutdown"            // the proxy stops
)

// Wait waits for d.Delay or until ctx is done, and returns ctx's error then.
type Wait func(ctx context.Context, d RetryDecision) error

func wait(ctx context.Context, d RetryDecision) error { return clock.Sleep(ctx, d.Delay) }

// Retrier is the RoundTripper that [Retry] returns.
type Retrier struct {
	pool    *Pool // of first attempts
	further *Pool // of all others; the same one, but for a canary's
	cfg     RetryConfig
	wait    Wait
	budget  *budget
	between atomic.Int64 // requests of which an attempt has failed and no other one is under way
}

// Retry returns a RoundTripper that sends a request to a backend of the pool,
// and to another one when that fails in a way that RETRY_ON lists, the request
// can be repeated, and budget and deadline allow. It can be repeated when no
// byte of it has reached a backend, or when its method is idempotent (RFC 9110
// §9.2.2) or it carries an Idempotency-Key, and its body is kept. All calls of gRPC have
// one method, which says nothing: those that are answered with a code that RETRY_ON
// lists can be repeated, as whoever lists it says.
//
// Whoever was waited for in vain is not asked again: a time-out is followed by an
// attempt at a backend that was not tried yet, or by none. So is an attempt that
// failed because this process lacks descriptors, ports or memory, which would
// fail again at once. Another backend may still be reached: over a connection
// that is kept, or as ports are counted for each address. Nobody waits for better
// times, as whoever waits keeps what is lacking. Where there was no token for a backend,
// those for which there is none either are not asked.
//
// Each attempt owns its request: RoundTrippers below may change it. The body of
// the request must survive Close, which net/http calls when a dial fails.
//
// It is done by cfg in place of what the pool was made with: pools are shared by routes,
// which try again each in its own way.
func Retry(cfg RetryConfig, pool *Pool) *Retrier {
	t := &Retrier{pool: pool, further: pool, cfg: cfg, wait: wait}
	if decorate := pool.hooks.RetryWait; decorate != nil {
		t.wait = decorate(wait)
	}
	t.budget = newBudget(t.cfg.Budget, t.inFlight)
	return t
}

// inFlight returns how many retries the requests may take at most that are at a
// backend, or failed there and are not given up. One whose failed response is
// still open while it is decided what to do counts as both.
func (t *Retrier) inFlight() int64 {
	n := t.between.Load()
	for _, b := range t.pool.Members() {
		n += b.Active()
	}
	return n * int64(t.cfg.Attempts)
}

// BudgetLeft returns how many retries may be made now.
func (t *Retrier) BudgetLeft() float64 { return t.budget.left() }

// RoundTrip implements [http.RoundTripper].
func (t *Retrier) RoundTrip(r *http.Request) (*http.Response, error) { return t.send(r, nil, nil) }

// evidence is told how an attempt at r went, r being what was sent, if that tells
// anything about the backend. It is called concurrently.
type evidence func(r *http.Request, o Outcome, began time.Time)

// send is RoundTrip. first, if not nil, is told of the first attempt, further of the
// others.
func (t *Retrier) send(r *http.Request, first, further evidence) (*http.Response, error) {
	b, err := t.pool.pick(r)
	if err != nil {
		t.stop(r.Context(), StopNoOtherBackend)
		return nil, err
	}
	t.budget.request()
	if r.Body == http.NoBody {
		r.Body = nil // no wrapping below makes a body of it, which would have to be sent
	}
	// By value: nothing is allocated for a retry that does not happen.
	was := original{r.Context(), r.Host, *r.URL, r.Body, r.Trailer}
	var body *replay
	if was.body != nil && t.cfg.Attempts > 0 {
		body = &replay{source: was.body, limit: int64(t.cfg.BodyLimit)}
		r.Body = body.view()
	}
	try, resp, outcome := t.try(b, r, t.tryLimit(r, body, b, 0, nil, 0), first)
	if !t.failed(outcome) {
		t.stop(was.ctx, stopOf(outcome.Err))
		return t.answered(r, resp, outcome, b)
	}
	return t.again(r, was, body, b, try.took(), resp, outcome, further)
}

// original is what an attempt may change of a request.
type original struct {
	ctx     context.Context
	host    string
	url     url.URL
	body    io.ReadCloser
	trailer http.Header // that is filled when the body ends
}

// again makes the further attempts at a request whose first one has failed,
// after so long. was is the request before it.
func (t *Retrier) again(r *http.Request, was original, body *replay, first *Backend, waited time.Duration, resp *http.Response, outcome Outcome, told evidence) (*http.Response, error) {
	t.between.Add(1)
	defer t.between.Add(-1)
	backoff := t.backoff()
	tried := []*Backend{first}
	var inVain []*Backend            // of those: not to be asked again
	asked := *r.WithContext(was.ctx) // what the first attempt made of it is that attempt's
	asked.Host, asked.URL, asked.Trailer = was.host, &was.url, was.trailer
	for attempt := 1; ; attempt++ {
		if onlyElsewhere(outcome.Err) {
			inVain = append(inVain, tried[len(tried)-1])
		}
		if alike := t.further.alike(tried[len(tried)-1], outcome.Err); alike != nil {
			inVain, tried = append(inVain, alike...), append(alike, tried...)
		}
		b, decision, stop := t.decide(&asked, attempt, tried, inVain, waited, backoff, body, resp, outcome)
		if stop != "" {
			t.stop(was.ctx, stop)
			return t.answered(r, resp, outcome, tried[len(tried)-1])
		}
		if resp != nil {
			// Unread: of a short one its first bytes were all, and its connection can
			// serve again; more could be long in coming.
			resp.Body.Close()
		}
		if err := t.wait(was.ctx, decision); err != nil {
			e := fault.Of(was.ctx, err)
			t.stop(was.ctx, stopOf(e))
			return nil, e
		}
		waited += decision.Delay
		limit := t.tryLimit(&asked, body, b, attempt, tried, waited)
		tried = append(tried, b)
		next, at := asked, was.url
		next.URL, next.Header, next.Body = &at, r.Header.Clone(), was.body
		if body != nil {
			next.Body = body.view()
		}
		t.between.Add(-1)
		var try *try
		try, resp, outcome = t.try(b, &next, limit, told)
		t.between.Add(1)
		if !t.failed(outcome) {
			t.stop(was.ctx, stopOf(outcome.Err))
			return t.answered(r, resp, outcome, b)
		}
		waited += try.took()
	}
}

// answered returns what r is answered with, which b gave.
func (t *Retrier) answered(r *http.Request, resp *http.Response, outcome Outcome, b *Backend) (*http.Response, error) {
	if outcome.Err != nil {
		return nil, outcome.Err
	}
	b.pool.sticky.bind(r, resp, b)
	return resp, nil
}

// failed reports whether an attempt that ended like this may be followed by
// another one.
func (t *Retrier) failed(o Outcome) bool {
	return t.cfg.On.match(o) || t.cfg.On.connect && o.Err != nil && (o.Err.Type == fault.Overloaded || o.Err.Type == fault.IdentityError)
}

// onlyElsewhere reports whether the backend of an attempt that failed with e is
// no choice for a later one.
func onlyElsewhere(e *fault.Error) bool {
	return e != nil && (e.Type == fault.ResponseTimeout || e.Type == fault.ConnectTimeout || e.Type == fault.Overloaded || e.Type == fault.IdentityError)
}

// decide says who is asked next, or why nobody is.
func (t *Retrier) decide(r *http.Request, attempt int, tried, inVain []*Backend, waited time.Duration, backoff retry.Backoff, body *replay, resp *http.Response, outcome Outcome) (*Backend, RetryDecision, StopReason) {
	d := RetryDecision{Attempt: attempt, Reason: outcome.why().ErrorType()}
	switch {
	case r.Context().Err() != nil:
		return nil, d, stopOf(fault.Of(r.Context(), r.Context().Err()))
	case attempt > t.cfg.Attempts:
		return nil, d, StopMaxAttempts
	case outcome.sent() && !idempotent(r) && !t.cfg.On.lists(outcome.Code):
		return nil, d, StopNotIdempotent
	case body != nil && resp != nil && body.waiting(): // an answer is at hand, the client may be long
		return nil, d, StopBodyNotReplayable
	case body != nil && !body.replayable():
		return nil, d, StopBodyNotReplayable
	}
	pushback := pushback(resp)
	if pushback < 0 || pushback > t.cfg.MaxBackoff {
		return nil, d, StopPushback
	}
	avoid := tried
	if len(inVain) > 0 && !t.further.hasOther(nil, tried) {
		if avoid = inVain; !t.further.hasOther(nil, inVain) {
			return nil, d, StopNoOtherBackend
		}
	}
	b, err := t.further.pick(r, avoid...)
	if err != nil {
		return nil, d, StopNoOtherBackend
	}
	if slices.Contains(tried, b) {
		d.Delay, _ = backoff.Next()
		if after := retryAfter(resp); after > t.cfg.MaxBackoff {
			return nil, d, StopNoOtherBackend // and this one does not want to be asked
		} else if after > d.Delay {
			d.Delay = after
		}
	}
	d.Delay = max(d.Delay, pushback)
	if deadline, ok := r.Context().Deadline(); ok && time.Until(deadline) <= d.Delay {
		return nil, d, StopDeadline
	}
	if limit := t.pool.cfg.ResponseTimeout; limit > 0 && waited+d.Delay >= limit {
		return nil, d, StopDeadline
	}
	if !t.budget.take() {
		return nil, d, StopBudgetExhausted
	}
	return b, d, ""
}

func (t *Retrier) backoff() retry.Backoff {
	if t.cfg.Backoff <= 0 {
		return retry.BackoffFunc(func() (time.Duration, bool) { return 0, false })
	}
	backoff := retry.NewExponential(t.cfg.Backoff)
	if t.cfg.MaxBackoff > 0 {
		backoff = retry.WithCappedDuration(t.cfg.MaxBackoff, backoff)
	}
	return retry.WithJitterPercent(50, backoff)
}

func (t *Retrier) stop(ctx context.Context, reason StopReason) {
	if stopped := t.pool.hooks.RetryStopped; stopped != nil {
		stopped(ctx, reason)
	}
}

// stopOf returns what e, no failure to try again, means.
func stopOf(e *fault.Error) StopReason {
	switch {
	case e == nil:
		return StopSuccess
	case e.Type == fault.Timeout:
		return StopDeadline
	case e.Type == fault.Shutdown:
		return StopShutdown
	case e.Type == fault.IdentityError:
		return StopSuccess
	case e.Blameless():
		return StopClientDisconnected
	}
	return StopSuccess
}

// idempotent reports whether r may be repeated though a backend has acted on it.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete, "QUERY":
		return true
	}
	return r.Header["Idempotency-Key"] != nil
}

// pushback returns how long a server of gRPC asks its clients to wait before they try
// again, wherever that is, or less than zero for it asks them not to (gRFC A6).
func pushback(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	lines := resp.Trailer["Grpc-Retry-Pushback-Ms"]
	if len(lines) == 0 {
		lines = resp.Header["Grpc-Retry-Pushback-Ms"]
	}
	if len(lines) == 0 {
		return 0
	}
	ms, err := strconv.ParseUint(lines[0], 10, 31)
	if err != nil {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// retryAfter returns how long the backend asks to be left alone.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	return field.RetryAfter(resp.Header)
}
