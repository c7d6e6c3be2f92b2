package telemetry

import (
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// answer is what a request came to, in numbers.
type answer struct {
	status          int // sent, or the one that says why none was
	took, firstByte time.Duration
	received, sent  int64 // bytes of the bodies
}

func (a *answer) span(to attributes) {
	to.Int(semconv.HTTPResponseStatusCodeKey, a.status)
	to.Int(semconv.HTTPRequestBodySizeKey, int(a.received))
	to.Int(semconv.HTTPResponseBodySizeKey, int(a.sent))
	if a.firstByte > 0 {
		to.Float64(timeToFirstByteKey, a.firstByte.Seconds())
	}
}

func (a *answer) line(line *logline.Line) {
	line.Int("status", int64(a.status))
	line.Seconds("duration", a.took)
	if a.firstByte > 0 {
		line.Seconds("time_to_first_byte", a.firstByte)
	}
	line.Int("received", a.received)
	line.Int("sent", a.sent)
}
