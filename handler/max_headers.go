package handler

import (
	"fmt"
	"net/http"

	"spangate/handler/fault"
)

// MaxHeaders returns a wrapper that answers requests whose header has more than
// limit fields with 431. Each line counts, but several of Cookie as one over
// HTTP/2, where net/http joins them.
func MaxHeaders(limit int, failures Failures) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := 0
			for _, lines := range r.Header {
				n += len(lines)
			}
			if n > limit {
				detail := fmt.Sprintf("The header has %d fields, of which %d are accepted.", n, limit)
				failures.Refuse(w, r, fault.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: detail})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
