package handler

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/balancer/framing"
)

// Flush exports telemetry while requests are in flight, for platforms that stop
// the CPU between them: there a timer is as good as none.
type Flush struct {
	// Export begins to deliver what waits, and returns a function that waits for
	// the end of it or of its context; nil when nothing is to be delivered. It
	// is safe for concurrent use.
	Export func() (wait func(context.Context))

	// Budget bounds how long a request that has been answered is held.
	Budget time.Duration
}

// InRequests returns a link that has telemetry exported when a request comes
// and when it ends, unless others are in flight, which leave the CPU to the
// ordinary schedule. Nothing is delivered later than by the end of the next
// request.
//
// No answer waits for it. An export runs beside the first request that comes
// after a pause; the last one that ends is held for the budget at most, and only
// once its client has every byte of the answer and until it asks for more. An
// answer without a Content-Length, or over HTTP/2, has no end before its
// handler's: then nobody is held, and what it left is delivered with the next.
//
// The link belongs around all others. It is nil when f has no Export.
func (f Flush) InRequests() Link {
	link := Link{Name: "flush"}
	if f.Export == nil {
		return link
	}
	var inFlight atomic.Int64
	link.Wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if inFlight.Add(1) == 1 {
				f.Export()
			}
			answered := false
			defer func() {
				if inFlight.Add(-1) > 0 {
					return
				}
				if wait := f.Export(); wait != nil && answered {
					f.hold(w, r, wait)
				}
			}()
			next.ServeHTTP(w, r)
			answered = true
		})
	}
	return link
}

// hold waits while the client of r has nothing to wait for.
func (f Flush) hold(w http.ResponseWriter, r *http.Request, wait func(context.Context)) {
	conn, _ := r.Context().Value(connKey{}).(*framing.Conn)
	if conn == nil || r.ProtoMajor == 2 || w.Header().Get("Content-Length") == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Budget)
	defer cancel()
	if conn.OnNext(cancel) && http.NewResponseController(w).Flush() == nil {
		wait(ctx)
	}
}
