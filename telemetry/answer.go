package telemetry

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
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

func (a *answer) line(attrs []slog.Attr) []slog.Attr {
	attrs = append(attrs, slog.Int("status", a.status), slog.Float64("duration", a.took.Seconds()))
	if a.firstByte > 0 {
		attrs = append(attrs, slog.Float64("time_to_first_byte", a.firstByte.Seconds()))
	}
	return append(attrs, slog.Int64("received", a.received), slog.Int64("sent", a.sent))
}
