package policy

import (
	"context"
	"net/http"
	"time"
)

// Timeout returns a wrapper that gives each request a deadline, retries and
// body included, or nil when d is 0. Nothing is buffered: what happens when the
// deadline passes is for whoever heeds the request's context to say.
func Timeout(d time.Duration) func(http.Handler) http.Handler {
	if d == 0 {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
