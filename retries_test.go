package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTrees holds what a trace shows of retries, probes and states.
func TestTrees(t *testing.T) {
	t.Parallel()
	get := func(p *program) { p.once(t.Context(), "GET", "/", nil) }
	tests := map[string]struct {
		environ []string
		request func(*program)
		want    string
	}{
		"success": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=" + replying(t, 200)},
			want: "GET SERVER Unset spangate.retry.stop_reason=success\n" +
				"  GET CLIENT Unset\n",
		},
		"retry, then success": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=" + replying(t, 503) + "," + replying(t, 200)},
			want: "GET SERVER Unset spangate.retry.stop_reason=success\n" +
				"  GET CLIENT Error error.type=503\n" +
				"  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1\n" +
				"  GET CLIENT Unset link=2\n",
		},
		"all attempts fail": {
			environ: []string{"PROBE_MODE=off", "RETRY_BACKOFF=0", "BACKENDS=" + replying(t, 503) + "," + "http://" + refusing(t)},
			want: "GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n" +
				"  GET CLIENT Error error.type=503\n" +
				"  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1\n" +
				"  GET CLIENT Error error.type=connection_refused link=2\n" +
				"  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=2\n" +
				"  GET CLIENT Error error.type=503 link=4\n",
		},
		"not idempotent": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=http://" + saying(t, "HTTP/1.1 200 OK\r\nX: ")},
			request: func(p *program) { p.once(t.Context(), "POST", "/", strings.NewReader("sum")) },
			want: "POST SERVER Error error.type=connection_reset spangate.retry.stop_reason=not_idempotent\n" +
				"  POST CLIENT Error error.type=connection_reset\n",
		},
		"budget spent": {
			environ: []string{"PROBE_MODE=off", "RETRY_BUDGET=0%", "BACKENDS=" + replying(t, 503) + "," + replying(t, 200)},
			want: "GET SERVER Error error.type=503 spangate.retry.stop_reason=budget_exhausted\n" +
				"  GET CLIENT Error error.type=503\n",
		},
		"budget spent, nothing to pass on": {
			environ: []string{"PROBE_MODE=off", "RETRY_BUDGET=0%", "BACKENDS=http://" + refusing(t) + "," + replying(t, 200)},
			want: "GET SERVER Error error.type=connection_refused spangate.retry.stop_reason=budget_exhausted\n" +
				"  GET CLIENT Error error.type=connection_refused\n",
		},
		"a probe that fails": {
			environ: []string{"PROBE_PATH=/healthz", "PROBE_FALL=1", "RETRY_ATTEMPTS=0", "BACKENDS=" + replying(t, 503)},
			request: func(p *program) { p.await("backend state changed") },
			want: "probe INTERNAL Error error.type=503 spangate.probe.type=http spangate.probe.trigger=timer\n" +
				"  GET CLIENT Error user_agent.synthetic.type=test\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=down link=1\n",
		},
		"a probe on demand": {
			environ: []string{"PROBE_MODE=on-demand", "PROBE_INTERVAL=1h", "BACKENDS=" + replying(t, 200)},
			request: func(p *program) { p.await("backend state changed") },
			want: "probe INTERNAL Unset spangate.probe.type=tcp spangate.probe.trigger=request\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ready link=1\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.environ...)
			if test.request == nil {
				test.request = get
			}
			test.request(p)
			p.stop()
			p.checkSpans(t, test.want, "error.type", "spangate.retry.stop_reason", "spangate.retry.reason", "spangate.retry.attempt",
				"spangate.probe.type", "spangate.probe.trigger", "user_agent.synthetic.type", "spangate.backend.state")
		})
	}
}

// TestBackendThatBreaksOffAfterItsHeader checks that a response of which a
// client could use nothing is none.
func TestBackendThatBreaksOffAfterItsHeader(t *testing.T) {
	t.Parallel()
	for name, linger := range map[string]int{"closed": -1, "reset": 0} {
		t.Run(name, func(t *testing.T) {
			var received atomic.Int64
			breaking := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				received.Add(1)
				hijack(t, w, func(conn net.Conn, _ io.Reader) {
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
					conn.(*net.TCPConn).SetLinger(linger)
				})
			})
			backends := "BACKENDS=" + breaking + ",http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhole")
			check := func(p *program, want string) {
				t.Helper()
				p.stop()
				p.checkSpans(t, want, "error.type", "spangate.retry.stop_reason", "spangate.retry.reason")
			}

			p := start(t, "PROBE_MODE=off", backends)
			if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK || body != "whole" {
				t.Errorf("GET: status %d, body %q, want those of the other backend", resp.StatusCode, body)
			}
			check(p, "GET SERVER Unset spangate.retry.stop_reason=success\n"+
				"  GET CLIENT Error error.type=backend_reset\n"+
				"  retry INTERNAL Unset spangate.retry.reason=backend_reset\n"+
				"  GET CLIENT Unset link=2\n")

			received.Store(0)
			p = start(t, "PROBE_MODE=off", backends)
			resp, body := p.ask(t, "POST", "/", strings.NewReader("sum"))
			var problem struct{ Status int }
			if err := json.Unmarshal([]byte(body), &problem); err != nil || resp.StatusCode != http.StatusBadGateway || problem.Status != http.StatusBadGateway {
				t.Errorf("POST: status %d, body %q, want 502 and a problem that says so", resp.StatusCode, body)
			}
			if kind := resp.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("POST: Content-Type %q", kind)
			}
			if n := received.Load(); n != 1 {
				t.Errorf("POST was sent %d times", n)
			}
			check(p, "POST SERVER Error error.type=backend_reset spangate.retry.stop_reason=not_idempotent\n"+
				"  POST CLIENT Error error.type=backend_reset\n")
		})
	}
}

