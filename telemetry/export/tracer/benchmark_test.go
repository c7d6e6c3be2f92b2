package tracer_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/tracer"
)

// asked are attributes as a request's two spans have them.
var asked = []attribute.KeyValue{
	attribute.String("http.request.method", "GET"), attribute.String("url.path", "/a/path"), attribute.String("url.query", "with=query"),
	attribute.String("url.scheme", "http"), attribute.String("server.address", "example.com"), attribute.Int("server.port", 80),
	attribute.String("network.protocol.version", "1.1"), attribute.String("client.address", "127.0.0.1"), attribute.String("network.peer.address", "127.0.0.1"),
	attribute.Int("network.peer.port", 54321), attribute.String("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) benchmark"),
	attribute.Int("http.response.status_code", 200), attribute.Int("http.request.body.size", 0), attribute.Int("http.response.body.size", 1024),
	attribute.Float64("spangate.time_to_first_byte", 0.001), attribute.Int("spangate.attempt.count", 1), attribute.String("spangate.backend", "http://127.0.0.1:9001"),
	attribute.String("spangate.retry.stop_reason", "success"),
}

var (
	server = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	client = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
)

// request records what a traced request does.
func request(t trace.Tracer) {
	now := time.Now()
	ctx, outer := t.Start(bg, "GET", server...)
	_, inner := t.Start(ctx, "GET", client...)
	inner.SetAttributes(asked[:14]...)
	inner.End(trace.WithTimestamp(now))
	outer.SetAttributes(asked...)
	outer.End(trace.WithTimestamp(now))
}

// BenchmarkRequest is what both do for a request's two spans, from their start to the
// bytes that are sent.
func BenchmarkRequest(b *testing.B) {
	const batch = 512
	b.Run("ours", func(b *testing.B) {
		resource := otlp.NewResource(from)
		var ended []*tracer.Ended
		var spans []tracer.Span
		p := tracer.New(tracer.Config{Sampler: sdktrace.ParentBased(sdktrace.AlwaysSample()), Limits: sdktrace.NewSpanLimits(), Export: func(e *tracer.Ended) bool {
			if ended = append(ended, e); len(ended) < batch {
				return true
			}
			spans = spans[:0]
			for _, e := range ended {
				spans = append(spans, e.Value)
			}
			resource.Request(spans)
			for _, e := range ended {
				e.Release()
			}
			ended = ended[:0]
			return true
		}})
		b.ReportAllocs()
		for t := p.Tracer("test"); b.Loop(); {
			request(t)
		}
	})
	for name, station := range map[string]int{"SDK to the end": 0, "SDK to the message": 1, "SDK to the bytes": 2} {
		b.Run(name, func(b *testing.B) {
			queue := &exports{station: station}
			p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())), sdktrace.WithResource(from), sdktrace.WithSpanProcessor(queue))
			b.ReportAllocs()
			for t := p.Tracer("test"); b.Loop(); {
				request(t)
			}
		})
	}
}

// exports does what an exporter of the SDK does, up to a station.
type exports struct {
	keeper
	station int
}

func (e *exports) OnEnd(s sdktrace.ReadOnlySpan) {
	if e.spans = append(e.spans, s); len(e.spans) < 512 {
		return
	}
	if e.station > 0 {
		otlptrace.NewUnstarted(e).ExportSpans(bg, e.spans)
	}
	clear(e.spans)
	e.spans = e.spans[:0]
}

func (*exports) Start(context.Context) error { return nil }
func (*exports) Stop(context.Context) error  { return nil }
func (e *exports) UploadTraces(_ context.Context, spans []*traces.ResourceSpans) error {
	if e.station < 2 {
		return nil
	}
	_, err := proto.Marshal(&coltraces.ExportTraceServiceRequest{ResourceSpans: spans})
	return err
}

// BenchmarkSetAttributes is what a span's attributes cost.
func BenchmarkSetAttributes(b *testing.B) {
	p := tracer.New(tracer.Config{Sampler: sdktrace.AlwaysSample(), Limits: sdktrace.NewSpanLimits(), Export: func(*tracer.Ended) bool { return false }})
	for t := p.Tracer("test"); b.Loop(); {
		_, span := t.Start(bg, "GET", server...)
		span.SetAttributes(asked...)
		span.End()
	}
}

// BenchmarkTell is what they cost where they are told.
func BenchmarkTell(b *testing.B) {
	p := tracer.New(tracer.Config{Sampler: sdktrace.AlwaysSample(), Limits: sdktrace.NewSpanLimits(), Export: func(*tracer.Ended) bool { return false }})
	all := told(asked)
	for t := p.Tracer("test"); b.Loop(); {
		_, span := t.Start(bg, "GET", server...)
		span.(interface{ Tell(tracer.Teller) }).Tell(&all)
		span.End()
	}
}
