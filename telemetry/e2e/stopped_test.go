package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// noTimer is an environment in which no timer of the program's has telemetry
// exported while a test lasts, and no wait for an export ends before it does.
var noTimer = []string{
	"PLATFORM=cloudrun", "TRACE_TRUST=trust",
	"OTEL_BSP_SCHEDULE_DELAY=3600000", "OTEL_BLRP_SCHEDULE_DELAY=3600000", "OTEL_METRIC_EXPORT_INTERVAL=3600000",
	"TELEMETRY_FLUSH_BUDGET=1m",
}

// On a platform that stops the CPU as soon as an answer has gone out, each
// trace is delivered while the next request is in flight.
func TestStoppedBetweenRequests(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			answer := make(chan struct{})
			t.Cleanup(func() { close(answer) })
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-answer
				body, _ := io.ReadAll(r.Body)
				// An answer in pieces ends when its handler does: nothing can be
				// delivered between its last byte and the stop.
				w.(http.Flusher).Flush()
				w.Write(body)
			}))
			t.Cleanup(backend.Close)
			spangate := startSpangate(t, append(append(collector.environment(protocol), noTimer...), "BACKENDS="+backend.URL)...)
			client := newClient(false)
			t.Cleanup(client.CloseIdleConnections)

			const requests = 20
			for n := 1; n <= requests; n++ {
				spangate.signal(t, syscall.SIGCONT)
				ended := make(chan error, 1)
				go func() { ended <- post(t.Context(), client, spangate.url, n, true) }()
				if n > 1 {
					collector.await(t, fmt.Sprintf("trace %d while request %d was in flight", n-1, n), func(arrived int) bool { return arrived == n-1 })
				}
				answer <- struct{}{}
				if err := <-ended; err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
				spangate.signal(t, syscall.SIGSTOP)
			}
			spangate.signal(t, syscall.SIGCONT)
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			collector.finish(t)
			if server, _ := collector.requests(); len(server) != requests {
				t.Errorf("%d SERVER spans of %d requests", len(server), requests)
			}
		})
	}
}

// Where the end of an answer is its handler's, as over HTTP/2 and in pieces, what
// the request before it left is delivered by then, however quick the answer is.
func TestStoppedAfterQuickAnswersInPieces(t *testing.T) {
	for name, h2c := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.(http.Flusher).Flush()
				w.Write(body)
			}))
			t.Cleanup(backend.Close)
			spangate := startSpangate(t, append(append(collector.environment("http/protobuf"), noTimer...), "BACKENDS="+backend.URL)...)
			client := newClient(h2c)
			t.Cleanup(client.CloseIdleConnections)

			const requests = 30
			for n := 1; n <= requests; n++ {
				spangate.signal(t, syscall.SIGCONT)
				if err := post(t.Context(), client, spangate.url, n, true); err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
				spangate.signal(t, syscall.SIGSTOP)
				if n > 1 {
					collector.await(t, fmt.Sprintf("trace %d once request %d was answered", n-1, n), func(arrived int) bool { return arrived == n-1 })
				}
			}
			spangate.signal(t, syscall.SIGCONT)
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			collector.finish(t)
		})
	}
}

// Where an answer tells its length, its own trace is delivered between its last
// byte and the end of the request; a health probe delivers what was left.
func TestStoppedAfterTheRequest(t *testing.T) {
	collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pieces" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "hello")
	}))
	t.Cleanup(backend.Close)
	spangate := startSpangate(t, append(append(collector.environment("http/protobuf"), noTimer...), "BACKENDS="+backend.URL)...)

	// get runs the program for as long as one request lasts, until its connection
	// is closed.
	get := func(path string, n int) {
		t.Helper()
		spangate.signal(t, syscall.SIGCONT)
		defer spangate.signal(t, syscall.SIGSTOP)
		conn, err := net.Dial("tcp", strings.TrimPrefix(spangate.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: spangate\r\nConnection: close\r\nTraceparent: 00-%s-%s-01\r\n\r\n", path, traceID(n), parentID(n))
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d, %v", path, resp.StatusCode, err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Fatalf("%s: after the answer: %v", path, err)
		}
	}
	arrives := func(n int) {
		t.Helper()
		collector.await(t, fmt.Sprintf("trace %d while the program was stopped", n), func(arrived int) bool { return arrived == n })
	}
	for n := 1; n < 20; n += 2 {
		get("/", n)
		arrives(n)
		get("/pieces", n+1)
		get("/.spangate/live", 0)
		arrives(n + 1)
	}
	spangate.signal(t, syscall.SIGCONT)
	if err := spangate.terminate(t); err != nil {
		t.Errorf("spangate ended: %v", err)
	}
	collector.finish(t)
}
