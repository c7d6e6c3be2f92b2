package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/balancer"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// TestStreams holds what is known of a stream while it goes on, and that
// neither a stream nor an upgraded connection passes for a slow answer.
func TestStreams(t *testing.T) {
	const toAnswer, toEnd = time.Second, time.Hour
	for _, test := range []struct {
		name        string
		status      int
		amid, atEnd map[string]float64 // seconds, by metric
	}{
		{
			"a stream", http.StatusOK,
			map[string]float64{"spangate.time_to_first_byte": 1, "spangate.attempt.time_to_first_byte": 1, "spangate.forward.duration": 1},
			map[string]float64{
				"spangate.time_to_first_byte": 1, "spangate.attempt.time_to_first_byte": 1, "spangate.forward.duration": 1,
				"http.server.request.duration": 3600, "http.client.request.duration": 3600,
			},
		},
		{
			"an upgraded connection", http.StatusSwitchingProtocols,
			map[string]float64{"spangate.time_to_first_byte": 1, "spangate.attempt.time_to_first_byte": 1, "spangate.forward.duration": 1},
			map[string]float64{
				"spangate.time_to_first_byte": 1, "spangate.attempt.time_to_first_byte": 1, "spangate.forward.duration": 1,
				"http.server.request.duration": 1, "http.client.request.duration": 1,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meter, reader := metering()
				tel := telemetry.From(telemetry.Config{}, export.Providers{
					Tracer: tracenoop.NewTracerProvider(), Meter: meter,
				}, nil, slog.New(slog.DiscardHandler))
				backend := &balancer.Backend{Name: "b", URL: &url.URL{Scheme: "http", Host: "b"}}
				forward := tel.Forward(tel.Balancer("").Attempt(backend, func() int { return 1 }, roundTrip(func(*http.Request) (*http.Response, error) {
					time.Sleep(toAnswer)
					return &http.Response{StatusCode: test.status, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader("x"))}, nil
				})))
				tel.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					resp, err := forward.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					w.WriteHeader(resp.StatusCode)
					if diff := cmp.Diff(test.amid, durations(t, reader)); diff != "" {
						t.Errorf("seconds while it goes on (-want +got):\n%s", diff)
					}
					time.Sleep(toEnd - toAnswer)
					resp.Body.Close()
				})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				if diff := cmp.Diff(test.atEnd, durations(t, reader)); diff != "" {
					t.Errorf("seconds at its end (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// durations returns the sums of what was measured in seconds, by metric.
func durations(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if histogram, ok := m.Data.(metricdata.Histogram[float64]); ok {
				for _, point := range histogram.DataPoints {
					sums[m.Name] += point.Sum
				}
			}
		}
	}
	return sums
}
