package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"

	"spangate/telemetry/otlptest"
)

func TestConsole(t *testing.T) {
	stdout := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_TRACES_EXPORTER":  "console",
		"OTEL_METRICS_EXPORTER": "console",
		"OTEL_LOGS_EXPORTER":    "console",
	}, slog.New(slog.DiscardHandler), stdout)
	record(t, pipelines, 1)
	shutdown(t, pipelines)

	for _, want := range []string{
		"span 0                    INTERNAL", "\ntest.count                                7 \n", " INFO backend is down event.name=spangate.backend.state backend=a trace=",
	} {
		if !strings.Contains(stdout.String(), strings.TrimSuffix(want, " \n")) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
}

// A trace is on the console as soon as it has ended, in a tree and in JSON alike, unless
// a schedule is set, or that of a collector holds.
func TestConsoleIsShownAtOnce(t *testing.T) {
	for _, test := range []struct{ exporters, batch, want string }{
		{"console", "", "span 0 "}, {"console_json", "", `"name":"span 0"`}, {"console,console_json", "", "span 0 "},
		{"console", "2", ""}, {"otlp,console", "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			stdout := newLogged()
			pipelines := start(t, map[string]string{
				"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
				"OTEL_TRACES_EXPORTER": test.exporters, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": test.batch,
			}, slog.New(slog.DiscardHandler), stdout)
			record(t, pipelines, 1)
			synctest.Wait()
			if got := stdout.String(); !strings.Contains(got, test.want) || test.want == "" && got != "" {
				t.Errorf("%+v: %q", test, got)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			pipelines.Shutdown(ctx)
		})
	}
}

// Lines of OTLP's JSON are what a collector would get, one signal in each.
func TestConsoleJSON(t *testing.T) {
	stdout := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_TRACES_EXPORTER": "console_json", "OTEL_METRICS_EXPORTER": "console_json", "OTEL_LOGS_EXPORTER": "console_json",
		"OTEL_SERVICE_NAME": "a\x1bb\u202e",
	}, slog.New(slog.DiscardHandler), stdout)
	record(t, pipelines, 2)
	shutdown(t, pipelines)
	came := map[string]bool{}
	for line := range strings.Lines(stdout.String()) {
		var data struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []struct{ Name, TraceID string }
				}
			}
			ResourceLogs []struct {
				ScopeLogs []struct {
					LogRecords []struct{ EventName, TraceID string }
				}
			}
			ResourceMetrics []struct {
				ScopeMetrics []struct{ Metrics []struct{ Name string } }
			}
		}
		if err := json.Unmarshal([]byte(line), &data); err != nil || strings.ContainsAny(line, "\x1b\u202e") || !strings.Contains(line, `{"key":"service.name","value":{"stringValue":"a\u001bb\u202e"}}`) {
			t.Fatalf("%v in %q", err, line)
		}
		for _, resource := range data.ResourceSpans {
			for _, span := range resource.ScopeSpans[0].Spans {
				came[fmt.Sprint(span.Name, " ", len(span.TraceID))] = true
			}
		}
		for _, resource := range data.ResourceLogs {
			for _, record := range resource.ScopeLogs[0].LogRecords {
				came[fmt.Sprint(record.EventName, " ", len(record.TraceID))] = true
			}
		}
		for _, resource := range data.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, metric := range scope.Metrics {
					came[metric.Name] = true
				}
			}
		}
	}
	for _, want := range []string{"span 0 32", "span 1 32", "spangate.backend.state 32", "test.count", "spangate.telemetry.spans"} {
		if !came[want] {
			t.Errorf("no %s came, but %v", want, came)
		}
	}
}

func TestConsoleBesideOTLP(t *testing.T) {
	collector := otlptest.NewServer(t)
	stdout := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(),
		"OTEL_TRACES_EXPORTER":        "otlp,console",
	}, slog.New(slog.DiscardHandler), stdout)
	record(t, pipelines, 1)
	shutdown(t, pipelines)
	if !strings.Contains(stdout.String(), "span 0") || len(collector.Spans()) != 2 {
		t.Errorf("console: %s\ncollector: %v", stdout, collector.Spans())
	}
	if diff := cmp.Diff(map[string]float64{"exported": 2}, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
	}
}

// What the console does not take is no loss where there is a collector.
func TestConsoleThatFailsBesideOTLP(t *testing.T) {
	for exporters, want := range map[string]map[string]float64{
		"otlp,console": {"exported": 2}, "console": {"exported": 0, "failed export_failed": 2},
	} {
		collector := otlptest.NewServer(t)
		broken, stdout := io.Pipe()
		broken.Close()
		pipelines := start(t, map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_TRACES_EXPORTER": exporters,
		}, slog.New(slog.DiscardHandler), stdout)
		record(t, pipelines, 1)
		shutdown(t, pipelines)
		if diff := cmp.Diff(want, spanCounts(collector.Metrics())); diff != "" {
			t.Errorf("%s: spangate.telemetry.spans (-want +got):\n%s", exporters, diff)
		}
	}
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestNothingIsSent(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
	}{
		{"none", []string{"OTEL_TRACES_EXPORTER", "none", "OTEL_METRICS_EXPORTER", "none", "OTEL_LOGS_EXPORTER", "none"}},
		{"disabled", []string{"OTEL_SDK_DISABLED", "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			collector := otlptest.NewServer(t)
			pipelines := start(t, with(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, tt.env...),
				slog.New(slog.DiscardHandler), io.Discard)
			if pipelines.Events != nil {
				t.Error("there is a LogHandler")
			}
			carrier := propagation.MapCarrier{"traceparent": parent}
			ctx, span := pipelines.Tracer.Tracer("test").Start(pipelines.Propagator.Extract(t.Context(), carrier), "span")
			if want := "0af7651916cd43dd8448eb211c80319c"; span.SpanContext().TraceID().String() != want {
				t.Errorf("trace is %s, want the caller's", span.SpanContext().TraceID())
			}
			pipelines.Propagator.Inject(ctx, carrier)
			if !strings.HasSuffix(carrier["traceparent"], "-01") {
				t.Errorf("the caller's decision to sample was not passed on: %s", carrier["traceparent"])
			}
			span.End()
			record(t, pipelines, 1)
			shutdown(t, pipelines)
			if got := collector.Requests(); len(got) != 0 {
				t.Errorf("requests: %v", got)
			}
		})
	}
}
