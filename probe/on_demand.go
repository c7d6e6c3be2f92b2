package probe

import (
	"context"
	"net/http"
	"time"
)

// demand is called as a request passes. When the last probe began longer than an
// interval ago, or less while there is no verdict yet, and the mode is ModeOnDemand, it
// starts one beside the request and
// returns a channel that is closed when the probe has ended, after PROBE_TIMEOUT at
// the latest; the request should not be over before. Else it returns nil, and has
// cost one atomic load.
//
// The probe has a context of its own: that a client goes away says nothing about the
// backend, and the request's is another's once that is over. Time is counted by the
// monotonic clock, and after a pause of whatever length there is one probe to make.
func (w *Watcher) demand() <-chan struct{} {
	if !w.claim() {
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.probeOnDemand(context.Background())
	}()
	return ended
}

// claim reports whether a probe is due, to one caller only.
func (w *Watcher) claim() bool {
	due := w.due.Load()
	return due != never && int64(time.Since(w.epoch)) >= due && w.due.CompareAndSwap(due, never)
}

// probeOnDemand makes the probe that was claimed. The swap of due orders it
// after the one before.
func (w *Watcher) probeOnDemand(ctx context.Context) {
	began, next := time.Since(w.epoch), w.interval
	defer func() { w.due.Store(int64(began + next)) }()
	w.probe(ctx, TriggerRequest)
	if w.verdict.is == unknown {
		next = w.confirm() // somebody may be waiting for the start to be over
	}
}

// OnDemand returns a wrapper with which each request starts the probes that are
// due and is not over before they are, so that they have the CPU where a
// platform stops it between requests. The client has its response before: what
// may come late is its end, where its length was not announced.
//
// It should be the outermost one, as a platform's own health checks can drive
// probes too, and the wait is no part of what the request took.
func OnDemand(watchers func() []*Watcher) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			var started []<-chan struct{}
			for _, w := range watchers() {
				if ended := w.demand(); ended != nil {
					started = append(started, ended)
				}
			}
			if started != nil {
				// Also when next panics, to end a response that broke off.
				defer wait(started)
			}
			upgrade := r.Header.Get("Upgrade") != ""
			next.ServeHTTP(rw, r)
			if pending(started) && !upgrade { // an upgraded connection is no longer net/http's
				http.NewResponseController(rw).Flush()
			}
		})
	}
}

func wait(probes []<-chan struct{}) {
	for _, ended := range probes {
		<-ended
	}
}

func pending(probes []<-chan struct{}) bool {
	for _, ended := range probes {
		select {
		case <-ended:
		default:
			return true
		}
	}
	return false
}
