package wire

import (
	"context"
	"net/http"
)

// leavingWriter asks the client of HTTP/2 to leave with the header of an answer, if a
// drain has begun when that is written. The header is sent together with the body where
// the whole answer is there by then.
type leavingWriter struct {
	steadyStream
	r     *http.Request
	drain context.Context

	asked bool
}

func (w *leavingWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.ask()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *leavingWriter) Write(p []byte) (int, error) {
	w.ask()
	return w.steadyStream.Write(p)
}

// FlushError is for [http.ResponseController]: the header goes before what is flushed.
func (w *leavingWriter) FlushError() error {
	w.ask()
	return w.steadyStream.FlushError()
}

// ask is called before the header is written, and later to no effect.
func (w *leavingWriter) ask() {
	if w.asked {
		return
	}
	w.asked = true
	if w.drain.Err() == nil {
		return
	}
	w.conn.GoAwayNext()
}

// end is called when nothing more is written. An answer of which all is in net/http's
// buffer still is then sent with its header.
func (w *leavingWriter) end() {
	w.steadyStream.end()
	if w.flushed || w.size == 0 || w.size > answerBuffer || w.r.Method == http.MethodHead {
		return
	}
	w.conn.HoldHeader()
}
