package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"spangate/balancer"
	"spangate/handler/wire/wiretest"
)

// TestWhatCannotBeSentIsNoBackendsFault has clients send, often enough to have
// any backend ejected, what the program's own HTTP library refuses to pass on.
func TestWhatCannotBeSentIsNoBackendsFault(t *testing.T) {
	t.Parallel()
	const times = 12
	ok := func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
	plain := func(t *testing.T) string { return plainBackend(t, ok) }
	multiplexed := func(t *testing.T) string { return h2c(t, ok) }
	small := func(t *testing.T) string {
		return newHTTP2Backend(t, func(b *http2Backend, stream uint32) { b.answer(stream, "200") }, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 8 << 10})
	}
	raw := func(text string) func(*testing.T, *program) string {
		return func(t *testing.T, p *program) string {
			status, _, _ := strings.Cut(sendRaw(t, p.addr, text), "\r\n")
			return status
		}
	}
	over2 := func(fields ...string) func(*testing.T, *program) string {
		return func(t *testing.T, p *program) string {
			c := newHTTP2Client(t, p.addr)
			got := c.answer(c.open(true, fields...))
			if len(got.statuses) == 0 {
				return got.reset
			}
			return got.statuses[0]
		}
	}
	large := "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nLarge: " + strings.Repeat("x", 20<<10) + "\r\n\r\n"
	upgrade := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
	tests := map[string]struct {
		backend func(*testing.T) string
		send    func(*testing.T, *program) string
		want    string
	}{
		"a trailer's name that is none":            {plain, raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X T\r\n\r\n0\r\n\r\n"), "HTTP/1.1 200 OK"},
		"a trailer's name that is none, to h2c":    {multiplexed, raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X T\r\n\r\n0\r\n\r\n"), "HTTP/1.1 200 OK"},
		"a method that is no token, over HTTP/2":   {plain, over2(request("G T", "/")...), "400"},
		"a method that is no token, to h2c":        {multiplexed, over2(request("G T", "/")...), "400"},
		"Upgrade to h2c":                           {multiplexed, raw(upgrade), "HTTP/1.1 200 OK"},
		"a header larger than the backend accepts": {small, raw(large), "HTTP/1.1 431 Request Header Fields Too Large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS="+test.backend(t)+","+test.backend(t), "PROBE_MODE=off", "OUTLIER_FAILURES=3", "REQUEST_ID_HEADER=off", "BACKEND_MAX_CONNECTIONS=1")
			for range times {
				if got := test.send(t, p); got != test.want {
					t.Fatalf("got %q, want %q", got, test.want)
				}
			}
			for range 2 {
				if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
					t.Errorf("afterwards: %s %s", resp.Status, body)
				}
			}
			if slices.Contains(p.states(t), balancer.Ejected) {
				t.Errorf("the backends are %v", p.states(t))
			}
			p.stop()
			for _, span := range p.collector.Spans() {
				if span.Kind == "CLIENT" && span.Status == "Error" || span.Name == "retry" {
					t.Errorf("%s %s %v", span.Name, span.Status, span.Attributes)
				}
			}
		})
	}
}

// TestUpgradesTowardsBackendsOfHTTP2 asks for a WebSocket where a backend speaks
// HTTP/2, be it beside HTTP/1.1 or only.
func TestUpgradesTowardsBackendsOfHTTP2(t *testing.T) {
	t.Parallel()
	echoing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprintf(w, "%s without upgrade, Connection %q", r.Proto, r.Header.Values("Connection"))
			return
		}
		hijack(t, w, func(conn net.Conn, in io.Reader) {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			io.Copy(conn, in)
		})
	})
	secure := func(t *testing.T, protocols ...string) []string {
		server := httptest.NewUnstartedServer(echoing)
		server.EnableHTTP2 = true
		server.TLS = &tls.Config{NextProtos: protocols}
		server.StartTLS()
		t.Cleanup(server.Close)
		server.TLS.NextProtos = protocols
		if !slices.Contains(protocols, "http/1.1") { // Go's server would serve that all the same
			server.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if slices.Contains(hello.SupportedProtos, "h2") {
					return nil, nil
				}
				strict := server.TLS.Clone()
				strict.NextProtos = []string{"none"}
				return strict, nil
			}
		}
		return []string{"BACKENDS=" + server.URL, "BACKEND_CA_FILE=" + wiretest.CertificateFile(t, server)}
	}
	tests := map[string]struct {
		environ func(*testing.T) []string
		want    string
	}{
		"https with both":         {func(t *testing.T) []string { return secure(t, "h2", "http/1.1") }, "101 over HTTP/1.1"},
		"https with HTTP/1.1":     {func(t *testing.T) []string { return secure(t, "http/1.1") }, "101 over HTTP/1.1"},
		"https with HTTP/2 alone": {func(t *testing.T) []string { return secure(t, "h2") }, "200 HTTP/2.0 without upgrade, Connection []"},
		"h2c":                     {func(t *testing.T) []string { return []string{"BACKENDS=" + h2c(t, echoing)} }, "200 HTTP/2.0 without upgrade, Connection []"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(test.environ(t), "PROBE_MODE=off", "RETRY_ATTEMPTS=0")...)
			p.once(t.Context(), "GET", "/", nil) // over whatever the backend prefers, which is kept
			for range 3 {
				s := p.session(t)
				io.WriteString(s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				resp, body := s.response(t, "GET")
				if resp.StatusCode == http.StatusSwitchingProtocols {
					io.WriteString(s, "over HTTP/1.1")
					text := make([]byte, len("over HTTP/1.1"))
					if _, err := io.ReadFull(s.in, text); err != nil {
						t.Error(err)
					}
					body = string(text)
				}
				if got := fmt.Sprint(resp.StatusCode, " ", body); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}

// TestStatusesThatAreNone checks that no status of a backend makes the program
// panic, or passes as what it is not.
func TestStatusesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"0", "00", "99", "099", "1000", "+200", "0200", "101", "-20"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS="+newHTTP2Backend(t, func(b *http2Backend, stream uint32) { b.answer(stream, status) }), "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "REQUEST_ID_HEADER=off")
			if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("%s %s", resp.Status, body)
			}
			p.stop()
			want := "GET SERVER Error error.type=malformed_response\n  GET CLIENT Error error.type=malformed_response\n"
			p.checkSpans(t, want, "error.type")
		})
	}
}
