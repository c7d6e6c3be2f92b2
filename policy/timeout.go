package policy

import (
	"context"
	"net/http"
	"time"

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
				limited, cancel := context.WithTimeout(ctx, d)
				defer cancel()
				ctx = limited
			}
			if asked, asks := field.Timeout(r.Header); asks && (d == 0 || asked < d) {
				limited, cancel := withClientsTimeout(ctx, asked)
				defer cancel()
				ctx = limited
			}
			if ctx != r.Context() {
				r = r.WithContext(ctx)
			}
			next.ServeHTTP(w, r)
		})
	}
}

func withClientsTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(d)
	if d == 0 {
		return context.WithDeadline(ctx, deadline) // it has given up already
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(overtime))
	return lenient{ctx, deadline.Add(rounding)}, cancel
}

// lenient is a context that ends after its deadline.
type lenient struct {
	context.Context
	deadline time.Time
}

// Deadline implements [context.Context].
func (c lenient) Deadline() (time.Time, bool) { return c.deadline, true }
