package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// webSocket is a connection of one of the two libraries.
type webSocket interface {
	send(text bool, message []byte) error
	receive() (text bool, message []byte, err error)
	// close closes with a code, with which the other end has to answer.
	close(code int) error
	abandon()
}

// libraries are those that speak to one another, as client and as server.
var libraries = map[string]struct {
	dial   func(ctx context.Context, url string, compress bool) (webSocket, error)
	accept func(http.ResponseWriter, *http.Request) (webSocket, error)
}{
	"coder":   {dialCoder, acceptCoder},
	"gorilla": {dialGorilla, acceptGorilla},
}

// TestWebSocket has two libraries send one another messages of all forms through
// the program, in the clear and over TLS.
func TestWebSocket(t *testing.T) {
	certificate, key := certificateFiles(t)
	started, passed, failed := time.Now(), 0, 0
	for scheme, env := range map[string][]string{"ws": nil, "wss": {"TLS_CERT_FILE=" + certificate, "TLS_KEY_FILE=" + key}} {
		for server, l := range libraries {
			backend := httptest.NewServer(echo(l.accept))
			defer backend.Close()
			p := startSpangate(t, append(env, "BACKENDS="+backend.URL)...)
			for client, l := range libraries {
				for _, compress := range []bool{false, true} {
					name := fmt.Sprintf("%s/from %s to %s, compressed %v", scheme, client, server, compress)
					if t.Run(name, func(t *testing.T) {
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						converse(t, func() webSocket {
							conn, err := l.dial(ctx, scheme+"://"+p.addr, compress)
							if err != nil {
								t.Fatal(err)
							}
							return conn
						})
					}) {
						passed++
					} else {
						failed++
					}
				}
			}
		}
	}
	summary.add(t.Name(), passed, failed, started)
}

// converse sends messages, each of which has to come back, and then each code that
// a connection may be closed with.
func converse(t *testing.T, dial func() webSocket) {
	t.Helper()
	conn := dial()
	defer conn.abandon()
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		for _, text := range []bool{false, true} {
			sent := newMessage(size, text)
			if err := conn.send(text, sent); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if kind, got, err := conn.receive(); err != nil || kind != text || !bytes.Equal(got, sent) {
				t.Fatalf("%d bytes, text %v: %d bytes come back, text %v, %v", size, text, len(got), kind, err)
			}
		}
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999} {
		conn := dial()
		if err := conn.close(code); err != nil {
			t.Errorf("closed with %d: %v", code, err)
		}
		conn.abandon()
	}
}

// newMessage returns one of that size: of letters if it is a text.
func newMessage(size int, text bool) []byte {
	m := make([]byte, size)
	for i := range m {
		m[i] = byte(rand.IntN(256))
		if text {
			m[i] = 'a' + m[i]%26
		}
	}
	return m
}

// echo sends each message back.
func echo(accept func(http.ResponseWriter, *http.Request) (webSocket, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := accept(w, r)
		if err != nil {
			return
		}
		defer conn.abandon()
		for {
			text, message, err := conn.receive()
			if err != nil || conn.send(text, message) != nil {
				return // the library has answered if it was closed
			}
		}
	}
}

type coderConn struct{ *coder.Conn }

func dialCoder(ctx context.Context, url string, compress bool) (webSocket, error) {
	mode := coder.CompressionDisabled
	if compress {
		mode = coder.CompressionContextTakeover
	}
	conn, _, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: mode, HTTPClient: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	return coderConn{conn}, nil
}

func acceptCoder(w http.ResponseWriter, r *http.Request) (webSocket, error) {
	conn, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coder.CompressionContextTakeover})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	return coderConn{conn}, nil
}

func (c coderConn) send(text bool, message []byte) error {
	kind := coder.MessageBinary
	if text {
		kind = coder.MessageText
	}
	return c.Write(context.Background(), kind, message)
}

func (c coderConn) receive() (text bool, message []byte, err error) {
	kind, message, err := c.Read(context.Background())
	return kind == coder.MessageText, message, err
}

func (c coderConn) close(code int) error { return c.Close(coder.StatusCode(code), "bye") }

func (c coderConn) abandon() { c.CloseNow() }

type gorillaConn struct{ *gorilla.Conn }

func dialGorilla(ctx context.Context, url string, compress bool) (webSocket, error) {
	dialer := gorilla.Dialer{EnableCompression: compress, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, _, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	return gorillaConn{conn}, nil
}

func acceptGorilla(w http.ResponseWriter, r *http.Request) (webSocket, error) {
	upgrader := gorilla.Upgrader{EnableCompression: true}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return gorillaConn{conn}, nil
}

func (c gorillaConn) send(text bool, message []byte) error {
	kind := gorilla.BinaryMessage
	if text {
		kind = gorilla.TextMessage
	}
	return c.WriteMessage(kind, message)
}

func (c gorillaConn) receive() (text bool, message []byte, err error) {
	kind, message, err := c.ReadMessage()
	return kind == gorilla.TextMessage, message, err
}

func (c gorillaConn) close(code int) error {
	if err := c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, "bye"), time.Now().Add(patience)); err != nil {
		return err
	}
	_, _, err := c.ReadMessage()
	if gorilla.IsCloseError(err, code) {
		return nil
	}
	return fmt.Errorf("answered with %w", err)
}

func (c gorillaConn) abandon() { c.Close() }
