package handler

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
)

// upgraded reports whether resp is an answer to the offer of another protocol, in
// which case r has been served. What else comes in place of one goes on as it is,
// but for a 2xx to a WebSocket over HTTP/2, whose client would take it for an
// agreement (RFC 8441 §5).
func (f *forwarder) upgraded(w http.ResponseWriter, r, out *http.Request, resp *http.Response) bool {
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		f.upgrade(w, r, out, resp)
		return true
	case resp.StatusCode/100 == 2 && webSocketOf(r) != nil:
		resp.Body.Close()
		f.cfg.Failures.Refuse(w, r, fault.Refusal{Status: http.StatusNotImplemented, Detail: "There is no WebSocket here."})
		return true
	}
	return false
}

// upgrade joins the client's connection, or its stream of HTTP/2, to the backend's
// after a 101, and returns when both directions have ended. Half-closes pass in
// both directions, but for [webSocketStream]'s. The end of r's context, as when a shutdown
// runs out of time, closes both.
func (f *forwarder) upgrade(w http.ResponseWriter, r, out *http.Request, resp *http.Response) {
	backend, ok := resp.Body.(io.ReadWriteCloser)
	if wrong := wrongSwitch(r, out, resp); !ok || wrong != nil {
		resp.Body.Close()
		f.cfg.Failures.respond(w, r, &fault.Error{Type: fault.MalformedResponse, Sent: true, Err: wrong})
		return
	}
	defer backend.Close()
	u := &Upgrade{Protocol: strings.ToLower(upgradeOf(resp.Header))}
	conn, err := f.switched(w, r, resp)
	if err != nil {
		f.cfg.Failures.abort(r, err)
	}
	defer conn.Close()
	if f.cfg.Upgraded != nil {
		defer f.cfg.Upgraded(r, u)()
	}
	if err := u.join(r.Context(), conn, backend); err != nil && r.Context().Err() != nil {
		// A reset is how many protocols end; the span shows what the 101 led to
		// only when the proxy itself ended it.
		if e := fault.Of(r.Context(), err); e.Type != fault.ClientDisconnected {
			f.cfg.Failures.report(r, e)
		}
	}
}

// wrongSwitch returns why resp, a 101, does not agree to what out offers for r.
func wrongSwitch(r, out *http.Request, resp *http.Response) error {
	offered, agreed := upgradeOf(out.Header), upgradeOf(resp.Header)
	if agreed == "" || !httpguts.HeaderValuesContainsToken([]string{offered}, agreed) {
		return fmt.Errorf("switches to %q, offered was %q", agreed, offered)
	}
	if ws := webSocketOf(r); ws != nil && !slices.Equal(resp.Header["Sec-Websocket-Accept"], []string{ws.accept}) {
		return errors.New("agrees to a WebSocket of another key")
	}
	return nil
}

// switched tells the client of resp, a 101, and returns what is its connection from
// then on.
func (f *forwarder) switched(w http.ResponseWriter, r *http.Request, resp *http.Response) (io.ReadWriteCloser, error) {
	protocol := resp.Header.Get("Upgrade")
	header, _ := f.passHeader(w, r, resp)
	if ws := webSocketOf(r); ws != nil {
		s, err := ws.take(w)
		if err != nil {
			return nil, fault.OfClient(r.Context(), err)
		}
		return s, nil
	}
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{protocol}
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, &fault.Error{Type: fault.InternalError, Err: err}
	}
	// What the client sent right behind its request is in the server's buffer.
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	return hijacked{conn, io.MultiReader(bytes.NewReader(early), conn)}, nil
}

// hijacked is a client's connection of which something has been read.
type hijacked struct {
	net.Conn
	in io.Reader
}

func (h hijacked) Read(p []byte) (int, error) { return h.in.Read(p) }

// CloseWrite ends the sending direction, or all of a connection that cannot end
// just that.
func (h hijacked) CloseWrite() error {
	if half, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return h.Close()
}

// requireUpgrade says in the header of w, that of a 426, which protocols the
// backend asks for (RFC 9110 §15.5.22). HTTP/2 and HTTP/1.0 have no such field.
func requireUpgrade(w http.ResponseWriter, r *http.Request, protocols []string) {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || protocols == nil {
		return
	}
	header := w.Header()
	header["Upgrade"] = protocols
	header["Connection"] = append(header["Connection"], "Upgrade")
}
