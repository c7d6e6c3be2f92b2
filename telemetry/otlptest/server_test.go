package otlptest_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/otlptest"
)

// send exports one request of each signal to a collector.
type send func(*testing.T, *otlptest.Server, *coltraces.ExportTraceServiceRequest, *colmetrics.ExportMetricsServiceRequest, *collogs.ExportLogsServiceRequest)

func overHTTP(compress bool) send {
	return func(t *testing.T, s *otlptest.Server, tr *coltraces.ExportTraceServiceRequest, m *colmetrics.ExportMetricsServiceRequest, l *collogs.ExportLogsServiceRequest) {
		t.Helper()
		post(t, s.URL()+"/v1/traces", tr, compress)
		post(t, s.URL()+"/v1/metrics", m, compress)
		post(t, s.URL()+"/v1/logs", l, compress)
	}
}

func post(t *testing.T, url string, m proto.Message, compress bool) {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if compress {
		w := gzip.NewWriter(&body)
		w.Write(raw)
		w.Close()
	} else {
		body.Write(raw)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if compress {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

func overGRPC(options ...grpc.CallOption) send {
	return func(t *testing.T, s *otlptest.Server, tr *coltraces.ExportTraceServiceRequest, m *colmetrics.ExportMetricsServiceRequest, l *collogs.ExportLogsServiceRequest) {
		t.Helper()
		conn, err := grpc.NewClient(strings.TrimPrefix(s.GRPCURL(), "http://"),
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := coltraces.NewTraceServiceClient(conn).Export(t.Context(), tr, options...); err != nil {
			t.Fatal(err)
		}
		if _, err := colmetrics.NewMetricsServiceClient(conn).Export(t.Context(), m, options...); err != nil {
			t.Fatal(err)
		}
		if _, err := collogs.NewLogsServiceClient(conn).Export(t.Context(), l, options...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerKeepsWhatItReceives(t *testing.T) {
	from := &resource.Resource{Attributes: []*common.KeyValue{text("service.name", "shop")}}
	scope := &common.InstrumentationScope{Name: "till"}
	traceID, spanID := bytes.Repeat([]byte{0xab}, 16), bytes.Repeat([]byte{0xcd}, 8)

	spans := &coltraces.ExportTraceServiceRequest{ResourceSpans: []*traces.ResourceSpans{{
		Resource: from,
		ScopeSpans: []*traces.ScopeSpans{{Scope: scope, Spans: []*traces.Span{{
			Name: "buy", Kind: traces.Span_SPAN_KIND_CLIENT,
			TraceId: traceID, SpanId: spanID,
			StartTimeUnixNano: 1e9, EndTimeUnixNano: 2e9,
			Attributes: []*common.KeyValue{text("colour", "blue"), {Key: "n", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: 7}}}},
			Status:     &traces.Status{Code: traces.Status_STATUS_CODE_ERROR, Message: "sold out"},
			Links:      []*traces.Span_Link{{TraceId: traceID, SpanId: spanID}},
			Events:     []*traces.Span_Event{{Name: "paid"}},
		}}}},
	}}}
	numbers := &colmetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource: from,
		ScopeMetrics: []*metrics.ScopeMetrics{{Scope: scope, Metrics: []*metrics.Metric{
			{Name: "sales", Unit: "{sale}", Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
				IsMonotonic:            true,
				AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
				DataPoints: []*metrics.NumberDataPoint{
					{Attributes: []*common.KeyValue{text("colour", "red")}, Value: &metrics.NumberDataPoint_AsInt{AsInt: 1}},
					{Attributes: []*common.KeyValue{text("colour", "blue")}, Value: &metrics.NumberDataPoint_AsInt{AsInt: 2}},
					// The same series again: the later value is the one to keep.
					{Attributes: []*common.KeyValue{text("colour", "red")}, Value: &metrics.NumberDataPoint_AsInt{AsInt: 3}},
				},
			}}},
			{Name: "price", Unit: "EUR", Data: &metrics.Metric_Histogram{Histogram: &metrics.Histogram{
				AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
				DataPoints: []*metrics.HistogramDataPoint{{
					Count: 3, Sum: new(4.5), ExplicitBounds: []float64{1, 2}, BucketCounts: []uint64{1, 1, 1},
					Exemplars: []*metrics.Exemplar{{Value: &metrics.Exemplar_AsDouble{AsDouble: 1.5}, TraceId: traceID, SpanId: spanID}},
				}},
			}}},
		}}},
	}}}
	records := &collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: from,
		ScopeLogs: []*logs.ScopeLogs{{Scope: scope, LogRecords: []*logs.LogRecord{{
			TimeUnixNano: 1e9, SeverityText: "INFO", EventName: "shop.closed", TraceId: traceID, SpanId: spanID,
			Body:       &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "closing"}},
			Attributes: []*common.KeyValue{text("by", "owner")},
		}}}},
	}}}

	trace, span := strings.Repeat("ab", 16), strings.Repeat("cd", 8)
	who := map[string]any{"service.name": "shop"}
	wantSpans := []otlptest.Span{{
		Name: "buy", Kind: "CLIENT", TraceID: trace, SpanID: span,
		Start: time.Unix(1, 0), End: time.Unix(2, 0),
		Attributes: map[string]any{"colour": "blue", "n": int64(7)},
		Status:     "Error", StatusMessage: "sold out",
		Links:    []otlptest.Link{{TraceID: trace, SpanID: span, Attributes: map[string]any{}}},
		Events:   []string{"paid"},
		Resource: who, Scope: "till",
	}}
	wantMetrics := []otlptest.Metric{
		{Name: "price", Unit: "EUR", Kind: "histogram", Temporality: "delta", Resource: who, Scope: "till",
			Points: []otlptest.Point{{
				Attributes: map[string]any{}, Count: 3, Sum: 4.5,
				Bounds: []float64{1, 2}, Counts: []uint64{1, 1, 1},
				Exemplars: []otlptest.Exemplar{{Value: 1.5, TraceID: trace, SpanID: span}},
			}}},
		{Name: "sales", Unit: "{sale}", Kind: "counter", Temporality: "cumulative", Resource: who, Scope: "till",
			Points: []otlptest.Point{
				{Attributes: map[string]any{"colour": "blue"}, Value: 2},
				{Attributes: map[string]any{"colour": "red"}, Value: 3},
			}},
	}
	wantLogs := []otlptest.Log{{
		Time: time.Unix(1, 0), Body: "closing", Severity: "INFO", Event: "shop.closed",
		TraceID: trace, SpanID: span, Attributes: map[string]any{"by": "owner"}, Resource: who, Scope: "till",
	}}

	tests := []struct {
		name                  string
		send                  send
		protocol, compression string
	}{
		{"http", overHTTP(false), "http/protobuf", ""},
		{"http gzip", overHTTP(true), "http/protobuf", "gzip"},
		{"grpc", overGRPC(), "grpc", ""},
		{"grpc gzip", overGRPC(grpc.UseCompressor("gzip")), "grpc", "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := otlptest.NewServer(t)
			tt.send(t, s, spans, numbers, records)

			if diff := cmp.Diff(wantSpans, s.Spans()); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantMetrics, s.Metrics()); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantLogs, s.Logs()); diff != "" {
				t.Errorf("logs (-want +got):\n%s", diff)
			}
			var got []otlptest.Request
			for _, r := range s.Requests() {
				r.Header = nil
				got = append(got, r)
			}
			want := []otlptest.Request{
				{Signal: "traces", Protocol: tt.protocol, Compression: tt.compression},
				{Signal: "metrics", Protocol: tt.protocol, Compression: tt.compression},
				{Signal: "logs", Protocol: tt.protocol, Compression: tt.compression},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func TestWaitSpansWakesOnArrival(t *testing.T) {
	s := otlptest.NewServer(t)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, name := range []string{"first", "second"} {
			post(t, s.URL()+"/v1/traces", &coltraces.ExportTraceServiceRequest{ResourceSpans: []*traces.ResourceSpans{{
				ScopeSpans: []*traces.ScopeSpans{{Spans: []*traces.Span{{Name: name}}}},
			}}}, false)
		}
	}()
	got := s.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 2 })
	if got[0].Name != "first" || got[1].Name != "second" {
		t.Errorf("got %v", got)
	}
	<-sent
}

func TestUnstartedServerRefuses(t *testing.T) {
	s := otlptest.NewUnstartedServer(t)
	if resp, err := http.Get(s.URL()); err == nil {
		resp.Body.Close()
		t.Errorf("answered %s before Start", resp.Status)
	}
	s.Start(t)
	post(t, s.URL()+"/v1/logs", &collogs.ExportLogsServiceRequest{}, false)
}
