package policy

import (
	"net/http"
	"slices"

	"spangate/handler/field"
)

// Unname returns a wrapper that removes from requests the fields of these names, which
// are canonical, whether they are written with - or _; nil for none. It is for doors
// beside others that vouch for what these fields say, to the same backends.
func Unname(names []string) func(http.Handler) http.Handler {
	if len(names) == 0 {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name := range r.Header {
				if slices.Contains(names, field.Canonical(name)) {
					delete(r.Header, name)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
