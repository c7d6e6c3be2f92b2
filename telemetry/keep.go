package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler/fault"
	"spangate/telemetry/logline"
)

// held are the spans of a request that is recorded though it is not sampled.
// They get their attributes and their ends once it is known that they are to be
// exported, else never: most such requests cost no attribute. The zero value
// holds none. It is safe for concurrent use.
type held struct {
	mu      sync.Mutex
	settled bool
	spans   []heldSpan
	room    [1]heldSpan // for that of the only attempt
}

type heldSpan struct {
	span trace.Span
	at   time.Time // when what it tells of ended
	of   teller
}

// end ends a span of the request that e is of, which may be nil: at once if it
// is sampled, else when the request is kept. What ends later than the request is
// not kept with it.
func (e *exchange) end(span trace.Span, at time.Time, of teller) {
	switch {
	case !span.IsRecording():
	case span.SpanContext().IsSampled():
		tell(span, of)
		endSpan(span, at)
	case e != nil:
		e.held.mu.Lock()
		defer e.held.mu.Unlock()
		if e.held.spans == nil {
			e.held.spans = e.held.room[:0]
		}
		if e.held.settled {
			forgetSpan(span)
			return
		}
		e.held.spans = append(e.held.spans, heldSpan{span, at, of})
	default:
		forgetSpan(span)
	}
}

// endOf returns the present, of the clock that has run on since start: another
// one may have been set meanwhile.
func endOf(start time.Time) time.Time { return start.Add(time.Since(start)) }

// startSpan starts a span that began at that time, of which its end is told by the same
// clock: another one may run ahead of it. The tracer that ships takes the time as it is;
// an option would take memory, and others need not be exact.
func startSpan(ctx context.Context, by trace.Tracer, at time.Time, name string, kind trace.SpanKind, links ...trace.Link) (context.Context, trace.Span) {
	if t, ok := by.(interface {
		StartAt(context.Context, time.Time, string, trace.SpanKind, ...trace.Link) (context.Context, trace.Span)
	}); ok {
		return t.StartAt(ctx, at, name, kind, links...)
	}
	return by.Start(ctx, name, trace.WithSpanKind(kind), trace.WithLinks(links...))
}

// endSpan ends a span at that time. The tracer that ships takes the time as it is; an
// option takes memory.
func endSpan(span trace.Span, at time.Time) {
	if s, ok := span.(interface{ EndAt(time.Time) }); ok {
		s.EndAt(at)
		return
	}
	span.End(trace.WithTimestamp(at))
}

// forgetSpan tells the tracer that ships that a span is not going to end.
func forgetSpan(span trace.Span) {
	if s, ok := span.(interface{ Forget() }); ok {
		s.Forget()
	}
}

// settle ends the spans that are held, or forgets them.
func (h *held) settle(kept bool) {
	h.mu.Lock()
	spans := h.spans
	h.settled, h.spans = true, nil
	h.mu.Unlock()
	for _, s := range spans {
		if !kept {
			forgetSpan(s.span)
			continue
		}
		tell(s.span, s.of)
		endSpan(s.span, s.at)
	}
}

// samplingReason is why a request is exported though it is not sampled; empty: it
// is sampled, or not exported.
type samplingReason string

func (r *samplingReason) span(to attributes) {
	if *r != "" {
		to.String(samplingReasonKey, string(*r))
	}
}

func (*samplingReason) line(*logline.Line) {}

// keepReason returns why the request is to be exported though it is not sampled.
// That its client hung up or paused is no reason, nor how long it took to: who
// does so again and again would decide what is exported.
func (s *served) keepReason() samplingReason {
	if s.exchange.of.keep == nil {
		return ""
	}
	failure := s.exchange.failure
	ofClient := failure != nil && (failure.Type == fault.ClientDisconnected || failure.Type == fault.ClientTimeout)
	answered := s.answer.firstByte
	if s.response.status == 0 && !ofClient {
		answered = s.answer.took
	}
	return samplingReason(s.exchange.of.keep(s.outcome.spanError != "" && !ofClient, s.exchange.forwarded.attempts, answered))
}
