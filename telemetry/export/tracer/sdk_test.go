package tracer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/tracer"
)

// counted makes identifiers that are the same each time.
type counted struct{ n uint64 }

func (c *counted) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	c.n++
	binary.BigEndian.PutUint64(id[8:], c.n)
	return id, c.NewSpanID(ctx, id)
}

func (c *counted) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	c.n++
	binary.BigEndian.PutUint64(id[:], c.n)
	return id
}

// setting is what both record with.
type setting struct {
	limits  sdktrace.SpanLimits
	sampler sdktrace.Sampler
}

var from = resource.NewWithAttributes(semconv.SchemaURL,
	semconv.ServiceName("shop"), attribute.Int("process.pid", 7), attribute.StringSlice("list", []string{"a", "b"}))

// ours returns what becomes of what record does, by our provider.
func ours(t testing.TB, with setting, record func(trace.TracerProvider)) *coltraces.ExportTraceServiceRequest {
	t.Helper()
	var ended []tracer.Span
	record(tracer.New(tracer.Config{
		Sampler: with.sampler, Limits: with.limits, IDs: &counted{},
		Export: func(e *tracer.Ended) bool { ended = append(ended, e.Value); return true },
	}))
	request := &coltraces.ExportTraceServiceRequest{}
	if len(ended) == 0 {
		return request
	}
	if err := proto.Unmarshal(otlp.NewResource(from).Request(ended), request); err != nil {
		t.Fatal(err)
	}
	return request
}

// theirs returns what becomes of it by the SDK's provider and exporter.
func theirs(t testing.TB, with setting, record func(trace.TracerProvider)) *coltraces.ExportTraceServiceRequest {
	t.Helper()
	var ended keeper
	record(sdktrace.NewTracerProvider(
		sdktrace.WithSampler(with.sampler), sdktrace.WithRawSpanLimits(with.limits), sdktrace.WithResource(from),
		sdktrace.WithIDGenerator(&counted{}), sdktrace.WithSpanProcessor(&ended), sdktrace.WithoutPanicRecording()))
	var sent sender
	exporter := otlptrace.NewUnstarted(&sent)
	if err := exporter.ExportSpans(t.Context(), ended.spans); err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(&sent.request)
	if err != nil {
		t.Fatal(err)
	}
	request := &coltraces.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(raw, request); err != nil {
		t.Fatal(err)
	}
	return request
}

// keeper keeps spans that end.
type keeper struct{ spans []sdktrace.ReadOnlySpan }

func (*keeper) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (k *keeper) OnEnd(s sdktrace.ReadOnlySpan)                 { k.spans = append(k.spans, kept{s}) }
func (*keeper) ForceFlush(context.Context) error                { return nil }
func (*keeper) Shutdown(context.Context) error                  { return nil }

// kept is a span of a trace that is sampled, which a span that ends is of.
type kept struct{ sdktrace.ReadOnlySpan }

func (s kept) SpanContext() trace.SpanContext {
	sc := s.ReadOnlySpan.SpanContext()
	return sc.WithTraceFlags(sc.TraceFlags().WithSampled(true))
}

// sender keeps what would be sent.
type sender struct {
	request coltraces.ExportTraceServiceRequest
}

func (*sender) Start(context.Context) error { return nil }
func (*sender) Stop(context.Context) error  { return nil }
func (s *sender) UploadTraces(_ context.Context, spans []*traces.ResourceSpans) error {
	s.request.ResourceSpans = spans
	return nil
}

// compare holds that both come to the same.
func compare(t *testing.T, with setting, record func(trace.TracerProvider)) {
	t.Helper()
	var want, got *coltraces.ExportTraceServiceRequest
	synctest.Test(t, func(t *testing.T) { want = theirs(t, with, record) }) // each has a clock of its own
	synctest.Test(t, func(t *testing.T) { got = ours(t, with, record) })
	withoutStacks(want)
	withoutStacks(got)
	if !proto.Equal(want, got) { // which is quicker with what is deep
		t.Errorf("limits %+v (-SDK +ours):\n%s", with.limits, cmp.Diff(want, got, protocmp.Transform()))
	}
}

// withoutStacks takes away what of a stack differs from one program to another.
func withoutStacks(r *coltraces.ExportTraceServiceRequest) {
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				for _, event := range span.GetEvents() {
					for _, kv := range event.GetAttributes() {
						if kv.GetKey() == string(semconv.ExceptionStacktraceKey) {
							goroutine, _, _ := strings.Cut(kv.GetValue().GetStringValue(), " ")
							kv.Value = &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: goroutine}}
						}
					}
				}
			}
		}
	}
}

// TestAsTheSDK holds that each scenario is told as the SDK tells it.
func TestAsTheSDK(t *testing.T) {
	for name, record := range scenarios {
		t.Run(name, func(t *testing.T) {
			for _, limits := range limits() {
				compare(t, setting{limits, sdktrace.AlwaysSample()}, record)
			}
			for _, sampler := range []sdktrace.Sampler{
				sdktrace.AlwaysRecord(sdktrace.NeverSample()), sdktrace.NeverSample(),
				sdktrace.ParentBased(sdktrace.AlwaysSample()), telling{},
			} {
				compare(t, setting{sdktrace.NewSpanLimits(), sampler}, record)
			}
		})
	}
}

// limits returns some of each kind.
func limits() []sdktrace.SpanLimits {
	all := []sdktrace.SpanLimits{sdktrace.NewSpanLimits(), {AttributeValueDepthLimit: 2}}
	for _, n := range []int{-1, 1, 2, 3} {
		all = append(all, sdktrace.SpanLimits{
			AttributeValueLengthLimit: n, AttributeValueDepthLimit: n, AttributeCountLimit: n,
			EventCountLimit: n, LinkCountLimit: n, AttributePerEventCountLimit: n, AttributePerLinkCountLimit: n,
		})
	}
	for _, n := range []int{0, 1, 4, 7} {
		short := sdktrace.NewSpanLimits()
		short.AttributeValueLengthLimit = n
		short.AttributeCountLimit = 5 * n
		all = append(all, short)
	}
	return all
}

// telling is a sampler that has something to say itself.
type telling struct{}

func (telling) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	state, err := trace.ParseTraceState("vendor=value,other=1")
	if err != nil {
		panic(err)
	}
	return sdktrace.SamplingResult{
		Decision: sdktrace.RecordAndSample, Tracestate: state,
		Attributes: []attribute.KeyValue{
			attribute.String("asked", fmt.Sprint(p.TraceID, p.Name, p.Kind, len(p.Attributes), len(p.Links), trace.SpanContextFromContext(p.ParentContext).IsValid())),
			attribute.Int("same", 1),
		},
	}
}

func (telling) Description() string { return "telling" }
