package handler

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// limitPauses has a read of the body of r, which comes over HTTP/2, fail with a
// timeout when nothing of it comes for as long as limit; 0 sets no limit. Over
// HTTP/1.1 the connection does that. Only the time in which a reader waits
// counts: a client that is not let send does not pause. The returned function
// ends the watch, and is to be called before the handler returns.
func limitPauses(w http.ResponseWriter, r *http.Request, limit time.Duration) (end func()) {
	if limit <= 0 || r.ContentLength == 0 {
		return func() {}
	}
	b := &watchedBody{ReadCloser: r.Body, limit: limit}
	b.timer = time.AfterFunc(limit, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.ended {
			http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		}
	})
	b.timer.Stop()
	r.Body = b
	return b.end
}

type watchedBody struct {
	io.ReadCloser
	limit time.Duration
	timer *time.Timer

	mu    sync.Mutex
	ended bool // w must not be used any more
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	defer b.timer.Stop()
	return b.ReadCloser.Read(p)
}

func (b *watchedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.timer.Stop()
}
