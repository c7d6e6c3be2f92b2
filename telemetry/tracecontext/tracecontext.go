// Package tracecontext answers: whose span is a request a child of, and is its trace
// sampled, by what fields of trace context say? It reads them for the propagators of
// OpenTelemetry, and lets pass what those refuse although its specification has it.
package tracecontext

import (
	"context"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Propagator returns the propagators of those names, as OTEL_PROPAGATORS has them. Of
// several formats in one request the last that names a span counts.
func Propagator(names ...string) (propagation.TextMapPropagator, error) {
	var all []propagation.TextMapPropagator
	for _, name := range names {
		p, err := autoprop.TextMapPropagator(name)
		if err != nil {
			return nil, err
		}
		switch name {
		case "tracecontext":
			p = W3C{}
		case "b3", "b3multi":
			p = b3{p}
		case "xray":
			p = xray{p}
		case "ottrace":
			p = openTracing{p}
		case "none":
			continue
		}
		all = append(all, p)
	}
	return propagation.NewCompositeTextMapPropagator(all...), nil
}

// Decision is what a caller says of whether its trace is sampled.
type Decision string

// What can be said. The zero value leaves it to who receives the request.
const (
	Undecided Decision = ""
	Sampled   Decision = "sampled"
	Unsampled Decision = "unsampled"
)

// caller is the span of a caller of which more, or less, is known than a span context
// says.
type caller struct {
	noop.Span
	context  trace.SpanContext // that names a span, or a trace, or neither
	decision Decision
	members  []string
}

func (c caller) SpanContext() trace.SpanContext { return c.context }

// DecisionOf returns what the caller said whose span ctx has.
func DecisionOf(ctx context.Context) Decision {
	span := trace.SpanFromContext(ctx)
	if c, ok := span.(caller); ok {
		return c.decision
	}
	return decisionOf(span.SpanContext())
}

// decisionIn returns what 0 and 1 mean in all formats that are not W3C's.
func decisionIn(text string) Decision {
	switch text {
	case "0":
		return Unsampled
	case "1":
		return Sampled
	}
	return Undecided
}

func decisionOf(sc trace.SpanContext) Decision {
	switch {
	case !sc.IsValid():
		return Undecided
	case sc.IsSampled():
		return Sampled
	}
	return Unsampled
}

// WithCaller returns ctx with the span of a caller who said that of its trace. One that
// names no span, but a trace to be in, or only a decision, takes no other's place.
func WithCaller(ctx context.Context, of trace.SpanContextConfig, said Decision) context.Context {
	of.Remote, of.TraceFlags = true, of.TraceFlags.WithSampled(said == Sampled)
	sc := trace.NewSpanContext(of)
	switch {
	case sc.IsValid() && said != Undecided:
		return trace.ContextWithSpanContext(ctx, sc)
	case !sc.HasTraceID() && said == Undecided:
		return ctx
	case !sc.IsValid() && trace.SpanContextFromContext(ctx).IsValid():
		return ctx
	}
	return trace.ContextWithSpan(ctx, caller{context: sc, decision: said})
}

// W3C is the propagator of traceparent and tracestate.
type W3C struct{ propagation.TraceContext }

// Inject implements [propagation.TextMapPropagator]. It does what the one of OpenTelemetry
// does, which takes twice as long.
func (W3C) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return
	}
	if state := sc.TraceState(); state.Len() > 0 {
		carrier.Set("tracestate", state.String())
	}
	var space [len("00-") + 2*len(trace.TraceID{}) + len("-") + 2*len(trace.SpanID{}) + len("-00")]byte
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b := hex.AppendEncode(append(space[:0], "00-"...), traceID[:])
	b = hex.AppendEncode(append(b, '-'), spanID[:])
	b = hex.AppendEncode(append(b, '-'), []byte{byte(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))})
	carrier.Set("traceparent", string(b))
}

// Extract implements [propagation.TextMapPropagator].
func (p W3C) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	h, _ := carrier.(Header)
	lines := h["Tracestate"]
	if len(lines) == 0 {
		return p.TraceContext.Extract(ctx, carrier)
	}
	before := trace.SpanContextFromContext(ctx)
	ctx = p.TraceContext.Extract(ctx, carrier)
	sc := trace.SpanContextFromContext(ctx)
	if isSame(sc, before) || len(lines) == 1 && strings.Count(lines[0], ",")+1 == sc.TraceState().Len() { // all is read
		return ctx
	}
	if _, members := readState(lines); members != nil {
		return trace.ContextWithSpan(ctx, caller{context: sc, decision: decisionOf(sc), members: members})
	}
	return ctx
}

func isSame(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}

// openTracing is the propagator of ot-tracer-traceid and its like.
type openTracing struct{ propagation.TextMapPropagator }

func (p openTracing) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	before := trace.SpanContextFromContext(ctx)
	ctx = p.TextMapPropagator.Extract(ctx, carrier)
	sc := trace.SpanContextFromContext(ctx)
	if isSame(sc, before) || carrier.Get("ot-tracer-sampled") != "" {
		return ctx
	}
	return WithCaller(ctx, trace.SpanContextConfig{TraceID: sc.TraceID(), SpanID: sc.SpanID()}, Undecided)
}
