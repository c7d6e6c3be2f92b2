package telemetry

import (
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// fact is something that is known of a request once it has ended. It adds what the
// request's span tells of it, and what its line in the access log does.
type fact interface {
	span([]attribute.KeyValue) []attribute.KeyValue
	line([]slog.Attr) []slog.Attr
}

// facts are all, in the order in which a line tells them.
func (s *served) facts() [13]fact {
	e := &s.exchange
	return [...]fact{
		&s.target,
		&s.answer,
		&s.caller,
		&s.cold,
		&e.route,
		&e.attempted,
		(*retryStop)(&e.stopReason),
		(*refusal)(&e.refusal),
		&e.waited,
		&e.principal,
		&e.requestID,
		&s.reason,
		&s.outcome,
	}
}

// appendLine appends what the request's line tells.
func (s *served) appendLine(attrs []slog.Attr) []slog.Attr {
	for _, f := range s.facts() {
		attrs = f.line(attrs)
	}
	if s.telemetry.access.Google() {
		attrs = append(attrs, s.httpRequest())
	}
	return attrs
}

// tell implements [teller]. All attributes are set at once, at the end: no
// sampler that can be configured decides by them, and each time would copy those
// before.
func (s *served) tell(span trace.Span) {
	attrs := make([]attribute.KeyValue, 0, 26)
	for _, f := range s.facts() {
		attrs = f.span(attrs)
	}
	if s.outcome.spanError != "" {
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attrs...)
}
