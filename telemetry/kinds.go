package telemetry

import "go.opentelemetry.io/otel/trace"

// scope names the instrumentation in traces and metrics.
const scope = "spangate"

// The kinds of our spans.
var (
	serverKind = trace.WithSpanKind(trace.SpanKindServer)
	clientKind = trace.WithSpanKind(trace.SpanKindClient)
)
