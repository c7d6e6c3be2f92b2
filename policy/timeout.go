package policy

import (
	"context"
	"net/http"
	"time"

	"spangate/handler/field"
)

// Timeout returns a wrapper that gives each request a deadline, retries and body
// included: d from now, or sooner where its client says that it waits no longer
// (grpc-timeout, Connect-Timeout-Ms). Without either, d being 0, it has none.
// Nothing is buffered: what happens when the deadline passes is for whoever heeds
// the request's context to say.
func Timeout(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limit := d
			asked, asks := field.Timeout(r.Header)
			if asks && (limit == 0 || asked < limit) {
				limit = asked
			}
			if limit == 0 && !asks {
				next.ServeHTTP(w, r)
				return
			}
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
