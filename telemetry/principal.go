package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/policy"
)

// noteAuthenticated notes who the request that ctx is of comes from.
func (t *Telemetry) noteAuthenticated(ctx context.Context, p policy.Principal) {
	if e := exchangeOf(ctx); e != nil {
		e.principal = principal(p)
	}
}

// principal is who proved to be whom. Without a method nobody was asked.
type principal policy.Principal

func (p *principal) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if p.Method != "" {
		attrs = append(attrs, semconv.EnduserID(p.Name), authMethodKey.String(p.Method))
	}
	return attrs
}

func (p *principal) line(attrs []slog.Attr) []slog.Attr {
	if p.Method != "" {
		attrs = append(attrs, slog.String("principal", p.Name), slog.String("auth", p.Method))
	}
	return attrs
}
