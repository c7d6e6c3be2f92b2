package telemetry

import (
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
)

// attempted is what became of a request's attempts.
type attempted struct {
	attempts int
	backend  string // of the latest
	answered string // backend whose response is passed on; empty: none
}

func (a *attempted) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = append(attrs, attemptCountKey.Int(a.attempts))
	if a.answered != "" {
		attrs = append(attrs, backendKey.String(a.answered))
	}
	return attrs
}

func (a *attempted) line(attrs []slog.Attr) []slog.Attr {
	if a.attempts > 0 {
		attrs = append(attrs, slog.String("backend", a.backend), slog.Int("attempts", a.attempts))
	}
	return attrs
}
