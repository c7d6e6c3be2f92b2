//go:build !race

package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestAllocations holds what the whole program allocates for a request that it
// forwards, over connections that are kept. A gate that is passed is either raised
// with a reason, or the change is mended.
func TestAllocations(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	otlp := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL
	for _, test := range []struct {
		name    string
		environ []string
		wait    time.Duration // of the backend's
		runs    int
		gate    float64
	}{
		{"telemetry is off", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, 0, 1000, 4},
		{"telemetry is off, a wait", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, 50 * time.Millisecond, 20, 6},
		// The line itself takes none. Six are of this test, which reads it.
		{"a line for each request", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=json"}, 0, 1000, 10},
		// A traced request has metrics and two spans. Its URL and the two fields that the backend
		// is told are texts of their own; all else is memory that is used again.
		{"every request is traced", []string{otlp, "ACCESS_LOG=off"}, 0, 1000, 7},
		{"one request in a hundred is traced", []string{otlp, "ACCESS_LOG=off", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"}, 0, 1000, 5},
	} {
		backends := "BACKENDS=http://" + repeatingAfter(t, test.wait, benchmarkAnswer) + ",http://" + repeatingAfter(t, test.wait, benchmarkAnswer)
		p := start(t, append(test.environ, backends)...)
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		ask := func() {
			if err := askAgain(conn, r); err != nil {
				t.Fatal(err)
			}
		}
		for range test.runs { // so that memory is there to be used again
			ask()
		}
		if got := testing.AllocsPerRun(test.runs, ask); got > test.gate {
			t.Errorf("%s: %v allocations, gate %v", test.name, got, test.gate)
		}
		conn.Close()
		p.stop()
	}
}
