package telemetry

import (
	"maps"
	"net/http"
	"slices"
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

// removeContext removes from fields, which may be nil, those of trace context.
func removeContext(fields http.Header) {
	maps.DeleteFunc(fields, func(field string, _ []string) bool { return isContext(field) })
}

func carriesContext(h http.Header) bool {
	for field := range h {
		if isContext(field) {
			return true
		}
	}
	return false
}

// contextHeader is a header as propagators read and write it. They spell names
// in lower case, which would cost an allocation each time.
type contextHeader http.Header

var spelled = map[string]string{"traceparent": "Traceparent", "tracestate": "Tracestate", "baggage": "Baggage"}

func spelling(key string) string {
	if name, ok := spelled[key]; ok {
		return name
	}
	return http.CanonicalHeaderKey(key)
}

// Get returns all of a tracestate, which may come in several fields (W3C Trace
// Context, section 3.3.1.1), and the first field of others.
func (h contextHeader) Get(key string) string {
	values := h[spelling(key)]
	switch {
	case len(values) == 0:
		return ""
	case key == "tracestate":
		return strings.Join(values, ",")
	}
	return values[0]
}

func (h contextHeader) Values(key string) []string { return h[spelling(key)] }
func (h contextHeader) Set(key, value string)      { h[spelling(key)] = []string{value} }
func (h contextHeader) Keys() []string             { return slices.Collect(maps.Keys(h)) }
