package telemetry

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// cloudTraceField is how Google Cloud's front ends named a span before they
// sent traceparent. It is read and never written.
const cloudTraceField = "X-Cloud-Trace-Context"

// parseCloudTrace reads TRACE_ID/SPAN_ID;o=OPTIONS: 32 hexadecimal digits, a
// decimal number, and 1 for a trace that is sampled. Anything else is no valid
// context.
func parseCloudTrace(value string) trace.SpanContext {
	ids, options, _ := strings.Cut(value, ";")
	traceID, spanID, _ := strings.Cut(ids, "/")
	var c trace.SpanContextConfig
	if len(traceID) != 2*len(c.TraceID) {
		return trace.SpanContext{}
	}
	if _, err := hex.Decode(c.TraceID[:], []byte(traceID)); err != nil {
		return trace.SpanContext{}
	}
	span, err := strconv.ParseUint(spanID, 10, 64)
	if err != nil {
		return trace.SpanContext{}
	}
	binary.BigEndian.PutUint64(c.SpanID[:], span)
	if options == "o=1" {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c)
}
