package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/otlptest"
	"spangate/telemetry/setup"
)

// logged keeps log lines and tells of their arrival.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
	came  chan struct{} // holds one
}

func newLogged() *logged { return &logged{came: make(chan struct{}, 1)} }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.came <- struct{}{}:
	default:
	}
	return l.lines.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// start returns a running SDK; the test shuts it down.
func start(t testing.TB, environ map[string]string, log *slog.Logger, stdout io.Writer) *setup.SDK {
	t.Helper()
	sdk, err := setup.New(t.Context(), mustParse(t, environ), log, stdout)
	if err != nil {
		t.Fatal(err)
	}
	return sdk
}

func shutdown(t testing.TB, sdk *setup.SDK) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := sdk.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// record makes n spans, a measurement and an event.
func record(t testing.TB, sdk *setup.SDK, n int) {
	t.Helper()
	tracer, meter := sdk.TracerProvider.Tracer("test"), sdk.MeterProvider.Meter("test")
	for i := range n {
		_, span := tracer.Start(t.Context(), fmt.Sprint("span ", i))
		span.End()
	}
	counter, err := meter.Int64Counter("test.count")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 7)
	if sdk.LogHandler != nil {
		ctx, span := tracer.Start(t.Context(), "with event")
		slog.New(sdk.LogHandler).InfoContext(ctx, "backend is down", "event.name", "spangate.backend.state", "backend", "a")
		span.End()
	}
}

// spanCounts returns the points of spangate.telemetry.spans.
func spanCounts(metrics []otlptest.Metric) map[string]float64 {
	counts := map[string]float64{}
	for _, m := range metrics {
		if m.Name != "spangate.telemetry.spans" {
			continue
		}
		for _, p := range m.Points {
			key := fmt.Sprint(p.Attributes["result"])
			if cause, ok := p.Attributes["error.type"]; ok {
				key += " " + fmt.Sprint(cause)
			}
			counts[key] = p.Value
		}
	}
	return counts
}

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
			sdk := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT":        tt.url(collector),
				"OTEL_EXPORTER_OTLP_PROTOCOL":        tt.protocol,
				"OTEL_EXPORTER_OTLP_COMPRESSION":     tt.compression,
				"OTEL_EXPORTER_OTLP_HEADERS":         "x-team=blue%20sky",
				"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-team=red",
				"OTEL_RESOURCE_ATTRIBUTES":           "deployment.environment.name=test,service.name=ignored",
				"OTEL_SERVICE_NAME":                  "front",
			}, slog.New(slog.DiscardHandler), io.Discard)
			record(t, sdk, 2)
			shutdown(t, sdk)

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
		sdk := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, slog.New(slog.DiscardHandler), io.Discard)
		record(t, sdk, 1)
		shutdown(t, sdk)
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
			sdk := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": tt.url(collector),
				"OTEL_EXPORTER_OTLP_PROTOCOL": tt.protocol,
				"OTEL_BSP_SCHEDULE_DELAY":     "1",
				"OTEL_BLRP_SCHEDULE_DELAY":    "1",
			}, log.logger(), io.Discard)
			record(t, sdk, 3)
			<-log.came
			collector.Start(t)
			collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 4 })
			collector.WaitLogs(t, func(logs []otlptest.Log) bool { return len(logs) == 1 })
			shutdown(t, sdk)

			if diff := cmp.Diff(map[string]float64{"exported": 4}, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}
			line := log.String()
			for _, want := range []string{"telemetry is not delivered", "refused", "spans_lost=0", strings.TrimPrefix(tt.url(collector), "http://")} {
				if !strings.Contains(line, want) {
					t.Errorf("log lacks %q:\n%s", want, line)
				}
			}
			if n := strings.Count(line, "\n"); n != 1 {
				t.Errorf("%d log lines, want 1:\n%s", n, line)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	collector := otlptest.NewUnstartedServer(t)
	log := newLogged()
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":    collector.URL(),
		"OTEL_EXPORTER_OTLP_HEADERS":     "authorization=hunter2",
		"OTEL_BSP_MAX_QUEUE_SIZE":        "10",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5",
	}, log.logger(), io.Discard)
	record(t, sdk, 100)

	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sdk.Shutdown(ctx); err == nil {
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
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": slow.URL,
		"OTEL_LOGS_EXPORTER":                 "none",
		"OTEL_BSP_MAX_QUEUE_SIZE":            "4",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":     "4",
	}, slog.New(slog.DiscardHandler), io.Discard)
	record(t, sdk, 4)
	<-entered
	record(t, sdk, 10)
	close(release)
	shutdown(t, sdk)

	want := map[string]float64{"exported": 8, "dropped queue_full": 6}
	if diff := cmp.Diff(want, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
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
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": hung.URL,
		"OTEL_LOGS_EXPORTER":                 "none",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":     "4",
	}, log.logger(), io.Discard)
	record(t, sdk, 10)
	<-entered

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := sdk.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v, want a deadline", err)
	}
	if ctx.Err() != nil {
		t.Error("traces left no time for metrics")
	}
	record(t, sdk, 5)

	want := map[string]float64{"exported": 0, "failed shutdown_deadline": 4, "dropped shutdown_deadline": 6}
	if diff := cmp.Diff(want, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
	}
	if want := "spans_exported=0 spans_failed=4 spans_dropped=6"; !strings.Contains(log.String(), want) {
		t.Errorf("log lacks %q:\n%s", want, log)
	}
	if again := sdk.Shutdown(t.Context()); !errors.Is(again, err) {
		t.Errorf("second Shutdown returned %v, want %v", again, err)
	}
}

