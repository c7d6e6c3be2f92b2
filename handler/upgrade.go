package handler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
	"spangate/handler/wire"
)

// upgrade joins the client's connection to the backend's after a 101, and
// returns when both directions have ended. Half-closes pass in both
// directions. The end of r's context, as when a shutdown runs out of time,
// closes both.
func (f *forwarder) upgrade(w http.ResponseWriter, r, out *http.Request, resp *http.Response) {
	backend, ok := resp.Body.(io.ReadWriteCloser)
	offered := upgradeOf(out.Header)
	if agreed := upgradeOf(resp.Header); !ok || agreed == "" || !httpguts.HeaderValuesContainsToken([]string{offered}, agreed) {
		resp.Body.Close()
		err := fmt.Errorf("switches to %q, offered was %q", agreed, offered)
		f.cfg.Failures.respond(w, r, &fault.Error{Type: fault.MalformedResponse, Sent: true, Err: err})
		return
	}
	defer backend.Close()
	protocol := resp.Header.Get("Upgrade")
	header, _ := f.passHeader(w, r, resp)
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{protocol}
	w.WriteHeader(http.StatusSwitchingProtocols)

	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.cfg.Failures.abort(r, &fault.Error{Type: fault.InternalError, Err: err})
	}
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() {
		conn.Close()
		backend.Close()
	})()

	fromClient := make(chan error, 1)
	go func() {
		// What the client sent right behind its request is in the server's buffer.
		early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
		err := pipe(backend, io.MultiReader(bytes.NewReader(early), conn))
		if err != nil {
			conn.Close()
			backend.Close()
		}
		fromClient <- err
	}()
	errBackend := pipe(conn, backend)
	if errBackend != nil {
		backend.Close()
		conn.Close()
	}
	errClient := <-fromClient
	// A reset is how many protocols end; the span shows what the 101 led to
	// only when the proxy itself ended it.
	if err := errors.Join(errBackend, errClient); err != nil && r.Context().Err() != nil {
		f.cfg.Failures.report(r, fault.Of(r.Context(), err))
	}
}

// requireUpgrade says in the header of w, that of a 426, which protocols the
// backend asks for (RFC 9110 §15.5.22). HTTP/2 and HTTP/1.0 have no such field.
func requireUpgrade(w http.ResponseWriter, r *http.Request, protocols []string) {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || protocols == nil {
		return
	}
	if r.Close {
		wire.EndConnection(w, r) // net/http's own word would go in place of ours
	}
	header := w.Header()
	header["Upgrade"] = protocols
	header["Connection"] = append(header["Connection"], "Upgrade")
}

// pipe copies src to dst until src ends, and passes that end on.
func pipe(dst io.Writer, src io.Reader) error {
	buffer := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buffer)
	if _, err := io.CopyBuffer(struct{ io.Writer }{dst}, src, buffer[:]); err != nil {
		return err
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	if c, ok := dst.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