// TestTryTimeout checks that RETRY_TRY_TIMEOUT is the backend's time, not the
// client's.
func TestTryTimeout(t *testing.T) {
	t.Parallel()
	const limit, longer = 300 * time.Millisecond, 500 * time.Millisecond
	atOnce := func() io.Reader { return strings.NewReader("first, last") }
	slowly := func() io.Reader {
		body, client := io.Pipe()
		go func() {
			io.WriteString(client, "first, ")
			time.Sleep(longer) // what such a client does
			io.WriteString(client, "last")
			client.Close()
		}()
		return body
	}
	tests := map[string]struct {
		method     string
		body       func() io.Reader
		hangs      bool // the first of two backends, else there is one that answers
		wantStatus int
		want       string
	}{
		"a slow client": {
			method: "POST", body: slowly, wantStatus: 200,
			want: "POST SERVER Unset spangate.retry.stop_reason=success\n" +
				"  POST CLIENT Unset\n",
		},
		"a backend that hangs": {
			method: "PUT", body: atOnce, hangs: true, wantStatus: 200,
			want: "PUT SERVER Unset spangate.retry.stop_reason=success\n" +
				"  PUT CLIENT Error error.type=response_timeout\n" +
				"  retry INTERNAL Unset spangate.retry.reason=response_timeout\n" +
				"  PUT CLIENT Unset link=2\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
		"a slow client and a backend that hangs": {
			method: "PUT", body: slowly, hangs: true, wantStatus: 200,
			want: "PUT SERVER Unset spangate.retry.stop_reason=success\n" +
				"  PUT CLIENT Error error.type=response_timeout\n" +
				"  retry INTERNAL Unset spangate.retry.reason=response_timeout\n" +
				"  PUT CLIENT Unset link=2\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
		"not idempotent": {
			method: "POST", body: atOnce, hangs: true, wantStatus: 504,
			want: "POST SERVER Error error.type=response_timeout spangate.retry.stop_reason=not_idempotent\n" +
				"  POST CLIENT Error error.type=response_timeout\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fit := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Write(body)
			})
			backends := fit
			if test.hangs {
				backends = "http://" + saying(t, "") + "," + backends
			}
			// BACKEND_RESPONSE_TIMEOUT=0: nothing but the limit ends the wait for a backend.
			p := start(t, "PROBE_MODE=off", "BACKEND_RESPONSE_TIMEOUT=0", "RETRY_TRY_TIMEOUT="+limit.String(),
				"OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+backends)
			resp, body := p.ask(t, test.method, "/", test.body())
			if resp.StatusCode != test.wantStatus || resp.StatusCode == 200 && body != "first, last" {
				t.Errorf("status %d, body %q, want %d", resp.StatusCode, body, test.wantStatus)
			}
			p.stop()
			p.checkSpans(t, test.want, "error.type", "spangate.retry.stop_reason", "spangate.retry.reason", "spangate.backend.state")
		})
	}
}

// TestRetriesAvoidTheBusy checks that a further attempt goes where the algorithm
// would send it, too.
func TestRetriesAvoidTheBusy(t *testing.T) {
	t.Parallel()
	var busy, asked atomic.Int64 // which backend holds a request, and how many others it got
	held, end := make(chan struct{}), make(chan struct{})
	var urls []string
	for i := range int64(3) {
		backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/hold":
				busy.Store(i)
				close(held)
				<-end
			case i == busy.Load():
				asked.Add(1)
			case i == (busy.Load()+1)%3:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		urls = append(urls, backend)
	}
	t.Cleanup(func() { close(end) })
	p := start(t, "PROBE_MODE=off", "BALANCER=least-requests", "RETRY_BUDGET=100%", "RETRY_TRY_TIMEOUT=0", "OUTLIER_FAILURES=0",
		"ACCESS_LOG=off", "OTEL_SDK_DISABLED=true", "BACKENDS="+strings.Join(urls, ","))
	var holding sync.WaitGroup
	holding.Go(func() { p.once(t.Context(), "GET", "/hold", nil) })
	<-held
	for range 40 {
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	end <- struct{}{}
	holding.Wait()
	if n := asked.Load(); n > 0 {
		t.Errorf("the busy one got %d further attempts", n)
	}
}

// TestFullOutage counts what reaches backends that all fail: retries must not
// multiply the load on them.
func TestFullOutage(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int64
	failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	var urls []string
	for range 3 {
		backend := plainBackend(t, failing)
		urls = append(urls, backend)
	}
	p := start(t, "BACKENDS="+strings.Join(urls, ","), "ACCESS_LOG=off", "OTEL_SDK_DISABLED=true")
	// Each fails, and up to the budget is tried again: a share of 20 %, and the
	// 100 retries that are saved up, which are 5 % of so many requests.
	const requests, clients = 2000, 4
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for range requests / clients {
				if status := p.statusOver(t, transport, "GET"); status != http.StatusServiceUnavailable {
					t.Errorf("status %d", status)
					return
				}
			}
		})
	}
	asking.Wait()
	if n := attempts.Load(); n > requests*125/100 {
		t.Errorf("%d attempts at %d requests", n, requests)
	}
}
