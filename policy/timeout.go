package policy

import (
	"context"
	"net/http"
	"time"

	"spangate/handler/clock"
	"spangate/handler/field"
)

// What a client that names a deadline is given on top. It gives up by itself, or
// is told by the backend, in the words of their protocol, that time is over; a
// proxy that were as quick would come before both with an answer that is no such
// word.
const (
	// rounding is added to the deadline, until when something may be begun and which
	// the backend is told: clients round down what they send.
	rounding = 10 * time.Millisecond

	// overtime is how much later the request ends, if nobody has ended it.
	overtime = 500 * time.Millisecond
)

// Timeout returns a wrapper that gives each request a deadline, retries and body
// included: d from now, or sooner where its client says that it waits no longer
// (grpc-timeout, Connect-Timeout-Ms). Without either, d being 0, it has none. At d
// the request ends, and some overtime after its client's own deadline. Nothing is
// buffered: what happens then is for whoever heeds the request's context to say.
func Timeout(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if d > 0 {
				limited := &clock.Context{Parent: ctx, End: time.Now().Add(d)}
				defer limited.Cancel(nil)
				ctx = limited
			}
			if asked, asks := field.Timeout(r.Header); asks && (d == 0 || asked < d) {
				limited := withClientsTimeout(ctx, asked)
				defer limited.Cancel(nil)
				ctx = limited
			}
			if ctx != r.Context() {
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	}
}

func withClientsTimeout(ctx context.Context, d time.Duration) *lenient {
	deadline := time.Now().Add(d)
	if d == 0 { // it has given up already
		return &lenient{Context: clock.Context{Parent: ctx, End: deadline}, deadline: deadline}
	}
	return &lenient{Context: clock.Context{Parent: ctx, End: deadline.Add(overtime)}, deadline: deadline.Add(rounding)}
}

// lenient is a context that ends after its deadline.
type lenient struct {
	clock.Context
	deadline time.Time
}

// Deadline implements [context.Context].
func (c *lenient) Deadline() (time.Time, bool) { return c.deadline, true }
