package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/policy"
	"spangate/telemetry/logline"
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

func (p *principal) line(line *logline.Line) {
	if p.Method != "" {
		line.String("principal", p.Name)
		line.String("auth", p.Method)
	}
}
