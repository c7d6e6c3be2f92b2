package handler

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// protocolField is where net/http's server has the pseudo-header of that name.
const protocolField = ":protocol"

// WebSockets returns next for requests of which those that ask for a WebSocket over
// HTTP/2 (RFC 8441) are what they would be over HTTP/1.1 (RFC 6455 §4.1): a GET with
// Upgrade and a key, and without content. So doors and backends need not know of the
// difference. Where the backend agrees, [Forward] answers 200 and joins the stream
// to its connection.
func WebSockets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if protocols := r.Header[protocolField]; r.Method == http.MethodConnect && len(protocols) == 1 && strings.EqualFold(protocols[0], "websocket") {
			r = handshake(r)
		}
		next.ServeHTTP(w, r)
	})
}

// webSocket is what is particular to a handshake that has come over HTTP/2.
type webSocket struct {
	stream io.Reader // what the client sends
	accept string    // what the backend has to make of the key
}

type webSocketKey struct{}

// webSocketOf returns what [WebSockets] has made of r, or nil.
func webSocketOf(r *http.Request) *webSocket {
	ws, _ := r.Context().Value(webSocketKey{}).(*webSocket)
	return ws
}

func handshake(r *http.Request) *http.Request {
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	ws := &webSocket{stream: r.Body, accept: acceptOf(key)}
	r = r.WithContext(context.WithValue(r.Context(), webSocketKey{}, ws))
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	r.Header = maps.Clone(r.Header)
	delete(r.Header, protocolField)
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	r.Header["Sec-Websocket-Key"] = []string{key}
	return r
}

// acceptOf returns what proves that a key has been read, RFC 6455 §4.2.2.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// webSocketStream is the client's side of a WebSocket over HTTP/2, as a connection.
//
// It cannot be closed for sending alone: net/http ends the stream's answer when the
// handler returns, and with it the stream. What the client sends after that is lost.
type webSocketStream struct {
	out clientWriter
	in  io.Reader

	mu     sync.Mutex
	closed bool
}

// take tells the client that its WebSocket is there, and returns its side of it.
func (ws *webSocket) take(w http.ResponseWriter) (*webSocketStream, error) {
	delete(w.Header(), "Sec-Websocket-Accept") // of a key that is not the client's
	w.WriteHeader(http.StatusOK)
	s := &webSocketStream{out: clientWriter{w: w, left: -1}, in: ws.stream}
	return s, s.out.flush()
}

func (s *webSocketStream) Read(p []byte) (int, error) { return s.in.Read(p) }

func (s *webSocketStream) Write(p []byte) (int, error) {
	if err := s.out.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite says that all has been written, and that nothing more is read.
func (s *webSocketStream) CloseWrite() error { return s.close(false) }

// Close resets the stream, unless all has been written.
func (s *webSocketStream) Close() error { return s.close(true) }

// close does nothing the second time: w must not be used any more when the handler
// has returned, behind which a Close may come.
func (s *webSocketStream) close(reset bool) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if reset {
		err = s.out.control().SetWriteDeadline(longAgo)
	}
	return errors.Join(err, s.out.control().SetReadDeadline(longAgo))
}

var longAgo = time.Unix(1, 0)
