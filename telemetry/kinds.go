package telemetry

import "go.opentelemetry.io/otel/trace"

// scope names the instrumentation in traces and metrics.
const scope = "spangate"

// What requests' spans start with. A start time of ours would cost more than
// the moment between it and the SDK's is worth.
var (
	serverKind = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	clientKind = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
)

// linked returns kind with a link to sc.
func linked(kind []trace.SpanStartOption, sc trace.SpanContext) []trace.SpanStartOption {
	return []trace.SpanStartOption{kind[0], trace.WithLinks(trace.Link{SpanContext: sc})}
}
