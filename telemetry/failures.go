package telemetry

import "spangate/handler"

// Failures answers requests that failed or are refused, with the id of their trace,
// and notes why on their spans, in the metrics and in the access log.
func (t *Telemetry) Failures() handler.Failures {
	return handler.Failures{TraceID: t.TraceID, Report: t.Failed}
}

// Exhausted tells the log, at most once a minute, when err is of something that this
// process or its host has run out of. Of other errors, and of nil, it takes no
// notice.
func (t *Telemetry) Exhausted(err error) { t.notice.Saw(err) }
