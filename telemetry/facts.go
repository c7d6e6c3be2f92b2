package telemetry

import "spangate/telemetry/logline"

// fact is something that is known of a request once it has ended. It adds what the
// request's span tells of it, and what its line in the access log does. A new one
// costs its file, a field where it is noted, an entry in the list below, and a row
// in the contract.
type fact interface {
	span(attributes)
	line(*logline.Line)
}

// facts yields all, in the order in which a line tells them.
func (s *served) facts(yield func(fact) bool) {
	e := &s.exchange
	for _, f := range [...]fact{
		&s.target,
		&s.answer,
		&s.grpc,
		&s.caller,
		&s.secured,
		&s.cold,
		&e.route,
		&e.forwarded,
		&e.retryStop,
		&e.side,
		&e.refusal,
		&e.waited,
		&e.principal,
		&e.requestID,
		&e.upgrade,
		&s.reason,
		&s.outcome,
	} {
		if !yield(f) {
			return
		}
	}
}

// writeLine writes what the request's line tells.
func (s *served) writeLine(line *logline.Line) {
	for f := range s.facts {
		f.line(line)
	}
	if s.telemetry.access.Google() {
		line.Group("httpRequest", s.httpRequest)
	}
	line.Write(s)
}

// Tell implements [teller]. All is told at the end: no sampler that can be configured
// decides by it.
func (s *served) Tell(to attributes) {
	for f := range s.facts {
		f.span(to)
	}
}

// failed implements [teller].
func (s *served) failed() (string, bool) { return "", s.outcome.spanError != "" }
