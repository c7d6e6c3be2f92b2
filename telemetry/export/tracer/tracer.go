package tracer

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"spangate/handler/wire"

	"spangate/telemetry/export/otlp"
)

type tracer struct {
	embedded.Tracer

	provider *Provider
	scope    *otlp.Scope
}

// Start implements [trace.Tracer]. A span that is started for a request is kept in the
// request's memory, as is all that is known of it; what outlives a request has spans, and
// a context, of its own.
func (t *tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	at := config.Timestamp()
	if at.IsZero() {
		at = time.Now()
	}
	return t.start(ctx, at, name, &config)
}

// StartAt is Start at that time, without an option, which would take memory.
func (t *tracer) StartAt(ctx context.Context, at time.Time, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	return t.start(ctx, at, name, &config)
}

func (t *tracer) start(ctx context.Context, at time.Time, name string, config *trace.SpanConfig) (context.Context, trace.Span) {
	if ctx == nil {
		ctx = context.Background()
	}
	var parent trace.SpanContext
	from := ctx
	if config.NewRoot() {
		from = trace.ContextWithSpanContext(ctx, parent)
	} else {
		parent = trace.SpanContextFromContext(ctx)
	}
	of := trace.SpanContextConfig{TraceID: parent.TraceID()}
	flags := parent.TraceFlags()
	if of.TraceID.IsValid() {
		of.SpanID = t.provider.cfg.IDs.NewSpanID(ctx, of.TraceID)
	} else {
		of.TraceID, of.SpanID = t.provider.cfg.IDs.NewIDs(ctx)
		flags |= t.provider.random
	}
	sampled := t.provider.cfg.Sampler.ShouldSample(sdktrace.SamplingParameters{
		ParentContext: from, TraceID: of.TraceID, Name: name,
		Kind: config.SpanKind(), Attributes: config.Attributes(), Links: config.Links(),
	})
	t.provider.counts.started[originOf(parent)][sampled.Decision].Add(1)
	of.TraceState = sampled.Tracestate
	of.TraceFlags = flags.WithSampled(sampled.Decision == sdktrace.RecordAndSample)
	sc := trace.NewSpanContext(of)
	if sampled.Decision == sdktrace.Drop {
		s := wire.Keep[unrecorded](ctx)
		*s = unrecorded{ctx, nothing, t, sc}
		return s, s
	}
	s := wire.Keep[span](ctx)
	s.Context, s.tracer, s.sc, s.parent, s.remote = ctx, t, sc, parent.SpanID(), parent.IsRemote()
	s.kind, s.name, s.start = trace.ValidateSpanKind(config.SpanKind()), name, at
	for _, link := range config.Links() {
		s.AddLink(link)
	}
	s.SetAttributes(sampled.Attributes...)
	s.SetAttributes(config.Attributes()...)
	return s, s
}

// spanKey is what the API asks a context for its span by. It does not export it, but a
// context that is asked gets to know it. So a span can be its own context, and takes no
// second piece of memory for it.
var spanKey = func() (key any) {
	trace.SpanFromContext(asked{context.Background(), &key})
	return key
}()

type asked struct {
	context.Context
	key *any
}

func (a asked) Value(key any) any {
	*a.key = key
	return nil
}

// unrecorded is a span that the sampler drops, and its context.
type unrecorded struct {
	context.Context
	trace.Span // does nothing

	tracer *tracer
	sc     trace.SpanContext
}

var nothing trace.Span = noop.Span{}

func (s *unrecorded) SpanContext() trace.SpanContext       { return s.sc }
func (s *unrecorded) TracerProvider() trace.TracerProvider { return s.tracer.provider }

// Value implements [context.Context].
func (s *unrecorded) Value(key any) any {
	if key == spanKey {
		return s
	}
	return s.Context.Value(key)
}
