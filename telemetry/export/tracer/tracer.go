package tracer

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
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
	sampler  sdktrace.Sampler
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
	return t.start(ctx, beginning{at, name, config.SpanKind(), config.Links(), config.Attributes(), config.NewRoot()})
}

// StartAt is Start at that time. Its span is of that kind, and has these links; options
// would take memory.
func (t *tracer) StartAt(ctx context.Context, at time.Time, name string, kind trace.SpanKind, links ...trace.Link) (context.Context, trace.Span) {
	return t.start(ctx, beginning{at: at, name: name, kind: kind, links: links})
}

// beginning is what a span starts with.
type beginning struct {
	at         time.Time
	name       string
	kind       trace.SpanKind
	links      []trace.Link
	attributes []attribute.KeyValue
	root       bool // whatever span the context has
}

func (t *tracer) start(ctx context.Context, with beginning) (context.Context, trace.Span) {
	if ctx == nil {
		ctx = context.Background()
	}
	above, from := trace.SpanFromContext(ctx), ctx
	if with.root || above == none {
		above, from = none, context.Background() // which is quickly asked
	}
	parent := above.SpanContext()
	of := trace.SpanContextConfig{TraceID: parent.TraceID()}
	flags := parent.TraceFlags()
	if of.TraceID.IsValid() {
		of.SpanID = t.provider.cfg.IDs.NewSpanID(ctx, of.TraceID)
	} else {
		of.TraceID, of.SpanID = t.provider.cfg.IDs.NewIDs(ctx)
		flags |= t.provider.random
	}
	sampled, inherits := t.provider.inherited(above, parent)
	if !inherits {
		sampled = t.sampler.ShouldSample(sdktrace.SamplingParameters{
			ParentContext: from, TraceID: of.TraceID, Name: with.name,
			Kind: with.kind, Attributes: with.attributes, Links: with.links,
		})
	}
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
	s.kind, s.name, s.start = trace.ValidateSpanKind(with.kind), with.name, with.at
	for _, link := range with.links {
		s.AddLink(link)
	}
	s.SetAttributes(sampled.Attributes...)
	s.SetAttributes(with.attributes...)
	return s, s
}

// none is the span of a context that has none.
var none = trace.SpanFromContext(context.Background())

// inherited returns what is decided about the child of a span, where the sampler has no
// say: a child is recorded as long as its parent is.
func (p *Provider) inherited(above trace.Span, parent trace.SpanContext) (_ sdktrace.SamplingResult, inherits bool) {
	if !p.cfg.Whole {
		return sdktrace.SamplingResult{}, false
	}
	result := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: parent.TraceState()}
	switch s := above.(type) {
	case *unrecorded:
	case *span:
		switch {
		case parent.IsSampled():
			result.Decision = sdktrace.RecordAndSample
		case s.IsRecording():
			result.Decision = sdktrace.RecordOnly
		}
	default:
		return sdktrace.SamplingResult{}, false
	}
	return result, true
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
