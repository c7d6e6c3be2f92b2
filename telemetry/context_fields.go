package telemetry

import (
	"net/http"
	"strings"
)

// contextFields are the fields of trace context in all formats. They are
// removed from what is forwarded whatever the propagators in use are: next to
// the context of an attempt they would name some other span as the parent.
var contextFields = map[string]bool{
	"Traceparent": true, "Tracestate": true, "Baggage": true, "Grpc-Trace-Bin": true,
	"B3": true, "X-B3-Traceid": true, "X-B3-Spanid": true, "X-B3-Parentspanid": true, "X-B3-Sampled": true, "X-B3-Flags": true,
	"Uber-Trace-Id": true, "Jaeger-Debug-Id": true, "Jaeger-Baggage": true,
	"X-Amzn-Trace-Id": true, cloudTraceField: true, "X-Ot-Span-Context": true,
	"Ot-Tracer-Traceid": true, "Ot-Tracer-Spanid": true, "Ot-Tracer-Sampled": true,
}

// contextPrefixes are those of fields whose names are not all known.
var contextPrefixes = []string{"Uberctx-", "Ot-Baggage-", "X-Datadog-"}

func isContext(field string) bool {
	if contextFields[field] {
		return true
	}
	for _, prefix := range contextPrefixes {
		if strings.HasPrefix(field, prefix) {
			return true
		}
	}
	return false
}

func carriesContext(h http.Header) bool {
	for field := range h {
		if isContext(field) {
			return true
		}
	}
	return false
}
