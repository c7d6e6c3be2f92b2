package export_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/series"
	"spangate/telemetry/otlptest"
)

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
		{"rate_limited", "0.001", true, false, false},
		{"rate_limited", "3", true, true, true},
		{"parentbased_rate_limited", "0.001", true, true, false},
	} {
		t.Run(tt.sampler+tt.arg, func(t *testing.T) {
			pipelines := start(t, map[string]string{
				"OTEL_TRACES_SAMPLER":     tt.sampler,
				"OTEL_TRACES_SAMPLER_ARG": tt.arg,
				"OTEL_TRACES_EXPORTER":    "console",
				"OTEL_METRICS_EXPORTER":   "none",
				"OTEL_LOGS_EXPORTER":      "none",
			}, slog.New(slog.DiscardHandler), io.Discard)
			defer shutdown(t, pipelines)
			sampled := func(traceparent string) bool {
				ctx := pipelines.Propagator.Extract(t.Context(), propagation.MapCarrier{"traceparent": traceparent})
				_, span := pipelines.Tracer.Tracer("test").Start(ctx, "span", trace.WithSpanKind(trace.SpanKindServer))
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

// A caller that is believed and does not sample is asked, or not; what a
// request leads to has its fate; and the program's own spans have theirs.
func TestSamplerOfWholeRequests(t *testing.T) {
	unsampled := strings.TrimSuffix(parent, "1") + "0"
	for _, tt := range []struct {
		name        string
		environ     []string
		traceparent string
		want        []bool // sampled: the request's span, its child's, the program's own
	}{
		{"follows", nil, unsampled, []bool{false, false, true}},
		{"decides anew", []string{"TRACE_UNSAMPLED_PARENT", "resample"}, unsampled, []bool{true, true, true}},
		{"decides anew, not", []string{"TRACE_UNSAMPLED_PARENT", "resample", "OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0"}, unsampled, []bool{false, false, true}},
		{"one of many", []string{"OTEL_TRACES_SAMPLER", "rate_limited", "OTEL_TRACES_SAMPLER_ARG", "0.001"}, "", []bool{true, true, true}},
		{"none", []string{"OTEL_TRACES_SAMPLER", "always_off"}, parent, []bool{false, false, false}},
		{"no exporter", []string{"OTEL_TRACES_EXPORTER", "none"}, "", []bool{false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environ := map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
			for i := 0; i < len(tt.environ); i += 2 {
				environ[tt.environ[i]] = tt.environ[i+1]
			}
			pipelines := start(t, environ, slog.New(slog.DiscardHandler), io.Discard)
			defer shutdown(t, pipelines)
			tracer := pipelines.Tracer.Tracer("test")
			ctx := pipelines.Propagator.Extract(t.Context(), propagation.MapCarrier{"traceparent": tt.traceparent})
			ctx, request := tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
			_, child := tracer.Start(ctx, "child", trace.WithSpanKind(trace.SpanKindClient))
			_, own := tracer.Start(t.Context(), "probe")
			var got []bool
			for _, span := range []trace.Span{request, child, own} {
				span.End()
				got = append(got, span.SpanContext().IsSampled())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request, child, own (-want +got):\n%s", diff)
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
		pipelines := start(t, map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_PROPAGATORS": tt.propagators},
			slog.New(slog.DiscardHandler), io.Discard)
		got := propagation.MapCarrier{}
		pipelines.Propagator.Inject(ctx, got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.propagators, diff)
		}
	}
}

func TestMetricPreferences(t *testing.T) {
	collector := otlptest.NewServer(t)
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":                              collector.URL(),
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        "Delta",
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
		"OTEL_METRICS_EXEMPLAR_FILTER":                             "always_on",
		"OTEL_METRIC_EXPORT_INTERVAL":                              "10",
	}, slog.New(slog.DiscardHandler), io.Discard)
	histogram := pipelines.Meter.Meter("test", "").Durations(series.Description{Name: "test.duration"}).Of()
	histogram.Record(t.Context(), time.Second/2)
	collector.WaitMetrics(t, func(metrics []otlptest.Metric) bool {
		for _, m := range metrics {
			if m.Name == "test.duration" && len(m.Points[0].Exemplars) == 1 {
				return m.Kind == "exponential_histogram" && m.Temporality == "delta"
			}
		}
		return false
	})
	shutdown(t, pipelines)
}

func TestSpanLimits(t *testing.T) {
	collector := otlptest.NewServer(t)
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":       collector.URL(),
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
		"OTEL_ATTRIBUTE_COUNT_LIMIT":        "9",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":   "1",
		"OTEL_SPAN_EVENT_COUNT_LIMIT":       "0",
	}, slog.New(slog.DiscardHandler), io.Discard)
	_, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "span", trace.WithAttributes(
		attribute.String("a", "12345"), attribute.String("b", "12345")))
	span.AddEvent("event")
	span.End()
	shutdown(t, pipelines)
	got := collector.Spans()[0]
	if diff := cmp.Diff(map[string]any{"a": "123"}, got.Attributes); diff != "" || len(got.Events) != 0 {
		t.Errorf("events %v, attributes (-want +got):\n%s", got.Events, diff)
	}
}

// The SDK and its exporters read the environment of the process too. In tests
// that start the whole program it is not the one that was asked for.
func TestConfigGoesBeforeTheProcessEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":     "http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_PROTOCOL":     "grpc",
		"OTEL_EXPORTER_OTLP_HEADERS":      "x-team=process",
		"OTEL_EXPORTER_OTLP_COMPRESSION":  "gzip",
		"OTEL_EXPORTER_OTLP_TIMEOUT":      "1",
		"OTEL_EXPORTER_OTLP_CERTIFICATE":  "/nowhere/ca.pem",
		"OTEL_TRACES_SAMPLER":             "always_off",
		"OTEL_SERVICE_NAME":               "process",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0",
		"OTEL_METRICS_EXEMPLAR_FILTER":    "always_off",
		"OTEL_METRIC_EXPORT_INTERVAL":     "1",
	} {
		t.Setenv(name, value)
	}
	collector := otlptest.NewServer(t)
	log := newLogged()
	pipelines := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, log.logger(), io.Discard)
	_, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "span", trace.WithAttributes(attribute.Int("a", 1)))
	span.End()
	record(t, pipelines, 0)
	shutdown(t, pipelines)

	spans := collector.Spans()
	if diff := cmp.Diff("span INTERNAL Unset a=1\nwith event INTERNAL Unset\n", otlptest.Tree(spans, "a")); diff != "" {
		t.Fatalf("spans (-want +got):\n%s", diff)
	}
	if got := spans[0].Resource["service.name"]; got != "spangate" {
		t.Errorf("service.name is %v", got)
	}
	requests := collector.Requests()
	if len(requests) != 3 {
		t.Errorf("%d exports, want one of each signal", len(requests))
	}
	for _, r := range requests {
		if r.Compression != "" || r.Header.Get("X-Team") != "" {
			t.Errorf("request for %s has the environment's headers: %v", r.Signal, r.Header)
		}
	}
	if log.String() != "" {
		t.Errorf("log:\n%s", log)
	}
}

// What nobody bounds is bounded.
func TestLimitsByDefault(t *testing.T) {
	collector := otlptest.NewServer(t)
	pipelines := start(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL()}, slog.New(slog.DiscardHandler), io.Discard)
	const longest, most = 4096, 2000
	long := strings.Repeat("é", longest+1)
	_, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "test")
	span.SetAttributes(attribute.String("long", long))
	span.End()
	slog.New(pipelines.Events).Info("test", "long", long)
	counter := pipelines.Meter.Meter("test", "").Counter(series.Description{Name: "test.count"})
	for i := range 2 * most {
		counter.Of(attribute.Int("i", i)).Add(t.Context(), 1)
	}
	if err := pipelines.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, attributes := range map[string]map[string]any{
		"span": collector.Spans()[0].Attributes, "log record": collector.Logs()[0].Attributes,
	} {
		if n := len([]rune(attributes["long"].(string))); n != longest {
			t.Errorf("text of a %s: %d characters, want %d", what, n, longest)
		}
	}
	for _, m := range collector.Metrics() {
		if m.Name == "test.count" && len(m.Points) != most {
			t.Errorf("%d series, want %d", len(m.Points), most)
		}
	}
}
