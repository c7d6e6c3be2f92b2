package handler

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Flush exports telemetry while requests are in flight, for platforms that stop
// the CPU between them: there a timer is as good as none.
type Flush struct {
	// Export begins to deliver what waits, and returns a function that waits
	// until that is on its way or its context is done; nil when nothing is to be
	// delivered. It is safe for concurrent use.
	Export func() (wait func(context.Context))

	// Budget bounds how long a request that has been answered is held.
	Budget time.Duration
}

// InRequests returns a link that has telemetry exported when a request comes
// and when it ends, unless others are in flight, which leave the CPU to the
// ordinary schedule. Nothing is delivered later than by the end of the next
// request, if Budget is enough for it.
//
// No byte of an answer waits for it. An export runs beside the first request
// that comes after a pause. The last one that ends is held for the budget at
// most, and only once its client has every byte of the answer and until it asks
// for more. An answer without a Content-Length, or over HTTP/2, has no end before
// its handler's. Its client is not made to wait for what this request left, which
// the next one delivers; but it does wait for that end, as long as the export
// that began with it goes on: else a row of quick answers would deliver nothing.
// A client that waits for long, a quarter of the budget, is the last one for a
// minute: the collector is slow or away.
//
// The link belongs around all others. It is nil when f has no Export.
func (f Flush) InRequests() Link {
	link := Link{Name: "flush"}
	if f.Export == nil {
		return link
	}
	var inFlight atomic.Int64
	var begun atomic.Pointer[func(context.Context)] // by the first request after a pause
	var waiting atomic.Bool                         // a client does, for what was begun
	var long atomic.Pointer[time.Time]              // when one last waited for long
	link.Wrap = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if conn := connOf(r); conn != nil {
				conn.Handling()
			}
			if inFlight.Add(1) == 1 {
				wait := f.Export()
				begun.Store(&wait)
			}
			answered := false
			defer func() {
				if inFlight.Add(-1) > 0 {
					return
				}
				left, own := begun.Swap(nil), f.Export()
				switch {
				case !answered:
				case hasEnd(w, r):
					f.hold(w, r, own)
				case left != nil && !lately(long.Load()) && waiting.CompareAndSwap(false, true):
					if f.hold(w, r, *left) >= f.Budget/4 {
						now := time.Now()
						long.Store(&now)
					}
					waiting.Store(false)
				}
			}()
			next.ServeHTTP(w, r)
			answered = true
		})
	}
	return link
}

// hasEnd reports whether the client sees the end of its answer while the
// handler still runs.
func hasEnd(w http.ResponseWriter, r *http.Request) bool {
	return r.ProtoMajor == 1 && w.Header().Get("Content-Length") != ""
}

func lately(t *time.Time) bool { return t != nil && time.Since(*t) < time.Minute }

// hold waits, if there is something to wait for, while the client of r has
// every byte of the answer and asks for nothing. It returns for how long.
func (f Flush) hold(w http.ResponseWriter, r *http.Request, wait func(context.Context)) time.Duration {
	if wait == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Budget)
	defer cancel()
	// Over HTTP/2 other requests come meanwhile.
	if conn := connOf(r); r.ProtoMajor == 1 && (conn == nil || !conn.OnNext(cancel)) {
		return 0
	}
	if http.NewResponseController(w).Flush() != nil {
		return 0
	}
	start := time.Now() // the client may have taken its time
	wait(ctx)
	return time.Since(start)
}
