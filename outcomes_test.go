package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spangate/balancer"
	"spangate/telemetry/otlptest"
)

// TestDescriptions checks that the status of an attempt that failed says why in
// words, and neither names nor quotes anybody.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing, so that only the system connects
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	tests := map[string]struct {
		backend string
		environ string
		want    string
	}{
		"refused":                          {"http://" + refusing(t), "", "connection_refused: connect: connection refused"},
		"no such socket":                   {"http+unix:///no/such/socket", "", "connection_refused: connect: no such file or directory"},
		"no such host":                     {"http://no-such-name.invalid", "", "dns_error: no such host"},
		"no TLS":                           {"https://" + plain.Listener.Addr().String(), "", "tls_handshake_error: tls: first record does not look like a TLS handshake"},
		"an unknown authority":             {tlsServer.URL, "", "tls_handshake_error: x509: certificate signed by unknown authority"},
		"no handshake":                     {"https://" + silent.Addr().String(), "BACKEND_CONNECT_TIMEOUT=50ms", "connect_timeout: i/o timeout"},
		"no response":                      {"http://" + saying(t, ""), "BACKEND_RESPONSE_TIMEOUT=50ms", "response_timeout: i/o timeout"},
		"no response in an attempt's time": {"http://" + saying(t, ""), "RETRY_TRY_TIMEOUT=50ms", "response_timeout: no response in the time that an attempt has"},
		"the request's own deadline":       {"http://" + saying(t, ""), "REQUEST_TIMEOUT=50ms", "timeout: i/o timeout"},
		"closed":                           {"http://" + saying(t, "HTTP/1.1 200 OK\r\nX: "), "", "connection_reset: unexpected EOF"},
		"closed amid the body":             {"http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"), "", "backend_reset: unexpected EOF"},
		"malformed, not quoted":            {"http://" + saying(t, "s3cret\r\n\r\n"), "", "malformed_response"},
		"a status says it itself":          {"http://" + saying(t, "HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKENDS="+test.backend, test.environ)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			attempts := slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool { return s.Kind != "CLIENT" })
			if len(attempts) != 1 || attempts[0].Status != "Error" || attempts[0].StatusMessage != test.want {
				t.Errorf("attempts %+v, want one with %q", attempts, test.want)
			}
		})
	}
}

// TestDescriptionOfAProbesRequest checks the same of a request that a probe makes.
func TestDescriptionOfAProbesRequest(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_PATH=/healthz", "OTEL_BSP_SCHEDULE_DELAY=10", "BACKENDS=http://"+refusing(t))
	p.collector.WaitSpans(t, func(spans []otlptest.Span) bool {
		return slices.ContainsFunc(spans, func(s otlptest.Span) bool {
			return s.Kind == "CLIENT" && s.StatusMessage == "connection_refused: connect: connection refused"
		})
	})
}

// TestWhoAnswered checks that the span of a request names the backend whose answer
// it is, and none where the answer is the proxy's own.
func TestWhoAnswered(t *testing.T) {
	t.Parallel()
	const unavailable = "HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	fit := "http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	failing, down := "http://"+saying(t, unavailable), "http://"+refusing(t)
	for name, test := range map[string]struct {
		backends string
		environ  string
		want     any
	}{
		"the first":             {backends: fit, want: fit},
		"the second":            {backends: down + "," + fit, want: fit},
		"an error of a backend": {backends: failing, environ: "RETRY_ATTEMPTS=0", want: failing},
		"nobody":                {backends: down, environ: "RETRY_ATTEMPTS=0"},
		"the door":              {backends: fit, environ: "DENY_CIDRS=0.0.0.0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "BACKENDS="+test.backends, test.environ)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			for _, span := range p.collector.Spans() {
				if got := span.Attributes["spangate.backend"]; span.Kind == "SERVER" && got != test.want {
					t.Errorf("answered by %v, want %v", got, test.want)
				}
			}
		})
	}
}

// TestReceivedIsWhatCame checks that what is said to be received is what was,
// whatever was announced.
func TestReceivedIsWhatCame(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	t.Cleanup(backend.Close)
	for name, test := range map[string]struct {
		environ string
		send    func(*testing.T, *program)
		want    float64
	}{
		"all of it": {send: func(t *testing.T, p *program) { p.once(t.Context(), "POST", "/", strings.NewReader("eleven byte")) }, want: 11},
		"of unknown length": {send: func(t *testing.T, p *program) {
			p.once(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("eleven byte")))
		}, want: 11},
		"nothing": {send: func(t *testing.T, p *program) { p.once(t.Context(), "GET", "/", nil) }},
		"refused at the door, unread": {environ: "DENY_CIDRS=0.0.0.0/0", send: func(t *testing.T, p *program) {
			p.once(t.Context(), "POST", "/", strings.NewReader("eleven byte"))
		}},
		"announced, and given up": {send: func(t *testing.T, p *program) {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfour")
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		}, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKENDS="+backend.URL, test.environ)
			test.send(t, p)
			p.stop()
			lines := p.log.requests(t)
			if len(lines) != 1 || lines[0]["received"] != test.want {
				t.Errorf("access log %v, want received %v", lines, test.want)
			}
			for _, span := range p.collector.Spans() {
				if got := span.Attributes["http.request.body.size"]; span.Kind == "SERVER" && got != int64(test.want) {
					t.Errorf("the span says %v, want %v", got, test.want)
				}
			}
		})
	}
}

