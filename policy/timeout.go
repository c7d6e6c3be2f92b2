package policy

import (
	"context"
	"math"
	"net/http"
	"time"

	"spangate/handler/field"
)

// overtime is how much later than its client's own deadline a request ends. The
// client has given up by then, or been told by the backend, in the words of their
// protocol, that time is over. A proxy that were as quick would come before both,
// as clients round down what they send, with an answer that is no such word.
const overtime = 100 * time.Millisecond

// Timeout returns a wrapper that gives each request a deadline, retries and body
// included: d from now, or, where its client waits for less (grpc-timeout,
// Connect-Timeout-Ms), some overtime after that. Without either, d being 0, it has
// none. Nothing is buffered: what happens when the deadline passes is for whoever
// heeds the request's context to say.
func Timeout(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limit, asks := field.Timeout(r.Header)
			if limit > 0 { // else the client has given up already
				limit += min(overtime, math.MaxInt64-limit)
			}
			switch {
			case d > 0 && (!asks || d < limit):
				limit = d
			case !asks:
				next.ServeHTTP(w, r)
				return
			}
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
