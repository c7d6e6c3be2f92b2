package field

// traceContext is the fields of trace context in all formats. They end here
// whatever the propagators in use are: next to the context of an attempt they
// would name some other span as the parent.
var traceContext = words(`Traceparent Tracestate Baggage Grpc-Trace-Bin
	B3 X-B3-Traceid X-B3-Spanid X-B3-Parentspanid X-B3-Sampled X-B3-Flags
	Uber-Trace-Id Jaeger-Debug-Id Jaeger-Baggage X-Amzn-Trace-Id X-Cloud-Trace-Context X-Ot-Span-Context
	Ot-Tracer-Traceid Ot-Tracer-Spanid Ot-Tracer-Sampled`)

// traceContextPrefixes are those of fields whose names are not all known.
var traceContextPrefixes = beginnings(`Uberctx- Ot-Baggage- X-Datadog-`)

// IsTraceContext reports whether the field of that canonical name says which
// trace a request is part of.
func IsTraceContext(canonical string) bool {
	return traceContext.has(canonical) || traceContextPrefixes.begin(canonical)
}