// TestHowGraveARequestIs holds the levels of the access log, in both dialects.
func TestHowGraveARequestIs(t *testing.T) {
	t.Parallel()
	status := func(code int) string {
		return "http://" + saying(t, fmt.Sprintf("HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", code))
	}
	get := func(t *testing.T, p *program) { p.once(t.Context(), "GET", "/", nil) }
	for name, test := range map[string]struct {
		backend string
		environ string
		send    func(*testing.T, *program)
		level   string
		gcp     string
	}{
		"200":              {backend: status(200), level: "INFO", gcp: "INFO"},
		"404":              {backend: status(404), level: "INFO", gcp: "INFO"},
		"429 of a backend": {backend: status(429), level: "WARN", gcp: "WARNING"},
		"429 of ours": {backend: status(200), environ: "RATE_LIMIT=1/h", send: func(t *testing.T, p *program) {
			p.once(t.Context(), "GET", "/", nil)
			p.once(t.Context(), "GET", "/", nil)
		}, level: "WARN", gcp: "WARNING"},
		"499": {backend: "http://" + saying(t, ""), send: func(t *testing.T, p *program) {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			conn.Close()
			p.await(`"status":499`)
		}, level: "WARN", gcp: "WARNING"},
		"500 of a backend": {backend: status(500), level: "ERROR", gcp: "ERROR"},
		"502 of ours":      {backend: "http://" + refusing(t), level: "ERROR", gcp: "ERROR"},
		"504 of ours":      {backend: "http://" + saying(t, ""), environ: "REQUEST_TIMEOUT=50ms", level: "ERROR", gcp: "ERROR"},
		"200 that breaks off": {
			backend: "http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"), level: "ERROR", gcp: "ERROR",
		},
	} {
		if test.send == nil {
			test.send = get
		}
		for _, fields := range []struct{ name, message, level, want string }{{"plain", "msg", "level", test.level}, {"gcp", "message", "severity", test.gcp}} {
			t.Run(name+", "+fields.name, func(t *testing.T) {
				t.Parallel()
				p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "OTEL_SDK_DISABLED=true", "LOG_FIELDS="+fields.name, "BACKENDS="+test.backend, test.environ)
				test.send(t, p)
				p.stop()
				lines := p.log.named(t, fields.message, "request")
				if len(lines) == 0 || lines[len(lines)-1][fields.level] != fields.want {
					t.Errorf("access log %v, want %s %s", lines, fields.level, fields.want)
				}
			})
		}
	}
}

// TestReadyWithoutProbes checks that whoever has switched probes off is ready at
// once: nothing but requests would tell, and none come before.
func TestReadyWithoutProbes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    int
	}{
		"a backend":                   {[]string{"PROBE_MODE=off", "BACKENDS=echo:a"}, 200},
		"one that nobody has reached": {[]string{"PROBE_MODE=off", "BACKENDS=http://" + refusing(t)}, 200},
		"a name that leads nowhere":   {[]string{"PROBE_MODE=off", "BACKENDS=dns+http://no-such-name.invalid:80"}, 503},
		"with probes":                 {[]string{"BACKENDS=http://" + refusing(t)}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.environ...)
			if resp, body := p.ask(t, "GET", "/.spangate/ready", nil); resp.StatusCode != test.want {
				t.Errorf("%d %s, want %d", resp.StatusCode, body, test.want)
			}
		})
	}
}

// TestFirstExample holds the first example of README: a backend that restarts
// while it is asked, and what that leads to.
func TestFirstExample(t *testing.T) {
	t.Parallel()
	app1, ln := accepting(t)
	p := start(t, "BACKENDS=http://"+app1+",echo:2")
	p.await(`"spangate.backend":"http://` + app1 + `","spangate.backend.state":"ready"`)
	p.await(`"spangate.backend":"echo:2","spangate.backend.state":"ready"`)
	ln.Close()
	p.once(t.Context(), "GET", "/", nil)
	p.await(`"spangate.backend.state":"down"`)
	p.stop()
	// The first probes, of both, come first in either order.
	spans := slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool {
		return s.Attributes["spangate.backend.state"] == "ready" || s.Attributes["spangate.probe.result"] == "success"
	})
	tree := otlptest.Tree(spans, "http.response.status_code", "spangate.retry.stop_reason", "error.type", "spangate.retry.reason", "spangate.retry.attempt",
		"http.request.resend_count", "spangate.probe.trigger", "spangate.backend", "spangate.backend.state", "spangate.backend.error_type")
	want := "GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success spangate.backend=echo:2\n" +
		"  GET CLIENT Error error.type=connection_refused spangate.backend=http://app-1\n" +
		"  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=1\n" +
		"  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 spangate.backend=echo:2 link=2\n" +
		"probe INTERNAL Error error.type=connection_refused spangate.probe.trigger=request spangate.backend=http://app-1 link=2\n" +
		"probe INTERNAL Error error.type=connection_refused spangate.probe.trigger=timer spangate.backend=http://app-1\n" +
		"backend_state_change INTERNAL Unset spangate.backend=http://app-1 spangate.backend.state=down spangate.backend.error_type=connection_refused link=2 link=5 link=6\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(tree, app1, "app-1")); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// accepting returns the address of a listener that takes connections. Once it is
