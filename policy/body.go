package policy

import (
	"net/http"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/wire"
)

// MaxBody returns a wrapper that refuses request bodies of more than limit
// bytes, or nil when limit is 0. A body whose length is declared is refused
// before anything is forwarded; of any other, reading fails with an
// [http.MaxBytesError] once it passes the limit.
func MaxBody(limit config.Bytes, refuse Refuse) func(http.Handler) http.Handler {
	if limit == 0 {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > int64(limit) {
				wire.EndConnection(w, r) // the body stays unread
				refuse(w, r, fault.Refusal{Policy: "body", Reason: "too_large", Status: fault.BodyTooLarge.Status(), Type: fault.BodyTooLarge})
				return
			}
			if r.ContentLength < 0 {
				r.Body = http.MaxBytesReader(w, r.Body, int64(limit))
			}
			next.ServeHTTP(w, r)
		})
	}
}
