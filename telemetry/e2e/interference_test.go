package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkHostileCollector compares what clients wait while the collector has
// a fault with what they wait while it takes all, of two programs that are
// asked in turn. Its results are the ratios of the medians and of the 99th
// percentiles: 1 where the collector makes no difference.
func BenchmarkHostileCollector(b *testing.B) {
	for fault := range faults {
		b.Run(fault, func(b *testing.B) {
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
			b.Cleanup(backend.Close)
			run := func(fault string) *spangate {
				_, environ := startHostile(b, fault, "http/protobuf")
				cmd := exec.Command(spangateBinary)
				cmd.Env = append(environ, "BACKENDS="+backend.URL)
				return launch(b, cmd)
			}
			healthy, faulty := run("takes all"), run(fault)
			client := newClient(false)
			defer client.CloseIdleConnections()

			var waits [2][]time.Duration
			n := 0
			for b.Loop() {
				for i, spangate := range []*spangate{healthy, faulty} {
					began := time.Now()
					if err := post(b.Context(), client, spangate.url, n, false); err != nil {
						b.Fatal(err)
					}
					waits[i] = append(waits[i], time.Since(began))
					n++
				}
			}
			for name, q := range map[string]float64{"p50-ratio": 0.5, "p99-ratio": 0.99} {
				b.ReportMetric(float64(quantile(waits[1], q))/float64(quantile(waits[0], q)), name)
			}
		})
	}
}

func quantile(waits []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[int(q*float64(len(sorted)-1))]
}
