package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"spangate/telemetry/otlptest"
)

// TestOutcomes holds the table of telemetry's contract: what happened, and what
// spans, metrics and log say of it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		backends  string
		retries   string // 0 unless given
		environ   string
		request   func(*program)
		wantTree  string
		wantLog   string // status and error_type
		wantError string // error.type of http.server.request.duration
	}{
		"1xx to 3xx, complete": {
			backends: "http://" + saying(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n"),
			wantTree: "GET SERVER Unset http.response.status_code=304 spangate.attempt.count=1\n" +
				"  GET CLIENT Unset http.response.status_code=304\n",
			wantLog: "304 <nil>",
		},
		"4xx": {
			backends: replying(t, 404),
			wantTree: "GET SERVER Unset http.response.status_code=404 spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=404 error.type=404\n",
			wantLog: "404 <nil>",
		},
		"4xx of our own": {
			backends: replying(t, 200),
			environ:  "MAX_REQUEST_BODY=3",
			request:  func(p *program) { p.once(t.Context(), "POST", "/", strings.NewReader("four")) },
			wantTree: "POST SERVER Unset http.response.status_code=413 spangate.attempt.count=0\n",
			wantLog:  "413 body_too_large",
		},
		"4xx of our own, known after the attempt began": {
			backends: "http://" + saying(t, ""),
			environ:  "MAX_REQUEST_BODY=3",
			request: func(p *program) {
				p.once(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("four")))
			},
			wantTree: "POST SERVER Unset http.response.status_code=413 spangate.attempt.count=1\n" +
				"  POST CLIENT Unset\n",
			wantLog: "413 body_too_large",
		},
		"5xx": {
			backends: replying(t, 503),
			wantTree: "GET SERVER Error http.response.status_code=503 error.type=503 spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=503 error.type=503\n",
			wantLog: "503 <nil>", wantError: "503",
		},
		"dial": {
			backends: "http://" + refusing(t),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=connection_refused spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=connection_refused\n",
			wantLog: "502 connection_refused", wantError: "connection_refused",
		},
		"a name that does not resolve": {
			backends: "http://no-such-name.invalid",
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=dns_error spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=dns_error\n",
			wantLog: "502 dns_error", wantError: "dns_error",
		},
		"TLS": {
			backends: strings.Replace(replying(t, 200), "http:", "https:", 1),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=tls_handshake_error spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=tls_handshake_error\n",
			wantLog: "502 tls_handshake_error", wantError: "tls_handshake_error",
		},
		"timeout": {
			backends: "http://" + saying(t, ""),
			environ:  "BACKEND_RESPONSE_TIMEOUT=50ms",
			wantTree: "GET SERVER Error http.response.status_code=504 error.type=response_timeout spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=response_timeout\n",
			wantLog: "504 response_timeout", wantError: "response_timeout",
		},
		"the request's own deadline": {
			backends: "http://" + saying(t, ""),
			environ:  "REQUEST_TIMEOUT=50ms",
			wantTree: "GET SERVER Error http.response.status_code=504 error.type=timeout spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=timeout\n",
			wantLog: "504 timeout", wantError: "timeout",
		},
		"no valid response": {
			backends: "http://" + saying(t, "SSH-2.0-OpenSSH\r\n"),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=malformed_response spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=malformed_response\n",
			wantLog: "502 malformed_response", wantError: "malformed_response",
		},
		"an attempt failed, a later one answered": {
			retries:  "2",
			backends: "http://" + refusing(t) + "," + replying(t, 200),
			wantTree: "GET SERVER Unset http.response.status_code=200 spangate.attempt.count=2\n" +
				"  GET CLIENT Error error.type=connection_refused\n" +
				"  retry INTERNAL Unset\n" +
				"  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 link=2\n",
			wantLog: "200 <nil>",
		},
		"all attempts failed": {
			backends: "http://" + refusing(t) + ",http://" + refusing(t),
			retries:  "1",
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=connection_refused spangate.attempt.count=2\n" +
				"  GET CLIENT Error error.type=connection_refused\n" +
				"  retry INTERNAL Unset\n" +
				"  GET CLIENT Error error.type=connection_refused http.request.resend_count=1 link=2\n",
			wantLog: "502 connection_refused", wantError: "connection_refused",
		},
		"the backend died mid-body": {
			backends: "http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"),
			wantTree: "GET SERVER Error http.response.status_code=200 error.type=backend_reset spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=200 error.type=backend_reset\n",
			wantLog: "200 backend_reset", wantError: "backend_reset",
		},
		"an unknown method": {
			backends: replying(t, 200),
			request:  func(p *program) { p.once(t.Context(), "FROBNICATE", "/", nil) },
			wantTree: "HTTP SERVER Unset http.response.status_code=200 spangate.attempt.count=1\n" +
				"  HTTP CLIENT Unset http.response.status_code=200\n",
			wantLog: "200 <nil>",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.retries == "" {
				test.retries = "0"
			}
			p := start(t, "PROBE_MODE=off", "BACKENDS="+test.backends, "RETRY_ATTEMPTS="+test.retries, test.environ)
			if test.request == nil {
				test.request = func(p *program) { p.once(t.Context(), "GET", "/", nil) }
			}
			test.request(p)
			p.check(t, test.wantTree, test.wantLog, test.wantError)
		})
	}
}

