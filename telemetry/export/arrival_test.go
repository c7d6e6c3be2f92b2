package export_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/otlptest"
)

func TestEverythingArrives(t *testing.T) {
	for _, tt := range []struct {
		protocol, compression string
		url                   func(*otlptest.Server) string
	}{
		{"http/protobuf", "", (*otlptest.Server).URL},
		{"http/protobuf", "gzip", (*otlptest.Server).URL},
		{"grpc", "", (*otlptest.Server).GRPCURL},
		{"grpc", "gzip", (*otlptest.Server).GRPCURL},
	} {
		t.Run(tt.protocol+tt.compression, func(t *testing.T) {
			collector := otlptest.NewServer(t)
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT":        tt.url(collector),
				"OTEL_EXPORTER_OTLP_PROTOCOL":        tt.protocol,
				"OTEL_EXPORTER_OTLP_COMPRESSION":     tt.compression,
				"OTEL_EXPORTER_OTLP_HEADERS":         "x-team=blue%20sky",
				"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-team=red",
				"OTEL_RESOURCE_ATTRIBUTES":           "deployment.environment.name=test,service.name=ignored",
				"OTEL_SERVICE_NAME":                  "front",
			}, slog.New(slog.DiscardHandler), io.Discard)
			record(t, pipelines, 2)
			shutdown(t, pipelines)

			want := "span 0 INTERNAL Unset\nspan 1 INTERNAL Unset\nwith event INTERNAL Unset\n"
			spans := collector.Spans()
			if diff := cmp.Diff(want, otlptest.Tree(spans)); diff != "" {
				t.Fatalf("spans (-want +got):\n%s", diff)
			}
			resource := spans[0].Resource
			for key, value := range map[string]any{
				"service.name":                "front",
				"deployment.environment.name": "test",
				"telemetry.distro.name":       "spangate",
				"telemetry.sdk.language":      "go",
			} {
				if resource[key] != value {
					t.Errorf("resource %s is %v, want %v", key, resource[key], value)
				}
			}
			for _, key := range []string{"service.instance.id", "service.version", "process.pid", "host.name"} {
				if resource[key] == nil {
					t.Errorf("resource lacks %s", key)
				}
			}

			logs := collector.Logs()
			if len(logs) != 1 {
				t.Fatalf("log records: %v", logs)
			}
			logs[0].Time, logs[0].Resource = time.Time{}, nil
			wantLog := otlptest.Log{
				Body: "backend is down", Severity: "INFO", Event: "spangate.backend.state",
				TraceID: spans[2].TraceID, SpanID: spans[2].SpanID,
				Attributes: map[string]any{"backend": "a"}, Scope: "spangate",
			}
			if diff := cmp.Diff(wantLog, logs[0]); diff != "" {
				t.Errorf("log record (-want +got):\n%s", diff)
			}

			names := map[string]bool{}
			for _, m := range collector.Metrics() {
				names[m.Name] = true
			}
			for _, name := range []string{"test.count", "go.goroutine.count", "spangate.telemetry.spans"} {
				if !names[name] {
					t.Errorf("metric %s is missing in %v", name, names)
				}
			}
			if diff := cmp.Diff(map[string]float64{"exported": 3}, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}

			for _, r := range collector.Requests() {
				team := "blue sky"
				if r.Signal == "metrics" {
					team = "red"
				}
				got := []string{r.Protocol, r.Compression, r.Header.Get("X-Team")}
				if diff := cmp.Diff([]string{tt.protocol, tt.compression, team}, got); diff != "" {
					t.Errorf("request for %s (-want +got):\n%s", r.Signal, diff)
				}
			}
		})
	}
}

func TestInstancesDiffer(t *testing.T) {
	collector := otlptest.NewServer(t)
	ids := map[any]bool{}
	for range 2 {
		pipelines := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, slog.New(slog.DiscardHandler), io.Discard)
		record(t, pipelines, 1)
		shutdown(t, pipelines)
	}
	for _, span := range collector.Spans() {
		ids[span.Resource["service.instance.id"]] = true
	}
	if len(ids) != 2 {
		t.Errorf("service.instance.id of two instances: %v", ids)
	}
}

func TestCollectorThatStartsLater(t *testing.T) {
	for _, tt := range []struct {
		protocol string
		url      func(*otlptest.Server) string
	}{
		{"http/protobuf", (*otlptest.Server).URL},
		{"grpc", (*otlptest.Server).GRPCURL},
	} {
		t.Run(tt.protocol, func(t *testing.T) {
			collector := otlptest.NewUnstartedServer(t)
			log := newLogged()
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": tt.url(collector),
				"OTEL_EXPORTER_OTLP_PROTOCOL": tt.protocol,
				"OTEL_BSP_SCHEDULE_DELAY":     "1",
				"OTEL_BLRP_SCHEDULE_DELAY":    "1",
			}, log.logger(), io.Discard)
			record(t, pipelines, 3)
			<-log.came
			collector.Start(t)
			collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 4 })
			collector.WaitLogs(t, func(logs []otlptest.Log) bool { return len(logs) == 1 })
			shutdown(t, pipelines)

			if diff := cmp.Diff(map[string]float64{"exported": 4}, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}
			line := log.String()
			for _, want := range []string{"telemetry is not delivered", "telemetry is delivered again", "refused", strings.TrimPrefix(tt.url(collector), "http://")} {
				if !strings.Contains(line, want) {
					t.Errorf("log lacks %q:\n%s", want, line)
				}
			}
			if n := strings.Count(line, "\n"); n != 2 {
				t.Errorf("%d log lines, want 2:\n%s", n, line)
			}
		})
	}
}
