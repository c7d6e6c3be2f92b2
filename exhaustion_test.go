//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/admin"
	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// unhurried returns a session that may take as long as the test.
func (p *program) unhurried(t *testing.T) session {
	t.Helper()
	s := p.session(t)
	s.SetDeadline(time.Time{})
	return s
}

// get requests path, and returns the answer and all of its body.
func (s session) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	io.WriteString(s, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return s.response(t, "GET")
}

// states returns those of the backends.
func (s session) states(t *testing.T) (states []balancer.State) {
	t.Helper()
	var said admin.Snapshot
	_, body := s.get(t, "/.spangate/status")
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		t.Fatalf("status %s: %v", body, err)
	}
	for _, b := range said.Backends {
		states = append(states, b.State)
	}
	return states
}

// TestClientsThatTakeAllDescriptors checks that backends are not blamed for what
// this process lacks: clients without a request have taken all descriptors that
// it may have.
func TestClientsThatTakeAllDescriptors(t *testing.T) {
	t.Parallel()
	probes := map[string][]string{
		"tcp":  nil,
		"http": {"PROBE_PATH=/healthz"},
	}
	for name, environ := range probes {
		t.Run(name, func(t *testing.T) {
			var urls []string
			for range 2 {
				backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Connection", "close") // so that each request takes a descriptor
				})
				urls = append(urls, backend)
			}
			p := startLimited(t, "ulimit -n 64", append(environ, "BACKENDS="+strings.Join(urls, ","),
				"PROBE_INTERVAL=20ms", "OTEL_BSP_SCHEDULE_DELAY=20", "TRACE_TRUST=trust")...)
			client := p.unhurried(t)
			ready := []balancer.State{balancer.Ready, balancer.Ready}
			for !slices.Equal(client.states(t), ready) {
			}
			client.get(t, "/first")
			p.collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) > 0 }) // over a connection that is kept
			var idle []net.Conn
			for range 100 {
				conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				idle = append(idle, conn)
			}
			p.await("out of file descriptors")

			var resp *http.Response
			var body string
			for resp == nil || resp.StatusCode == http.StatusOK { // until what was free is taken
				resp, body = client.get(t, "/during")
			}
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Errorf("%s, Retry-After %q: %s", resp.Status, resp.Header.Get("Retry-After"), body)
			}
			p.collector.WaitSpans(t, func(spans []otlptest.Span) bool {
				n := map[any]int{}
				for _, s := range spans {
					if s.Name == "probe" && s.Attributes["spangate.probe.result"] == "inconclusive" && s.Attributes["error.type"] == "overloaded" {
						n[s.Attributes["spangate.backend"]]++
					}
				}
				return n[urls[0]] > 3 && n[urls[1]] > 3 // PROBE_FALL is 2
			})
			if diff := cmp.Diff(ready, client.states(t)); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}

			for _, conn := range idle {
				conn.Close()
			}
			for resp.StatusCode != http.StatusOK {
				resp, _ = client.get(t, "/after")
			}
			resp, _ = p.unhurried(t).get(t, "/.spangate/ready")
			if resp.StatusCode != http.StatusOK {
				t.Errorf("ready: %s", resp.Status)
			}
			p.stop()
			p.checkExhaustion(t, "out of file descriptors")
		})
	}
}

// inNamespace says that this process has a network of its own.
const inNamespace = "SPANGATE_TEST_HAS_A_NETWORK"