// check stops the program and compares what it reported of one request.
func (p *program) check(t *testing.T, wantTree, wantLog, wantError string) {
	t.Helper()
	p.stop()
	p.checkSpans(t, wantTree, "http.response.status_code", "error.type", "http.request.resend_count", "spangate.attempt.count")
	lines := p.log.requests(t)
	if len(lines) != 1 {
		t.Fatalf("access log has %d lines, want 1", len(lines))
	}
	if got := fmt.Sprintf("%v %v", lines[0]["status"], lines[0]["error_type"]); got != wantLog {
		t.Errorf("access log says %s, want %s", got, wantLog)
	}
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" && (lines[0]["trace_id"] != span.TraceID || lines[0]["span_id"] != span.SpanID) {
			t.Errorf("access log names trace %v and span %v, want %s and %s", lines[0]["trace_id"], lines[0]["span_id"], span.TraceID, span.SpanID)
		}
		if len(span.Events) > 0 {
			t.Errorf("span %s has events %v: an abort is no exception", span.Name, span.Events)
		}
	}
	var got []any
	for _, point := range p.points("http.server.request.duration") {
		got = append(got, point.Attributes["error.type"])
	}
	want := []any{any(nil)}
	if wantError != "" {
		want[0] = wantError
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error.type of http.server.request.duration (-want +got):\n%s", diff)
	}
}

// TestDescriptions checks that the status of an attempt that failed says why in
// words, and neither names nor quotes anybody.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	plain := plainBackend(t, http.NotFound)
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	tests := map[string]struct {
		backend string
		environ string
		want    string
	}{
		"refused":                          {"http://" + refusing(t), "", "connection_refused: connect: connection refused"},
		"no such socket":                   {"http+unix:///no/such/socket", "", "connection_refused: connect: no such file or directory"},
		"no such host":                     {"http://no-such-name.invalid", "", "dns_error: no such host"},
		"no TLS":                           {strings.Replace(plain, "http:", "https:", 1), "", "tls_handshake_error: tls: first record does not look like a TLS handshake"},
		"an unknown authority":             {tlsServer.URL, "", "tls_handshake_error: x509: certificate signed by unknown authority"},
		"no handshake":                     {"https://127.0.0.1:" + takenPort(t), "BACKEND_CONNECT_TIMEOUT=50ms", "connect_timeout: i/o timeout"},
		"no response":                      {"http://" + saying(t, ""), "BACKEND_RESPONSE_TIMEOUT=50ms", "response_timeout: i/o timeout"},
		"no response in an attempt's time": {"http://" + saying(t, ""), "RETRY_TRY_TIMEOUT=50ms", "response_timeout: no response in the time that an attempt has"},
		"the request's own deadline":       {"http://" + saying(t, ""), "REQUEST_TIMEOUT=50ms", "timeout: i/o timeout"},
		"closed":                           {"http://" + saying(t, "HTTP/1.1 200 OK\r\nX: "), "", "connection_reset: unexpected EOF"},
		"closed amid the body":             {"http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"), "", "backend_reset: unexpected EOF"},
		"malformed, not quoted":            {"http://" + saying(t, "s3cret\r\n\r\n"), "", "malformed_response"},
		"a status says it itself":          {replying(t, 503), "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKENDS="+test.backend, test.environ)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			attempts := p.spans("CLIENT")
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
	fit, failing, down := replying(t, 200), replying(t, 503), "http://"+refusing(t)
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
			for _, span := range p.spans("SERVER") {
				if got := span.Attributes["spangate.backend"]; got != test.want {
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
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
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
			conn := dial(t, p.addr)
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfour")
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		}, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKENDS="+backend, test.environ)
			test.send(t, p)
			p.stop()
			lines := p.log.requests(t)
			if len(lines) != 1 || lines[0]["received"] != test.want {
				t.Errorf("access log %v, want received %v", lines, test.want)
			}
			for _, span := range p.spans("SERVER") {
				if got := span.Attributes["http.request.body.size"]; got != int64(test.want) {
					t.Errorf("the span says %v, want %v", got, test.want)
				}
			}
		})
	}
}

// TestHowGraveARequestIs holds the levels of the access log, in both dialects.
func TestHowGraveARequestIs(t *testing.T) {
	t.Parallel()
	get := func(t *testing.T, p *program) { p.once(t.Context(), "GET", "/", nil) }
	for name, test := range map[string]struct {
		backend string
		environ string
		send    func(*testing.T, *program)
		level   string
		gcp     string
	}{
		"200":              {backend: replying(t, 200), level: "INFO", gcp: "INFO"},
		"404":              {backend: replying(t, 404), level: "INFO", gcp: "INFO"},
		"429 of a backend": {backend: replying(t, 429), level: "WARN", gcp: "WARNING"},
		"429 of ours": {backend: replying(t, 200), environ: "RATE_LIMIT=1/h", send: func(t *testing.T, p *program) {
			p.once(t.Context(), "GET", "/", nil)
			p.once(t.Context(), "GET", "/", nil)
		}, level: "WARN", gcp: "WARNING"},
		"499": {backend: "http://" + saying(t, ""), send: func(t *testing.T, p *program) {
			conn := dial(t, p.addr)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			conn.Close()
			p.await(`"status":499`)
		}, level: "WARN", gcp: "WARNING"},
		"500 of a backend": {backend: replying(t, 500), level: "ERROR", gcp: "ERROR"},
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

func TestOutcomeOfAClientThatWentAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		close(gone)
	})
	p := start(t, "PROBE_MODE=off", "BACKENDS="+backend)
	p.once(ctx, "GET", "/", nil)
	<-gone
	p.check(t, "GET SERVER Error http.response.status_code=499 error.type=client_disconnected spangate.attempt.count=1\n"+
		"  GET CLIENT Unset\n", "499 client_disconnected", "client_disconnected")
}
