package balancer

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"
)

// Retry returns a RoundTripper that sends a request to a backend of the pool
// and, when no byte of it reached that backend, to another one. A backend is
// asked twice only when all were asked, and after a wait.
//
// Each attempt owns its request: RoundTrippers below may change it. The body of
// the request must survive Close, which net/http calls when a dial fails.
func Retry(pool *Pool, cfg RetryConfig) http.RoundTripper {
	return &retrier{pool: pool, cfg: cfg}
}

type retrier struct {
	pool *Pool
	cfg  RetryConfig
}

func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := t.pool.Pick(r)
	if err != nil {
		return nil, err
	}
	// By value: nothing is allocated for a retry that does not happen.
	host, target := r.Host, *r.URL
	resp, err := b.RoundTrip(r)
	if err == nil || t.cfg.Attempts == 0 || !retryable(err) {
		return resp, err
	}
	return t.again(r, host, target, b, err)
}

// again makes the further attempts at a request whose first one failed. host
// and target are what they were before that attempt.
func (t *retrier) again(r *http.Request, host string, target url.URL, first *Backend, err error) (*http.Response, error) {
	backoff := t.backoff()
	tried := []*Backend{first}
	for range t.cfg.Attempts {
		b, perr := t.pool.Pick(r, tried...)
		if perr != nil {
			return nil, err // the failure of an attempt says more than that none is left
		}
		if slices.Contains(tried, b) {
			wait, _ := backoff.Next()
			if werr := sleep(r.Context(), wait); werr != nil {
				return nil, Classify(r.Context(), werr)
			}
		}
		tried = append(tried, b)
		attempt, at := *r, target
		attempt.Host, attempt.URL, attempt.Header = host, &at, r.Header.Clone()
		var resp *http.Response
		if resp, err = b.RoundTrip(&attempt); err == nil || !retryable(err) {
			return resp, err
		}
	}
	return nil, err
}

func (t *retrier) backoff() retry.Backoff {
	if t.cfg.Backoff <= 0 {
		return retry.BackoffFunc(func() (time.Duration, bool) { return 0, false })
	}
	backoff := retry.NewExponential(t.cfg.Backoff)
	if t.cfg.MaxBackoff > 0 {
		backoff = retry.WithCappedDuration(t.cfg.MaxBackoff, backoff)
	}
	return retry.WithJitterPercent(50, backoff)
}

// retryable reports whether err leaves the request as it was: nothing sent,
// and the client still there.
func retryable(err error) bool {
	e := Classify(context.Background(), err)
	return !e.Sent && !e.Blameless() && e.Type != Timeout
}

// sleep waits for d or until ctx is done, and returns ctx's error then.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
