package tracecontext

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// b3 is a propagator of B3, in one field or several (openzipkin/b3-propagation). It
// reads both.
type b3 struct{ propagation.TextMapPropagator }

// onlyDebug is the one thing that has to be read by the propagator that writes it.
var onlyDebug = propagation.MapCarrier{"b3": "d"}

func (p b3) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	of, sampling, ok := readB3(carrier.Get("b3"))
	if !ok || !of.TraceID.IsValid() {
		if several, state, isB3 := readSeveralB3(carrier); isB3 && (!ok || several.TraceID.IsValid()) {
			of, sampling = several, state
		} else if !ok {
			return ctx
		}
	}
	if sampling == "d" {
		sampling, ctx = "1", p.TextMapPropagator.Extract(ctx, onlyDebug)
	}
	return WithCaller(ctx, of, decisionIn(sampling))
}

// readB3 reads TRACE-SPAN-SAMPLING-PARENT, of which what is at the end may be missing,
// or just SAMPLING, which is 0, 1, d for debug, or empty for not decided.
func readB3(value string) (of trace.SpanContextConfig, sampling string, ok bool) {
	traceID, rest, hasSpan := strings.Cut(value, "-")
	if !hasSpan {
		return of, value, isSampling(value)
	}
	spanID, rest, decided := strings.Cut(rest, "-")
	sampling, parent, hasParent := strings.Cut(rest, "-")
	if of, ok = b3IDs(traceID, spanID); !ok || decided && !isSampling(sampling) || hasParent && !isSpanID(parent) {
		return trace.SpanContextConfig{}, "", false
	}
	return of, sampling, true
}

// readSeveralB3 reads X-B3-TraceId and its like.
func readSeveralB3(carrier propagation.TextMapCarrier) (of trace.SpanContextConfig, sampling string, ok bool) {
	traceID, spanID, parent := carrier.Get("x-b3-traceid"), carrier.Get("x-b3-spanid"), carrier.Get("x-b3-parentspanid")
	switch sampled := carrier.Get("x-b3-sampled"); strings.ToLower(sampled) {
	case "":
	case "0", "false":
		sampling = "0"
	case "1", "true":
		sampling = "1"
	default:
		return of, "", false
	}
	if carrier.Get("x-b3-flags") == "1" {
		sampling = "d"
	}
	if traceID == "" && spanID == "" && parent == "" {
		return of, sampling, true
	}
	of, ok = b3IDs(traceID, spanID)
	if !ok || parent != "" && !isSpanID(parent) {
		return trace.SpanContextConfig{}, "", false
	}
	return of, sampling, true
}

func isSampling(text string) bool { return text == "0" || text == "1" || text == "d" }

func isSpanID(text string) bool {
	_, err := trace.SpanIDFromHex(text)
	return err == nil
}

// b3IDs reads those of a span and of its trace, which may be half as long.
func b3IDs(traceID, spanID string) (of trace.SpanContextConfig, ok bool) {
	if len(traceID) == len(of.TraceID) {
		traceID = strings.Repeat("0", len(of.TraceID)) + traceID
	}
	var noTrace, noSpan error
	of.TraceID, noTrace = trace.TraceIDFromHex(traceID)
	of.SpanID, noSpan = trace.SpanIDFromHex(spanID)
	return of, noTrace == nil && noSpan == nil
}
