package export_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/otlptest"
)

func TestNobodyListens(t *testing.T) {
	collector := otlptest.NewUnstartedServer(t)
	log := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":    collector.URL(),
		"OTEL_EXPORTER_OTLP_HEADERS":     "authorization=hunter2",
		"OTEL_BSP_MAX_QUEUE_SIZE":        "10",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5",
	}, log.logger(), io.Discard)
	record(t, pipelines, 100)

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := pipelines.Shutdown(ctx); err == nil {
		t.Log("metrics were not delivered, yet Shutdown returned nil")
		t.Fail()
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("Shutdown used up its time: %v", took)
	}

	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("want one line for the outage and one for the losses:\n%s", log)
	}
	var exported, failed, dropped int
	_, counts, _ := strings.Cut(lines[1], "spans_exported=")
	if _, err := fmt.Sscanf(counts, "%d spans_failed=%d spans_dropped=%d", &exported, &failed, &dropped); err != nil {
		t.Fatalf("%v in %s", err, lines[1])
	}
	if exported != 0 || failed+dropped != 101 {
		t.Errorf("101 spans ended, but %s", lines[1])
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("log shows a secret:\n%s", log)
	}
}

func TestOverflowIsCounted(t *testing.T) {
	var entered, release = make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}))
	defer slow.Close()
	collector := otlptest.NewServer(t)
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": slow.URL,
		"OTEL_LOGS_EXPORTER":                 "none",
		"OTEL_BSP_MAX_QUEUE_SIZE":            "4",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":     "4",
	}, slog.New(slog.DiscardHandler), io.Discard)
	record(t, pipelines, 4)
	<-entered
	record(t, pipelines, 10)
	close(release)
	shutdown(t, pipelines)

	want := map[string]float64{"exported": 8, "dropped queue_full": 6}
	if diff := cmp.Diff(want, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
	}
	want = map[string]float64{
		"processor.span.queue.capacity": 4, "processor.span.queue.size": 0,
		"processor.span.processed": 8, "processor.span.processed queue_full": 6,
		"exporter.span.exported": 8, "exporter.span.inflight": 0, "span.started": 14, "span.live": 0,
		"exporter.metric_data_point.exported": 0, "exporter.metric_data_point.inflight": 0,
	}
	if diff := cmp.Diff(want, selfMetrics(collector.Metrics())); diff != "" {
		t.Errorf("otel.sdk.* (-want +got):\n%s", diff)
	}
}

func TestDeadlineIsCounted(t *testing.T) {
	entered := make(chan struct{}, 10)
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // lets the server see that the client went away
		entered <- struct{}{}
		<-r.Context().Done()
	}))
	defer hung.Close()
	collector := otlptest.NewServer(t)
	log := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": hung.URL,
		"OTEL_LOGS_EXPORTER":                 "none",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":     "4",
	}, log.logger(), io.Discard)
	record(t, pipelines, 10)
	<-entered

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := pipelines.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v, want a deadline", err)
	}
	if ctx.Err() != nil {
		t.Error("traces left no time for metrics")
	}
	record(t, pipelines, 5)

	want := map[string]float64{"exported": 0, "failed shutdown_deadline": 4, "dropped shutdown_deadline": 6}
	if diff := cmp.Diff(want, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
	}
	want = map[string]float64{
		"processor.span.queue.capacity": 2048, "processor.span.queue.size": 0,
		"processor.span.processed": 4, "processor.span.processed shutdown_deadline": 6,
		"exporter.span.exported": 0, "exporter.span.exported shutdown_deadline": 4, "exporter.span.inflight": 0, "span.started": 10, "span.live": 0,
		"exporter.metric_data_point.exported": 0, "exporter.metric_data_point.inflight": 0,
	}
	if diff := cmp.Diff(want, selfMetrics(collector.Metrics())); diff != "" {
		t.Errorf("otel.sdk.* (-want +got):\n%s", diff)
	}
	if want := "spans_exported=0 spans_failed=4 spans_dropped=6"; !strings.Contains(log.String(), want) {
		t.Errorf("log lacks %q:\n%s", want, log)
	}
	if again := pipelines.Shutdown(t.Context()); !errors.Is(again, err) {
		t.Errorf("second Shutdown returned %v, want %v", again, err)
	}
}

// TestSelfMetrics holds what is said of the components that spans and log
// records pass through, by both protocols.
func TestSelfMetrics(t *testing.T) {
	for protocol, component := range map[string]string{"http/protobuf": "otlp_http", "grpc": "otlp_grpc"} {
		collector := otlptest.NewServer(t)
		endpoint := map[string]string{"http/protobuf": collector.URL(), "grpc": collector.GRPCURL()}[protocol]
		pipelines := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}, slog.New(slog.DiscardHandler), io.Discard)
		record(t, pipelines, 3)
		shutdown(t, pipelines)
		want := map[string]float64{
			"processor.span.queue.capacity": 2048, "processor.span.queue.size": 0, "processor.span.processed": 4,
			"exporter.span.exported": 4, "exporter.span.inflight": 0,
			"processor.log.queue.capacity": 2048, "processor.log.queue.size": 0, "processor.log.processed": 1,
			"exporter.log.exported": 1, "exporter.log.inflight": 0, "log.created": 1, "span.started": 4, "span.live": 0,
			"exporter.metric_data_point.exported": 0, "exporter.metric_data_point.inflight": 0,
		}
		if diff := cmp.Diff(want, selfMetrics(collector.Metrics())); diff != "" {
			t.Errorf("%s: otel.sdk.* (-want +got):\n%s", protocol, diff)
		}
		for _, m := range collector.Metrics() {
			if m.Name != "otel.sdk.exporter.span.exported" {
				continue
			}
			host, port, _ := strings.Cut(strings.TrimPrefix(endpoint, "http://"), ":")
			want := fmt.Sprint(map[string]any{
				"otel.component.type": component + "_span_exporter", "otel.component.name": component + "_span_exporter/0",
				"server.address": host, "server.port": port,
			})
			if got := fmt.Sprint(m.Points[0].Attributes); got != want {
				t.Errorf("%s: the exporter is %s, want %s", protocol, got, want)
			}
		}
	}
}
