package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// addServerTiming tells whoever asked where the time went, in milliseconds, and
// which span to look for (W3C Server Timing). Fields of the backend's own stay.
//
//	traceparent  the request's span, if it has one
//	spangate     what passed here until the response began, without the next
//	backend      from the first attempt to the header of the response that is
//	             passed on, retries and waits included; only if there was one
//	attempt-…    of that the parts of the last attempt, as its span has them
func addServerTiming(h http.Header, span trace.SpanContext, total time.Duration, e *exchange) {
	backend := e.forwarded.took
	value := "spangate;dur=" + milliseconds(total-backend)
	if span.IsValid() {
		value = `traceparent;desc="00-` + span.TraceID().String() + "-" + span.SpanID().String() + "-" + span.TraceFlags().String() + `", ` + value
	}
	if backend > 0 {
		value = e.attempt.appendTiming(value + ", backend;dur=" + milliseconds(backend))
	}
	h.Add("Server-Timing", value)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(max(d, 0).Seconds()*1000, 'f', 3, 64)
}