// closed nothing listens there until the test ends: its port stays taken.
func accepting(t *testing.T) (addr string, ln net.Listener) {
	t.Helper()
	var shared net.ListenConfig
	shared.SetMultipathTCP(false) // of which a listener goes on taking connections for a moment
	shared.Control = func(_, _ string, socket syscall.RawConn) error {
		return socket.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}
	ln, err := shared.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	holder, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(holder) })
	unix.SetsockoptInt(holder, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err := unix.Bind(holder, &unix.SockaddrInet4{Port: ln.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	return ln.Addr().String(), ln
}

// TestWhatAnEjectionSays checks that span and event say after how many failures a
// backend is left out, of which kind, and for how long.
func TestWhatAnEjectionSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		backend string
		environ string
		want    string
	}{
		"statuses": {"http://" + saying(t, "HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "", "503"},
		"refused":  {"http://" + refusing(t), "", "connection_refused"},
		"hangs":    {"http://" + saying(t, ""), "BACKEND_RESPONSE_TIMEOUT=50ms", "response_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=2", "OUTLIER_EJECTION=90s", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+test.backend, test.environ)
			p.once(t.Context(), "GET", "/", nil)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			want := map[string]any{
				"spangate.backend": test.backend, "spangate.backend.state": "ejected", "spangate.backend.previous_state": "unknown", "spangate.backend.reason": "outlier",
				"spangate.ejection.failures": int64(2), "spangate.ejection.duration": 90.0, "spangate.backend.error_type": test.want,
			}
			for _, span := range p.collector.Spans() {
				if span.Name != "backend_state_change" {
					continue
				}
				if diff := cmp.Diff(want, span.Attributes); diff != "" || len(span.Links) != 2 {
					t.Errorf("span with %d links (-want +got):\n%s", len(span.Links), diff)
				}
			}
			lines := p.log.named(t, "msg", "backend state changed")
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1", len(lines))
			}
			if l := lines[0]; l["spangate.ejection.failures"] != 2.0 || l["spangate.ejection.duration"] != 90.0 || l["spangate.backend.error_type"] != test.want || l["exception.message"] == nil {
				t.Errorf("log: %v", l)
			}
		})
	}
}

// named returns the lines whose field of that name is value.
func (l *logLines) named(t *testing.T, field, value string) (lines []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range strings.Lines(l.text.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("log line %q: %v", text, err)
		}
		if line[field] == value {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestEjectedServesWhenNobodyElseIsLeft checks that to have failed requests makes
// a backend worse than others, not worse than none; to fail probes does.
func TestEjectedServesWhenNobodyElseIsLeft(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	healthy.Store(true)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" || r.URL.Path == "/healthz" && !healthy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(backend.Close)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "OUTLIER_EJECTION=1h", "BACKENDS="+backend.URL)
	p.await(`"spangate.backend.state":"ready"`)
	p.once(t.Context(), "GET", "/fail", nil)
	p.await(`"spangate.backend.state":"ejected"`)
	if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 200 {
		t.Errorf("while it is ejected: %s: %s", resp.Status, body)
	}
	if b := p.status(t).Backends[0]; b.State != balancer.Ejected || !b.Serves {
		t.Errorf("status: %+v", b)
	}
	healthy.Store(false)
	p.await(`"spangate.backend.state":"down"`)
	if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 503 {
		t.Errorf("while it is down: %s: %s", resp.Status, body)
	}
	if b := p.status(t).Backends[0]; b.State != balancer.Down || b.Serves {
		t.Errorf("status: %+v", b)
	}
}

// TestOneHungOfTwo checks that nobody has to know of a setting to be answered
// though one of two backends hangs, and that few others meet with it.
func TestOneHungOfTwo(t *testing.T) {
	t.Parallel()
	// A tenth of the default, and so of the second that an attempt has.
	p := start(t, "BACKEND_RESPONSE_TIMEOUT=3s", "BACKENDS=http://"+saying(t, "")+",echo:fit")
	began := time.Now()
	for range 100 {
		if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 200 {
			t.Errorf("%s: %s", resp.Status, body)
		}
	}
	took := time.Since(began)
	p.stop()
	hung := 0
	for _, span := range p.collector.Spans() {
		if span.Kind == "CLIENT" && span.Attributes["error.type"] == "response_timeout" {
			hung++
		}
	}
	if most := int(took/time.Second) + 1; hung == 0 || hung > most {
		t.Errorf("%d of 100 requests met with the one that hangs, in %v", hung, took)
	}
}
