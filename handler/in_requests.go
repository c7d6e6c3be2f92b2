package handler

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/wire"
)

// ExportInRequests returns a wrapper that has telemetry exported when a request
// comes and when it ends, unless others are in flight, which leave the CPU to the
// ordinary schedule. It is for platforms that stop the CPU between requests: there
// a timer is as good as none. What a request leaves is on its way by the end of the
// next one, if the time that is allowed below is enough for it.
//
// export begins to deliver what waits, and returns a function that waits until that
// is on its way or its context is done; nil when nothing is to be delivered. It is
// safe for concurrent use. budget bounds how long a request that has been answered
// is held.
//
// No byte of an answer waits for it. An export runs beside the first request
// that comes after a pause. The last one that ends is held for the budget at
// most, and only once its client has every byte of the answer and until it asks
// for more. An answer without a Content-Length, or over HTTP/2, has no end before
// its handler's. Its client is not made to wait for what this request left, which
// the next one delivers; but it does wait for that end until the export that
// began with it is on its way: else a row of quick answers would deliver nothing.
// In a minute all clients together wait for no longer than the budget, one at a
// time: a collector that is slow or away is not felt.
//
// The wrapper belongs around all others. It is nil when export is.
func ExportInRequests(export func() (wait func(context.Context)), budget time.Duration) func(http.Handler) http.Handler {
	if export == nil {
		return nil
	}
	var inFlight atomic.Int64
	var begun atomic.Pointer[func(context.Context)] // by the first request after a pause
	waits := waits{most: budget}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if inFlight.Add(1) == 1 {
				wait := export()
				begun.Store(&wait)
			}
			answered := false
			defer func() {
				if inFlight.Add(-1) > 0 {
					return
				}
				left, own := begun.Swap(nil), export()
				switch {
				case !answered:
				case hasEnd(w, r):
					hold(w, r, own, budget)
				case left != nil:
					if within := waits.begin(); within > 0 {
						waits.end(hold(w, r, *left, within))
					}
				}
			}()
			next.ServeHTTP(w, r)
			answered = true
		})
	}
}

// hasEnd reports whether the client sees the end of its answer while the
// handler still runs.
func hasEnd(w http.ResponseWriter, r *http.Request) bool {
	return r.ProtoMajor == 1 && w.Header().Get("Content-Length") != ""
}

// waits are those of clients for the end of an answer. It is safe for concurrent
// use.
type waits struct {
	most time.Duration // of all in a minute

	mu      sync.Mutex
	waiting bool      // a client does
	minute  time.Time // when it began
	sum     time.Duration
}

// begin returns for how long a client may wait, who then ends it; 0: not at all.
func (w *waits) begin() (within time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.minute) >= time.Minute {
		w.minute, w.sum = now, 0
	}
	if w.waiting || w.sum >= w.most {
		return 0
	}
	w.waiting = true
	return w.most - w.sum
}

func (w *waits) end(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = false
	w.sum += took
}

// hold waits, if there is something to wait for, while the client of r has
// every byte of the answer and asks for nothing. It returns for how long.
func hold(w http.ResponseWriter, r *http.Request, wait func(context.Context), within time.Duration) time.Duration {
	if wait == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(r.Context(), within)
	defer cancel()
	// Over HTTP/2 other requests come meanwhile.
	if r.ProtoMajor == 1 && !wire.OnNext(r, cancel) {
		return 0
	}
	if http.NewResponseController(w).Flush() != nil {
		return 0
	}
	start := time.Now() // the client may have taken its time
	wait(ctx)
	return time.Since(start)
}