func TestAnswersOfTheCollector(t *testing.T) {
	partial, err := proto.Marshal(&coltraces.ExportTraceServiceResponse{
		PartialSuccess: &coltraces.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old (by an hour)"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ok := func(w http.ResponseWriter, _ *http.Request) {}
	for _, tt := range []struct {
		name    string
		answers []http.HandlerFunc
		want    map[string]float64
		log     string
	}{
		{"takes some", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(partial)
		}}, map[string]float64{"exported": 1, "failed rejected": 2}, "too old"},
		{"is busy, then takes all", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "come again", http.StatusServiceUnavailable)
		}, ok}, map[string]float64{"exported": 3}, "come again"},
		{"refuses for good", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "who are you", http.StatusUnauthorized)
		}}, map[string]float64{"exported": 0, "failed export_failed": 3}, "who are you"},
		{"hangs up, then takes all", []http.HandlerFunc{func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, ok}, map[string]float64{"exported": 3}, "EOF"},
		{"sends elsewhere", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}}, map[string]float64{"exported": 0, "failed export_failed": 3}, "307"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answers := make(chan http.HandlerFunc, len(tt.answers))
			for _, a := range tt.answers {
				answers <- a
			}
			picky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				select {
				case answer := <-answers:
					answer(w, r)
				default:
					t.Errorf("unexpected %s %s", r.Method, r.URL)
				}
			}))
			defer picky.Close()
			collector := otlptest.NewServer(t)
			log := newLogged()
			sdk := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": picky.URL,
				"OTEL_LOGS_EXPORTER":                 "none",
			}, log.logger(), io.Discard)
			record(t, sdk, 3)
			shutdown(t, sdk)
			if diff := cmp.Diff(tt.want, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log lacks %q:\n%s", tt.log, log)
			}
		})
	}
}

func TestConsole(t *testing.T) {
	var stdout bytes.Buffer
	sdk := start(t, map[string]string{
		"OTEL_TRACES_EXPORTER":  "console",
		"OTEL_METRICS_EXPORTER": "console",
		"OTEL_LOGS_EXPORTER":    "console",
	}, slog.New(slog.DiscardHandler), &stdout)
	record(t, sdk, 1)
	shutdown(t, sdk)

	for _, want := range []string{`"Name":"span 0"`, `"test.count"`, `"backend is down"`} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("standard output lacks %s", want)
		}
	}
	for line := range strings.Lines(stdout.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a line of JSON: %s", line)
		}
	}
}

func TestConsoleBesideOTLP(t *testing.T) {
	collector := otlptest.NewServer(t)
	var stdout bytes.Buffer
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(),
		"OTEL_TRACES_EXPORTER":        "otlp,console",
	}, slog.New(slog.DiscardHandler), &stdout)
	record(t, sdk, 1)
	shutdown(t, sdk)
	if !strings.Contains(stdout.String(), `"span 0"`) || len(collector.Spans()) != 2 {
		t.Errorf("console: %s\ncollector: %v", &stdout, collector.Spans())
	}
	if diff := cmp.Diff(map[string]float64{"exported": 2}, spanCounts(collector.Metrics())); diff != "" {
		t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
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
			sdk := start(t, with(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, tt.env...),
				slog.New(slog.DiscardHandler), io.Discard)
			if sdk.LogHandler != nil {
				t.Error("there is a LogHandler")
			}
			carrier := propagation.MapCarrier{"traceparent": parent}
			ctx, span := sdk.TracerProvider.Tracer("test").Start(sdk.Propagator.Extract(t.Context(), carrier), "span")
			if want := "0af7651916cd43dd8448eb211c80319c"; span.SpanContext().TraceID().String() != want {
				t.Errorf("trace is %s, want the caller's", span.SpanContext().TraceID())
			}
			sdk.Propagator.Inject(ctx, carrier)
			if !strings.HasSuffix(carrier["traceparent"], "-01") {
				t.Errorf("the caller's decision to sample was not passed on: %s", carrier["traceparent"])
			}
			span.End()
			record(t, sdk, 1)
			shutdown(t, sdk)
			if got := collector.Requests(); len(got) != 0 {
				t.Errorf("requests: %v", got)
			}
		})
	}
}

