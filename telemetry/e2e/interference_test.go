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
		b.Run(fault, func(b *testing.B) { compare(b, fault, false) })
		// Where telemetry leaves within requests, whose ends may wait for it.
		b.Run(fault+", on Cloud Run over HTTP/2", func(b *testing.B) { compare(b, fault, true, "PLATFORM=cloudrun") })
	}
}

func compare(b *testing.B, fault string, h2c bool, environ ...string) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	b.Cleanup(backend.Close)
	run := func(fault string) *spangate {
		_, to := startHostile(b, fault, "http/protobuf")
		cmd := exec.Command(spangateBinary)
		cmd.Env = append(append(to, "BACKENDS="+backend.URL), environ...)
		return launch(b, cmd)
	}
	var programs [2]*spangate
	var clients [2]*http.Client
	for i, fault := range []string{"takes all", fault} {
		programs[i], clients[i] = run(fault), newClient(h2c)
		defer clients[i].CloseIdleConnections()
	}
	var waits [2][]time.Duration
	n := 0
	for b.Loop() {
		for i := range programs {
			began := time.Now()
			if err := post(b.Context(), clients[i], programs[i].url, n, false); err != nil {
				b.Fatal(err)
			}
			waits[i] = append(waits[i], time.Since(began))
			n++
		}
	}
	for name, q := range map[string]float64{"p50-ratio": 0.5, "p99-ratio": 0.99} {
		b.ReportMetric(float64(quantile(waits[1], q))/float64(quantile(waits[0], q)), name)
	}
}

func quantile(waits []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[int(q*float64(len(sorted)-1))]
}
