package handler

import (
	"net/http"
	"sync"
	"time"
)

// pauses has the body of an HTTP/2 request fail to be read, with a timeout, when
// nothing of it comes for as long as a limit; over HTTP/1.1 the connection does
// that. Only the time in which somebody waits for the client counts, and only
// until the answer begins: from then on both may be in conversation, and a client
// that listens has no reason to speak. A nil pauses sets no limit.
type pauses struct {
	limit time.Duration
	timer *time.Timer

	mu    sync.Mutex
	ended bool // the response's writer must not be used any more
}

// limitPauses returns the pauses of r's body, which are to be ended before w
// must not be used any more.
func limitPauses(w http.ResponseWriter, r *http.Request, limit time.Duration) *pauses {
	if r.ProtoMajor != 2 || limit <= 0 {
		return nil
	}
	p := &pauses{limit: limit}
	p.timer = time.AfterFunc(limit, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.ended {
			http.NewResponseController(w).SetReadDeadline(longAgo)
		}
	})
	p.timer.Stop()
	return p
}

// begin says that somebody waits for the client.
func (p *pauses) begin() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.timer.Reset(p.limit)
	}
}

// over says that the client has sent something.
func (p *pauses) over() {
	if p != nil {
		p.timer.Stop()
	}
}

// end lets the client pause from now on.
func (p *pauses) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}