func TestSampler(t *testing.T) {
	for _, tt := range []struct {
		sampler, arg                       string
		root, sampledParent, unsampledPart bool
	}{
		{"", "", true, true, false},
		{"always_on", "", true, true, true},
		{"always_off", "", false, false, false},
		{"traceidratio", "", true, true, true},
		{"traceidratio", "1.0", true, true, true},
		{"traceidratio", "0", false, false, false},
		{"parentbased_always_on", "", true, true, false},
		{"parentbased_always_off", "", false, true, false},
		{"parentbased_traceidratio", "0", false, true, false},
		{"PARENTBASED_TRACEIDRATIO", "1", true, true, false},
	} {
		t.Run(tt.sampler+tt.arg, func(t *testing.T) {
			sdk := start(t, map[string]string{
				"OTEL_TRACES_SAMPLER":     tt.sampler,
				"OTEL_TRACES_SAMPLER_ARG": tt.arg,
				"OTEL_TRACES_EXPORTER":    "console",
				"OTEL_METRICS_EXPORTER":   "none",
				"OTEL_LOGS_EXPORTER":      "none",
			}, slog.New(slog.DiscardHandler), io.Discard)
			defer shutdown(t, sdk)
			sampled := func(traceparent string) bool {
				ctx := sdk.Propagator.Extract(t.Context(), propagation.MapCarrier{"traceparent": traceparent})
				_, span := sdk.TracerProvider.Tracer("test").Start(ctx, "span")
				defer span.End()
				return span.SpanContext().IsSampled()
			}
			want := []bool{tt.root, tt.sampledParent, tt.unsampledPart}
			got := []bool{sampled(""), sampled(parent), sampled(strings.TrimSuffix(parent, "1") + "0")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("root, sampled parent, unsampled parent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPropagators(t *testing.T) {
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	for _, tt := range []struct {
		propagators string
		want        propagation.MapCarrier
	}{
		{"", propagation.MapCarrier{"traceparent": "00-01000000000000000000000000000000-0200000000000000-01"}},
		{"b3", propagation.MapCarrier{"b3": "01000000000000000000000000000000-0200000000000000-1"}},
		{"none", propagation.MapCarrier{}},
	} {
		sdk := start(t, map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_PROPAGATORS": tt.propagators},
			slog.New(slog.DiscardHandler), io.Discard)
		got := propagation.MapCarrier{}
		sdk.Propagator.Inject(ctx, got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.propagators, diff)
		}
	}
}

func TestMetricPreferences(t *testing.T) {
	collector := otlptest.NewServer(t)
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":                              collector.URL(),
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        "Delta",
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
		"OTEL_METRICS_EXEMPLAR_FILTER":                             "always_on",
		"OTEL_METRIC_EXPORT_INTERVAL":                              "10",
	}, slog.New(slog.DiscardHandler), io.Discard)
	histogram, err := sdk.MeterProvider.Meter("test").Float64Histogram("test.duration")
	if err != nil {
		t.Fatal(err)
	}
	histogram.Record(t.Context(), 0.5)
	collector.WaitMetrics(t, func(metrics []otlptest.Metric) bool {
		for _, m := range metrics {
			if m.Name == "test.duration" && len(m.Points[0].Exemplars) == 1 {
				return m.Kind == "exponential_histogram" && m.Temporality == "delta"
			}
		}
		return false
	})
	shutdown(t, sdk)
}

func TestSpanLimits(t *testing.T) {
	collector := otlptest.NewServer(t)
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":       collector.URL(),
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
		"OTEL_ATTRIBUTE_COUNT_LIMIT":        "9",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":   "1",
		"OTEL_SPAN_EVENT_COUNT_LIMIT":       "0",
	}, slog.New(slog.DiscardHandler), io.Discard)
	_, span := sdk.TracerProvider.Tracer("test").Start(t.Context(), "span", trace.WithAttributes(
		attribute.String("a", "12345"), attribute.String("b", "12345")))
	span.AddEvent("event")
	span.End()
	shutdown(t, sdk)
	got := collector.Spans()[0]
	if diff := cmp.Diff(map[string]any{"a": "123"}, got.Attributes); diff != "" || len(got.Events) != 0 {
		t.Errorf("events %v, attributes (-want +got):\n%s", got.Events, diff)
	}
}

// onlyNames writes the names of the spans that the console exporter prints.
type onlyNames struct{ io.Writer }

func (w onlyNames) Write(p []byte) (int, error) {
	var span struct{ Name string }
	if err := json.Unmarshal(p, &span); err != nil {
		return 0, err
	}
	fmt.Fprintln(w.Writer, span.Name)
	return len(p), nil
}

func Example() {
	sdk, err := setup.New(context.Background(), setup.Config{
		TracesExporter: setup.Exporters{"console"},
	}, slog.New(slog.DiscardHandler), onlyNames{os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, span := sdk.TracerProvider.Tracer("shop").Start(context.Background(), "buy")
	span.End()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := sdk.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: buy
}
