package wire

import (
	"context"
	"net/http"

	"spangate/handler/wire/framing"
)

// leavingWriter asks the client of HTTP/2 to leave with the header of an answer, if a
// drain has begun when that is written. The header is sent together with the body where
// the whole answer is there by then.
type leavingWriter struct {
	http.ResponseWriter
	r     *http.Request
	drain context.Context

	begun   bool
	flushed bool
	size    int // of what was written of a body
}

// AnswerBuffer is how much of an answer over HTTP/2 a handler can write before anybody
// waits for the client. What is still there when the handler returns, [Serve] sends.
const AnswerBuffer = 4 << 10

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
	w.size += len(p)
	return w.ResponseWriter.Write(p)
}

// FlushError is for [http.ResponseController]: the header goes before what is flushed.
func (w *leavingWriter) FlushError() error {
	w.begin()
	w.flushed = true
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

// end is called when nothing more is written. An answer of which all is in net/http's
// buffer still is then sent with its header.
func (w *leavingWriter) end() {
	if w.flushed || w.size == 0 || w.size > AnswerBuffer || w.r.Method == http.MethodHead {
		return
	}
	if conn, ok := w.r.Context().Value(connKey{}).(*framing.Conn); ok {
		conn.HoldHeader()
	}
}
