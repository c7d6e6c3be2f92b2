package telemetry_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"spangate/handler/config"
	"spangate/telemetry"
	"spangate/telemetry/otlptest"
)

// TestExtrapolation counts requests by the spans of one in a hundred: each stands for
// as many as the threshold says that it has passed.
//
// Of 100,000 traces with numbers that are random as such, about 1,000 are sampled, give
// or take 32 in two cases of three, which is more than what is asked for here. So
// there is one number, at a place that is random, in each of as many equal parts: what
// is sampled can then be wrong by one, and what is wrong beyond is not by chance.
func TestExtrapolation(t *testing.T) {
	t.Parallel()
	const requests = 100_000
	for name, header := range map[string]func(random string) http.Header{
		"by their identifiers": func(random string) http.Header {
			return http.Header{"Traceparent": {"00-0af7651916cd43dd84" + random + "-b7ad6b7169203331-02"}}
		},
		"by numbers that callers give them": func(random string) http.Header {
			return http.Header{"Traceparent": {"00-0af7651916cd43dd8400000000000001-b7ad6b7169203331-02"}, "Tracestate": {"a=b,ot=rv:" + random}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			collector := otlptest.NewServer(t)
			var cfg telemetry.Config
			if _, _, err := config.Load(&cfg, []string{
				"TRACE_TRUST=trust", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01", "TRACE_KEEP=none", "ACCESS_LOG=off",
				"OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL(),
			}); err != nil {
				t.Fatal(err)
			}
			tel, err := telemetry.New(cfg, telemetry.Process{}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			server := tel.Server(http.NotFoundHandler())
			seeded := rand.New(rand.NewPCG(1, 2))
			for i := range requests {
				const part = uint64(1) << 56 / requests
				r := httptest.NewRequest("GET", "/", nil)
				r.Header = header(fmt.Sprintf("%014x", uint64(i)*part+seeded.Uint64N(part)))
				server.ServeHTTP(httptest.NewRecorder(), r)
			}
			tel.Flush(20*time.Second, nil)

			counted := 0.
			spans := collector.Spans()
			for _, span := range spans {
				counted += adjustedCount(t, span.TraceState)
			}
			if wrong := math.Abs(counted-requests) / requests; wrong > 0.02 {
				t.Errorf("%d spans stand for %v requests, which is wrong by %.1f %%: there were %d", len(spans), counted, 100*wrong, requests)
			}
			if len(spans) < requests/200 || len(spans) > requests/50 {
				t.Errorf("%d of %d requests have spans", len(spans), requests)
			}
		})
	}
}

// adjustedCount reads, as whoever gets spans does, for how many one with that trace
// state stands.
func adjustedCount(t *testing.T, state string) float64 {
	t.Helper()
	for member := range strings.SplitSeq(state, ",") {
		list, _ := strings.CutPrefix(member, "ot=")
		for member := range strings.SplitSeq(list, ";") {
			if th, ok := strings.CutPrefix(member, "th:"); ok {
				rejects, err := strconv.ParseUint((th + "00000000000000")[:14], 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				return 1 / (1 - float64(rejects)/(1<<56))
			}
		}
	}
	t.Fatalf("the trace state %q tells no threshold", state)
	return 0
}
