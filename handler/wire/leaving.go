package wire

import (
	"context"
	"net/http"

	"spangate/handler/wire/framing"
)

// leavingWriter asks the client of HTTP/2 to leave with the header of an answer, if a
// drain has begun when that is written.
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
	if conn, ok := w.r.Context().Value(connKey{}).(*framing.Conn); ok {
		conn.GoAwayNext()
	}
}
