package export_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export"
	"spangate/telemetry/otlptest"
)

// seriesOf returns the points of a metric by the values of some of its attributes.
func seriesOf(metrics []otlptest.Metric, name string, keys ...string) map[string]float64 {
	all := map[string]float64{}
	for _, m := range metrics {
		if m.Name != name {
			continue
		}
		for _, p := range m.Points {
			var key strings.Builder
			for _, k := range keys {
				if v, ok := p.Attributes[k]; ok {
					fmt.Fprint(&key, v, " ")
				}
			}
			all[key.String()] = p.Value + float64(p.Count)
		}
	}
	return all
}

// A span that ends when traces are being shut down comes too late, and is counted so.
func TestEndsAfterShutdownAreCounted(t *testing.T) {
	var pipelines *export.Pipelines
	var late trace.Span
	traces := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { late.End() }))
	defer traces.Close()
	collector := otlptest.NewServer(t)
	pipelines = start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": traces.URL, "OTEL_LOGS_EXPORTER": "none",
	}, slog.New(slog.DiscardHandler), io.Discard)
	_, late = pipelines.Tracer.Tracer("test").Start(t.Context(), "late")
	record(t, pipelines, 1)
	shutdown(t, pipelines)
	want := map[string]float64{"exported ": 1, "dropped already_shutdown ": 1}
	if diff := cmp.Diff(want, seriesOf(collector.Metrics(), "spangate.telemetry.spans", "spangate.telemetry.result", "error.type")); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
	}
	want = map[string]float64{"": 1, "already_shutdown ": 1}
	if diff := cmp.Diff(want, seriesOf(collector.Metrics(), "otel.sdk.processor.span.processed", "error.type")); diff != "" {
		t.Errorf("otel.sdk.processor.span.processed (-want +got):\n%s", diff)
	}
}

// TestExportsAreTimed holds that each export is told of once, whatever it takes, with
// what became of it; and that collections are, by the reader.
func TestExportsAreTimed(t *testing.T) {
	for name, tt := range map[string]struct {
		statuses []int // of the answers to the export of spans
		want     string
	}{
		"taken":           {[]int{200}, "200 "},
		"taken at last":   {[]int{503, 200}, "200 "},
		"refused":         {[]int{401}, "export_failed 401 "},
		"refused at last": {[]int{503, 400}, "export_failed 400 "},
		"cut":             {[]int{0, 0, 0}, "export_failed "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			picky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				status := tt.statuses[min(int(asked.Add(1)), len(tt.statuses))-1]
				if status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(status)
			}))
			defer picky.Close()
			collector := otlptest.NewServer(t)
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": picky.URL, "OTEL_LOGS_EXPORTER": "none",
			}, slog.New(slog.DiscardHandler), io.Discard)
			_, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "span")
			span.End()
			shutdown(t, pipelines)
			got := seriesOf(collector.Metrics(), "otel.sdk.exporter.operation.duration", "error.type", "http.response.status_code", "otel.component.type")
			if diff := cmp.Diff(map[string]float64{tt.want + "otlp_http_span_exporter ": 1}, got); diff != "" {
				t.Errorf("otel.sdk.exporter.operation.duration (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMetricsOfMetrics holds that the exports of metrics are told of by the next one.
func TestMetricsOfMetrics(t *testing.T) {
	collector := otlptest.NewServer(t)
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
		"OTEL_METRICS_EXPORTER": "otlp,console,prometheus", "OTEL_METRIC_EXPORT_INTERVAL": "10",
	}, slog.New(slog.DiscardHandler), io.Discard)
	pipelines.Scrapes.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
	told := func(metrics []otlptest.Metric) bool {
		points := seriesOf(metrics, "otel.sdk.exporter.metric_data_point.exported", "otel.component.name", "error.type")
		exports := seriesOf(metrics, "otel.sdk.exporter.operation.duration", "otel.component.name", "http.response.status_code")
		collections := seriesOf(metrics, "otel.sdk.metric_reader.collection.duration", "otel.component.name")
		readers := []string{"periodic_metric_reader/0 ", "periodic_metric_reader/1 ", "prometheus_http_text_metric_exporter/0 "}
		return points["otlp_http_metric_exporter/0 "] > 0 && exports["otlp_http_metric_exporter/0 200 "] > 0 &&
			!slices.ContainsFunc(readers, func(reader string) bool { return collections[reader] == 0 })
	}
	collector.WaitMetrics(t, told)
	shutdown(t, pipelines)
}