// TestLocalPortsThatAreAllTaken does the same where connections to a backend take
// all local ports, which are counted for each address that they lead to.
func TestLocalPortsThatAreAllTaken(t *testing.T) {
	t.Parallel()
	if os.Getenv(inNamespace) == "" {
		cmd := exec.Command("unshare", "-rn", "sh", "-c", `ip link set lo up && exec "$0" -test.run "^TestLocalPortsThatAreAllTaken$"`, os.Args[0])
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		out, err := cmd.CombinedOutput()
		if text := string(out); err != nil && !strings.Contains(text, "FAIL") {
			t.Skipf("no namespaces here: %v %s", err, text)
		} else if err != nil {
			t.Error(text)
		}
		return
	}
	var urls, addrs []string
	for range 2 {
		backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") })
		urls, addrs = append(urls, backend), append(addrs, strings.TrimPrefix(backend, "http://"))
	}
	p := start(t, "BACKENDS="+strings.Join(urls, ","), "PROBE_INTERVAL=20ms", "OTEL_BSP_SCHEDULE_DELAY=20")
	client := p.unhurried(t)
	ready := []balancer.State{balancer.Ready, balancer.Ready}
	for !slices.Equal(client.states(t), ready) {
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40031"), 0); err != nil {
		t.Fatal(err)
	}
	taken := map[string][]net.Conn{}
	take := func(addr string) {
		for {
			conn, err := net.Dial("tcp", addr)
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			taken[addr] = append(taken[addr], conn)
		}
	}
	inconclusive := func(urls ...string) {
		p.collector.WaitSpans(t, func(spans []otlptest.Span) bool {
			n := map[any]int{}
			for _, s := range spans {
				if s.Name == "probe" && s.Attributes["spangate.probe.result"] == "inconclusive" {
					n[s.Attributes["spangate.backend"]]++
				}
			}
			return !slices.ContainsFunc(urls, func(url string) bool { return n[url] < 3 })
		})
	}
	take(addrs[0])
	inconclusive(urls[0])
	for range 4 {
		if resp, _ := client.get(t, "/"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s while ports are left for the other backend", resp.Status)
		}
	}
	take(addrs[1])
	inconclusive(urls...)
	resp, _ := client.get(t, "/")
	for resp.StatusCode == http.StatusOK { // over ports that were still in TIME-WAIT before
		take(addrs[0])
		take(addrs[1])
		resp, _ = client.get(t, "/")
	}
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s while no ports are left", resp.Status)
	}
	if diff := cmp.Diff(ready, client.states(t)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	for _, conns := range taken {
		for _, conn := range conns {
			conn.(*net.TCPConn).SetLinger(0) // leaves no trace of itself
			conn.Close()
		}
	}
	for resp.StatusCode != http.StatusOK {
		resp, _ = client.get(t, "/")
	}
	p.stop()
	p.checkExhaustion(t, "out of local ports")
}

// TestAuthoritiesAreReadBeforeTheyAreNeeded checks that no handshake has to open
// the system's list of them: if no descriptor was left for it just then, nobody
// would be trusted any more.
func TestAuthoritiesAreReadBeforeTheyAreNeeded(t *testing.T) {
	t.Parallel()
	backend := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(backend.Close)
	authorities := wiretest.CertificateFile(t, backend)
	p := startLimited(t, "true", "SSL_CERT_FILE="+authorities, "SSL_CERT_DIR="+t.TempDir(), "PROBE_MODE=off", "BACKENDS="+backend.URL)
	if err := os.Remove(authorities); err != nil {
		t.Fatal(err)
	}
	if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

// checkExhaustion compares what a program that has stopped told of it.
func (p *program) checkExhaustion(t *testing.T, warning string) {
	t.Helper()
	p.log.mu.Lock()
	text := p.log.text.String()
	p.log.mu.Unlock()
	if n := strings.Count(text, warning); n != 1 {
		t.Errorf("%d lines say %q, want 1 a minute", n, warning)
	}
	for line := range strings.Lines(text) {
		var fields map[string]any
		json.Unmarshal([]byte(line), &fields)
		if state := fields["spangate.backend.state"]; state == "down" || state == "ejected" {
			t.Errorf("a backend was blamed: %s", line)
		}
		if fields["msg"] == warning && (fields["level"] != "WARN" || fields["advice"] == nil) {
			t.Errorf("no advice, or no warning: %s", line)
		}
	}
	overloaded := 0
	for _, line := range p.log.requests(t) {
		switch {
		case line["error_type"] == "overloaded" && line["status"] == 503.0:
			overloaded++
		case line["status"] != 200.0:
			t.Errorf("access log: %v", line)
		}
	}
	for _, span := range p.spans("SERVER") {
		if span.Status == "Error" && (span.Attributes["error.type"] != "overloaded" || span.Attributes["http.response.status_code"] != int64(503)) {
			t.Errorf("a request's span says %v", span.Attributes)
		}
	}
	if overloaded == 0 {
		t.Error("no request was overloaded")
	}
}
