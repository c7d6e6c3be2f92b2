package tracer

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

type tracer struct {
	embedded.Tracer

	provider *Provider
	scope    *Scope
}

// Start implements [trace.Tracer].
func (t *tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	if ctx == nil {
		ctx = context.Background()
	}
	span := t.start(ctx, name, &config)
	return trace.ContextWithSpan(ctx, span), span
}

func (t *tracer) start(ctx context.Context, name string, config *trace.SpanConfig) trace.Span {
	var parent trace.SpanContext
	if config.NewRoot() {
		ctx = trace.ContextWithSpanContext(ctx, parent)
	} else {
		parent = trace.SpanContextFromContext(ctx)
	}
	of := trace.SpanContextConfig{TraceID: parent.TraceID()}
	if of.TraceID.IsValid() {
		of.SpanID = t.provider.cfg.IDs.NewSpanID(ctx, of.TraceID)
	} else {
		of.TraceID, of.SpanID = t.provider.cfg.IDs.NewIDs(ctx)
	}
	sampled := t.provider.cfg.Sampler.ShouldSample(sdktrace.SamplingParameters{
		ParentContext: ctx, TraceID: of.TraceID, Name: name,
		Kind: config.SpanKind(), Attributes: config.Attributes(), Links: config.Links(),
	})
	of.TraceState = sampled.Tracestate
	of.TraceFlags = parent.TraceFlags().WithSampled(sampled.Decision == sdktrace.RecordAndSample)
	sc := trace.NewSpanContext(of)
	if sampled.Decision == sdktrace.Drop {
		return unrecorded{nothing, t, sc}
	}
	s := &span{
		tracer: t, sc: sc, parent: parent.SpanID(), remote: parent.IsRemote(),
		kind: trace.ValidateSpanKind(config.SpanKind()), name: name, start: config.Timestamp(),
	}
	if s.start.IsZero() {
		s.start = time.Now()
	}
	for _, link := range config.Links() {
		s.AddLink(link)
	}
	s.SetAttributes(sampled.Attributes...)
	s.SetAttributes(config.Attributes()...)
	return s
}

// unrecorded is a span that the sampler drops.
type unrecorded struct {
	trace.Span // does nothing

	tracer *tracer
	sc     trace.SpanContext
}

var nothing trace.Span = noop.Span{}

func (s unrecorded) SpanContext() trace.SpanContext       { return s.sc }
func (s unrecorded) TracerProvider() trace.TracerProvider { return s.tracer.provider }
