package telemetry

import (
	"net/http"

	"spangate/handler"
	"spangate/handler/fault"
)

// Failures answers requests that failed or are refused, with the id of their trace,
// and notes why on their spans, in the metrics and in the access log.
func (t *Telemetry) Failures() handler.Failures {
	return handler.Failures{TraceID: traceID, Report: t.failed, StandsFor: standsFor}
}

// failed notes why r failed, for the span, the metrics and the access log of
// the request.
//
// A body that turns out to be too large once a part of it was forwarded is
// refused by [policy.MaxBody] all the same, and noted and counted as such.
func (t *Telemetry) failed(r *http.Request, e *fault.Error) {
	q := exchangeOf(r.Context())
	if q == nil {
		return
	}
	q.failure = e
	if e.Type == fault.BodyTooLarge {
		why := fault.Refusal{Policy: "body", Reason: "too_large"}
		q.refusal = refusal(why)
		t.refused(r.Context(), why)
	}
}

// standsFor notes which status of HTTP the answer to r stands for.
func standsFor(r *http.Request, status int) {
	if e := exchangeOf(r.Context()); e != nil {
		e.standsFor = status
	}
}
