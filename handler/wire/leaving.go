package wire

import (
	"context"
	"net/http"
	"sync"

	"spangate/handler/wire/framing"
)

// leavingWriter asks the client to leave with the header of an answer, if a drain
// has begun when that is written.
type leavingWriter struct {
	http.ResponseWriter
	r     *http.Request
	drain context.Context
	begun bool
}

// Unwrap is for [http.ResponseController].
func (w *leavingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *leavingWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *leavingWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// FlushError is for [http.ResponseController]: the header goes before what is flushed.
func (w *leavingWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// begin is called before the header is written, and later to no effect.
func (w *leavingWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	if w.drain.Err() == nil {
		return
	}
	EndConnection(w.ResponseWriter, w.r)
	if conn, ok := w.r.Context().Value(connKey{}).(*framing.Conn); ok {
		conn.GoAwayNext()
	}
}

// clients are the connections that are open, but for those that are upgraded. The
// zero value is ready to use. It is safe for concurrent use.
type clients struct {
	mu   sync.Mutex
	open map[*framing.Conn]struct{}
}

func (c *clients) came(conn *framing.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*framing.Conn]struct{}{}
	}
	c.open[conn] = struct{}{}
}

func (c *clients) left(conn *framing.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// none reports whether there are none.
func (c *clients) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open) == 0
}

// goAway asks those that speak HTTP/2, or are about to, to send no further request.
// It does not wait: some may take nothing.
func (c *clients) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if conn.GoAwayNext(); conn.SpeaksHTTP2() {
			go conn.GoAway()
		}
	}
}
