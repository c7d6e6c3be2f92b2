package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"spangate/handler/admin"
	"spangate/telemetry/otlptest"
)

// What SHUTDOWN_TIMEOUT cuts off is nobody's fault but the proxy's.
func TestOutcomeOfAStreamThatIsCutOff(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			hijack(t, w, func(conn net.Conn, _ io.Reader) {
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
				io.Copy(io.Discard, conn)
			})
			return
		}
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for name, test := range map[string]struct {
		header []string
		status int
	}{
		"a stream":               {nil, http.StatusOK},
		"an upgraded connection": {[]string{"Connection: Upgrade", "Upgrade: x"}, http.StatusSwitchingProtocols},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s")
			resp, err := p.send(t.Context(), "GET", "/", nil, test.header...)
			if err != nil {
				t.Fatal(err)
			}
			p.stop()
			resp.Body.Close()
			want := fmt.Sprintf("GET SERVER Error http.response.status_code=%[1]d error.type=shutdown\n  GET CLIENT Unset http.response.status_code=%[1]d\n", test.status)
			p.checkSpans(t, want, "http.response.status_code", "error.type")
			if line := p.log.requests(t)[0]; line["error_type"] != "shutdown" {
				t.Errorf("the log says %v", line["error_type"])
			}
		})
	}
}

// A client that still sends its body is answered too.
func TestOutcomeOfAnUploadThatIsCutOff(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s", "TRUSTED_PROXIES=127.0.0.0/8", "MAX_CONCURRENT_REQUESTS=10")
	s := p.session(t)
	io.WriteString(s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	for p.status(t).Concurrency.Active == 0 {
	}
	p.stop()
	if resp, _ := s.response(t, "POST"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", resp.StatusCode)
	}
	want := "POST SERVER Error http.response.status_code=503 error.type=shutdown\n  POST CLIENT Unset\n"
	p.checkSpans(t, want, "http.response.status_code", "error.type")
}

// Who waits for an answer, or for a turn, is told so.
func TestOutcomeOfWhatIsCutOffBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s", "TRUSTED_PROXIES=127.0.0.0/8",
		"MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h")
	var clients sync.WaitGroup
	for _, here := range []func(*admin.Concurrency) int64{
		func(s *admin.Concurrency) int64 { return s.Active }, func(s *admin.Concurrency) int64 { return s.Queued },
	} {
		clients.Go(func() {
			resp, err := p.send(t.Context(), "GET", "/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", resp.StatusCode)
			}
		})
		for here(p.status(t).Concurrency) == 0 {
		}
	}
	p.stop()
	clients.Wait()
	// The turn of the second may still come, as the first leaves.
	const first = "GET SERVER Error http.response.status_code=503 error.type=shutdown spangate.retry.stop_reason=shutdown\n  GET CLIENT Unset\n"
	const second = "GET SERVER Error http.response.status_code=503 error.type=shutdown\n"
	if got := otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type", "spangate.retry.stop_reason"); got != first+second && got != first+first {
		t.Errorf("spans are\n%s", got)
	}
}
