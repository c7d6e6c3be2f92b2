package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// answer is what a request came to, in numbers.
type answer struct {
	status          int // sent, or the one that says why none was
	took, firstByte time.Duration
	received, sent  int64 // bytes of the bodies
}

func (a *answer) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = append(attrs,
		semconv.HTTPResponseStatusCode(a.status),
		semconv.HTTPRequestBodySize(int(a.received)),
		semconv.HTTPResponseBodySize(int(a.sent)),
	)
	if a.firstByte > 0 {
		attrs = append(attrs, timeToFirstByteKey.Float64(a.firstByte.Seconds()))
	}
	return attrs
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
