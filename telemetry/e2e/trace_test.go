package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// durationBounds are the semantic conventions' for HTTP durations in seconds.
var durationBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func TestCollectorReceivesEachRequest(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const requests = 40
			backends := startBackends(t, "a", "b")
			collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			spangate := startSpangate(t, append(collector.environment(protocol),
				backends.environment(),
				"TRUSTED_PROXIES=127.0.0.0/8",
			)...)

			traced := func(n int) bool { return n%2 == 0 }
			began := time.Now()
			for n := 1; n <= requests; n++ {
				if err := post(t.Context(), http.DefaultClient, spangate.url, n, traced(n)); err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
			}
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			elapsed := time.Since(began).Seconds()
			collector.finish(t)

			server, attempts := collector.requests()
			if len(server) != requests {
				t.Fatalf("%d SERVER spans, want %d", len(server), requests)
			}
			client := make(map[string]ptrace.Span) // by span id
			for id := range server {
				if len(attempts[id]) != 1 {
					t.Errorf("SERVER span %s has %d CLIENT spans, want 1", id, len(attempts[id]))
				}
				for _, span := range attempts[id] {
					client[span.SpanID().String()] = span
				}
			}

			share := make(map[string]int)
			for n := 1; n <= requests; n++ {
				seen := backends.seen[fmt.Sprint(n)]
				share[seen.Backend]++
				part := strings.Split(seen.Traceparent, "-")
				if len(part) != 4 {
					t.Errorf("request %d: the backend saw traceparent %q", n, seen.Traceparent)
					continue
				}
				attempt, ok := client[part[2]]
				if !ok {
					t.Errorf("request %d: traceparent %q at the backend names no CLIENT span", n, seen.Traceparent)
					continue
				}
				request := server[attempt.ParentSpanID().String()]

				// The backend's word for the trace, unless the client had one.
				trace, parent := part[1], ""
				if traced(n) {
					trace, parent = traceID(n), parentID(n)
				}
				got := map[string]string{
					"trace at the backend":     part[1],
					"trace of the CLIENT span": attempt.TraceID().String(),
					"trace of the SERVER span": request.TraceID().String(),
					"parent of the SERVER one": request.ParentSpanID().String(),
				}
				want := map[string]string{
					"trace at the backend":     trace,
					"trace of the CLIENT span": trace,
					"trace of the SERVER span": trace,
					"parent of the SERVER one": parent,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("request %d (-want +got):\n%s", n, diff)
				}
			}
			if diff := cmp.Diff(map[string]int{"a": requests / 2, "b": requests / 2}, share); diff != "" {
				t.Errorf("requests of each backend (-want +got):\n%s", diff)
			}

			for _, name := range []string{"http.server.request.duration", "http.client.request.duration"} {
				got := collector.histogram(name)
				// One after another, none faster than its backend.
				if least := requests * backendTime.Seconds(); got.Sum < least || got.Sum > elapsed {
					t.Errorf("%s: sum is %v, want %v to %v seconds", name, got.Sum, least, elapsed)
				}
				want := histogram{Unit: "s", Bounds: durationBounds, Count: requests, Sum: got.Sum}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}
