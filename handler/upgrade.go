package handler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/websocket"
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
	join := join
	if strings.EqualFold(upgradeOf(resp.Header), "websocket") {
		join = f.joinWebSocket(r)
	}
	conn, err := f.switched(w, r, resp)
	if err != nil {
		f.cfg.Failures.abort(r, err)
	}
	defer conn.Close()
	if err := join(r.Context(), conn, backend); err != nil && r.Context().Err() != nil {
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

// joinWebSocket is join for the WebSocket of r, which is told should the proxy leave,
// and then has the time to end by itself.
func (f *forwarder) joinWebSocket(r *http.Request) func(ctx context.Context, client, backend io.ReadWriteCloser) error {
	return func(ctx context.Context, client, backend io.ReadWriteCloser) error {
		tunnel := websocket.New(client, backend)
		defer wire.OnFarewell(ctx, tunnel.GoAway)()
		err := join(ctx, tunnel.Client(), tunnel.Backend())
		if f.cfg.ToldToLeave != nil && tunnel.Told() {
			f.cfg.ToldToLeave(r, tunnel.Answered())
		}
		return err
	}
}

// join copies both ways until both have ended, or ctx has, and returns what they
// ended with if it was no end.
func join(ctx context.Context, client, backend io.ReadWriteCloser) error {
	closeBoth := func() {
		client.Close()
		backend.Close()
	}
	defer context.AfterFunc(ctx, closeBoth)()
	fromClient := make(chan error, 1)
	go func() {
		err := pipe(backend, client)
		if err != nil {
			closeBoth()
		}
		fromClient <- err
	}()
	err := pipe(client, backend)
	if err != nil {
		closeBoth()
	}
	return errors.Join(err, <-fromClient)
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
