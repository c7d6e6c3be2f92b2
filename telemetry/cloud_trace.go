package telemetry

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/tracecontext"
)

// cloudTraceField is how Google Cloud's front ends named a span before they
// sent traceparent. It is read and never written.
const cloudTraceField = "X-Cloud-Trace-Context"

// parseCloudTrace reads TRACE_ID/SPAN_ID;o=OPTIONS: 32 hexadecimal digits, a
// decimal number, and 1 for a trace that is sampled. Without options it is left to who
// receives the request whether it is.
func parseCloudTrace(value string) (c trace.SpanContextConfig, said tracecontext.Decision, ok bool) {
	ids, options, decided := strings.Cut(value, ";")
	traceID, spanID, _ := strings.Cut(ids, "/")
	if len(traceID) != 2*len(c.TraceID) {
		return c, said, false
	}
	if _, err := hex.Decode(c.TraceID[:], []byte(traceID)); err != nil {
		return c, said, false
	}
	span, err := strconv.ParseUint(spanID, 10, 64)
	if err != nil {
		return c, said, false
	}
	binary.BigEndian.PutUint64(c.SpanID[:], span)
	switch {
	case options == "o=1":
		said = tracecontext.Sampled
	case decided:
		said = tracecontext.Unsampled
	}
	return c, said, c.TraceID.IsValid() && c.SpanID.IsValid()
}
