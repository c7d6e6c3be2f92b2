package wire_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// surprising is a backend that answers each first request of a connection with more
// than was asked for, or has more come later, be it the end.
type surprising struct {
	addr  string
	conns chan net.Conn // behind an answer
}

func newSurprising(t *testing.T, answer string, secure *tls.Config) surprising {
	b := surprising{conns: make(chan net.Conn, 1)}
	b.addr = wiretest.Listen(t, func(conn net.Conn, _ int) {
		if secure != nil {
			conn = tls.Server(conn, secure)
		}
		for in := bufio.NewReader(conn); ; {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if r.URL.Path == "/mine" {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
				continue
			}
			io.WriteString(conn, answer)
			b.conns <- conn
		}
	})
	return b
}

// counting returns a transport to the backend, over TLS or not, and how many
// connections it has had ended for unsolicited bytes.
func (b surprising) counting(t *testing.T, secure *tls.Config) (rt *wire.Transport, ask func(method, path string) string, unsolicited func() int) {
	var mu sync.Mutex
	n := 0
	hooks := wire.ConnectionHooks{Unsolicited: func() {
		mu.Lock()
		defer mu.Unlock()
		n++
	}}
	scheme := "http"
	if secure != nil {
		scheme = "https"
	}
	rt = wire.NewTransport(wire.TransportConfig{ConnectTimeout: time.Minute}, scheme, "", func() *tls.Config { return secure }, hooks)
	t.Cleanup(rt.CloseIdleConnections)
	ask = func(method, path string) string {
		t.Helper()
		resp, err := rt.RoundTrip(httptest.NewRequestWithContext(t.Context(), method, scheme+"://"+b.addr+path, nil))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		content, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return string(content)
	}
	return rt, ask, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// withTLS returns the two sides of TLS.
func withTLS(t *testing.T) (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	server = s.TLS.Clone()
	server.NextProtos = nil
	return server, &tls.Config{InsecureSkipVerify: true}
}

// TestSurplus has more come than was asked for, with an answer. What is handed out
// ends with the answer, and the connection with it.
func TestSurplus(t *testing.T) {
	tests := map[string]struct {
		method, answer, surplus, content string
		uncounted                        bool
	}{
		"an answer behind HEAD":    {method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", surplus: "HTTP/1.1 200 OK\r\n\r\n"},
		"content behind HEAD":      {method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", surplus: "sum"},
		"content behind a 204":     {method: "GET", answer: "HTTP/1.1 204 No Content\r\n\r\n", surplus: "sum"},
		"content behind a 304":     {method: "GET", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", surplus: "sum"},
		"too much content":         {method: "GET", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", surplus: "!", content: "ok"},
		"something behind chunks":  {method: "GET", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", surplus: "\r\n"},
		"a goodbye":                {method: "GET", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", surplus: "HTTP/1.1 408 Request Timeout\r\n\r\n", content: "ok", uncounted: true},
		"the beginning of another": {method: "GET", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", surplus: "HTTP/1.", content: "ok"},
	}
	server, client := withTLS(t)
	for name, test := range tests {
		for over, secure := range map[string][2]*tls.Config{"": {}, " over TLS": {server, client}} {
			t.Run(name+over, func(t *testing.T) {
				b := newSurprising(t, test.answer+test.surplus, secure[0])
				_, ask, unsolicited := b.counting(t, secure[1])
				if got := ask(test.method, "/"); got != test.content {
					t.Errorf("got %q, want %q", got, test.content)
				}
				if got := ask("GET", "/mine"); got != "mine" {
					t.Errorf("the next one got %q", got)
				}
				if got, want := unsolicited(), map[bool]int{false: 1}[test.uncounted]; got != want {
					t.Errorf("counted %d times, want %d", got, want)
				}
			})
		}
	}
}

// TestTheLastLook has something arrive, or the end, on a connection that is not in
// use. Nobody gets it, and whoever comes next another connection.
func TestTheLastLook(t *testing.T) {
	server, client := withTLS(t)
	for name, test := range map[string]struct {
		arrive func(net.Conn)
		want   int // times that it is counted
	}{
		"bytes":     {func(far net.Conn) { io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen") }, 1},
		"a goodbye": {func(far net.Conn) { io.WriteString(far, "HTTP/1.1 408 Request Timeout\r\n\r\n"); far.Close() }, 0},
		"the end":   {func(far net.Conn) { far.Close() }, 0},
	} {
		for over, secure := range map[string][2]*tls.Config{"": {}, " over TLS": {server, client}} {
			t.Run(name+over, func(t *testing.T) {
				t.Parallel()
				b := newSurprising(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", secure[0])
				rt, ask, unsolicited := b.counting(t, secure[1])
				if got := ask("GET", "/"); got != "ok" {
					t.Fatalf("got %q", got)
				}
				test.arrive(<-b.conns)
				for rt.OpenConnections() > 0 { // until somebody looks, unasked
					time.Sleep(time.Millisecond)
				}
				if got := ask("GET", "/mine"); got != "mine" {
					t.Errorf("the next one got %q", got)
				}
				if got := unsolicited(); got != test.want {
					t.Errorf("counted %d times, want %d", got, test.want)
				}
			})
		}
	}
}
