package tracer_test

import (
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/tracer"
)

// What is no UTF-8 is told as far as it is: the SDK could send none of its batch.
func TestTextsThatAreNotUTF8(t *testing.T) {
	const bad = "a\xFFb"
	request := ours(t, setting{sdktrace.NewSpanLimits(), sdktrace.AlwaysSample()}, func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(t.Context(), bad)
		span.SetAttributes(attribute.String(bad, bad), attribute.StringSlice("list", []string{bad}), attribute.Map("map", attribute.String(bad, bad)))
		span.SetAttributes(attribute.String(bad, bad+bad))
		span.SetStatus(codes.Error, bad)
		span.AddEvent(bad, trace.WithAttributes(attribute.String(bad, bad)))
		span.End()
	})
	span := request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0]
	if n := len(span.GetAttributes()); n != 3 {
		t.Errorf("%d attributes, want 3: %v", n, span)
	}
	if text := span.String(); strings.Count(text, "a\uFFFDb") != 11 {
		t.Errorf("the texts are %s", text)
	}
}

// Spans may be used by several at once, and their memory again.
func TestSpansAtOnce(t *testing.T) {
	resource := otlp.NewResource(from)
	var mu sync.Mutex
	var names int
	provider := tracer.New(tracer.Config{Sampler: sdktrace.AlwaysSample(), Limits: sdktrace.NewSpanLimits(), Export: func(e *tracer.Ended) bool {
		var request coltraces.ExportTraceServiceRequest
		if err := proto.Unmarshal(resource.Request([]tracer.Span{e.Value}), &request); err != nil {
			t.Error(err)
		}
		e.Release()
		mu.Lock()
		defer mu.Unlock()
		names++
		return true
	}})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 100 {
				ctx, span := provider.Tracer("test").Start(t.Context(), "span")
				var inner sync.WaitGroup
				for range 3 {
					inner.Go(func() {
						span.SetAttributes(attribute.String("key", strings.Repeat("x", 100)))
						span.AddEvent("event")
						_, child := provider.Tracer("test").Start(ctx, "child")
						child.End()
						span.End()
						span.IsRecording()
					})
				}
				inner.Wait()
			}
		})
	}
	running.Wait()
	if names != 4*100*4 {
		t.Errorf("%d spans ended, want %d", names, 4*100*4)
	}
}

// Every span is counted when it is started, and lives until it ends or is forgotten.
func TestCounts(t *testing.T) {
	decisions := []sdktrace.SamplingDecision{sdktrace.Drop, sdktrace.RecordOnly, sdktrace.RecordAndSample}
	var decision sdktrace.SamplingDecision
	provider := tracer.New(tracer.Config{Sampler: deciding{&decision}, Limits: sdktrace.NewSpanLimits()})
	of := provider.Tracer("test")
	var spans []trace.Span
	for _, decision = range decisions {
		ctx, root := of.Start(t.Context(), "root")
		_, child := of.Start(ctx, "child")
		remote := trace.ContextWithRemoteSpanContext(t.Context(), root.SpanContext().WithRemote(true))
		_, far := of.Start(remote, "far")
		spans = append(spans, root, child, far)
	}
	want := tracer.Counts{Live: [3]int64{0, 3, 3}}
	for origin := range want.Started {
		want.Started[origin] = [3]int64{1, 1, 1}
	}
	if got := provider.Counts(); got != want {
		t.Errorf("started: %+v, want %+v", got, want)
	}
	for _, span := range spans[:5] {
		span.End()
		span.End()
	}
	spans[5].(interface{ Forget() }).Forget()
	spans[5].End()
	if spans[5].IsRecording() {
		t.Error("a span that is forgotten is recorded")
	}
	want.Live = [3]int64{0, 0, 3}
	if got := provider.Counts(); got != want {
		t.Errorf("ended: %+v, want %+v", got, want)
	}
}

// deciding is a sampler that decides as it is told.
type deciding struct{ decision *sdktrace.SamplingDecision }

func (d deciding) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: *d.decision}
}
func (deciding) Description() string { return "deciding" }

// Spans of a whole share the fate of the first, which the sampler is asked about alone.
func TestWhole(t *testing.T) {
	for _, test := range []struct {
		decision         sdktrace.SamplingDecision
		sampled, records bool
	}{
		{sdktrace.Drop, false, false},
		{sdktrace.RecordOnly, false, true},
		{sdktrace.RecordAndSample, true, true},
	} {
		asked := 0
		of := tracer.New(tracer.Config{Whole: true, Sampler: sampling(func(sdktrace.SamplingParameters) sdktrace.SamplingResult {
			asked++
			state, err := trace.ParseTraceState("told=1")
			if err != nil {
				t.Fatal(err)
			}
			return sdktrace.SamplingResult{Decision: test.decision, Tracestate: state}
		})}).Tracer("test")
		ctx, first := of.Start(t.Context(), "first")
		_, child := of.Start(ctx, "child")
		if sc := child.SpanContext(); asked != 1 || sc.IsSampled() != test.sampled || child.IsRecording() != test.records || sc.TraceState().String() != "told=1" {
			t.Errorf("decided %v: asked %d times, child %+v, recording %t", test.decision, asked, sc, child.IsRecording())
		}
		first.End()
		if _, late := of.Start(ctx, "late"); asked != 1 || late.IsRecording() != test.sampled {
			t.Errorf("decided %v: asked %d times, one after the end is recorded: %t", test.decision, asked, late.IsRecording())
		}
		if of.Start(parent(1, true), "of another"); asked != 2 {
			t.Errorf("decided %v: asked %d times", test.decision, asked)
		}
		if of.Start(parent(1, false), "of another here"); asked != 3 {
			t.Errorf("decided %v: asked %d times", test.decision, asked)
		}
		if of.Start(ctx, "new", trace.WithNewRoot()); asked != 4 {
			t.Errorf("decided %v: asked %d times", test.decision, asked)
		}
	}
}

// sampling is a function as a sampler.
type sampling func(sdktrace.SamplingParameters) sdktrace.SamplingResult

func (f sampling) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult { return f(p) }
func (sampling) Description() string                                                  { return "sampling" }
