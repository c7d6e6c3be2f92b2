package telemetry

import (
	"context"

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

func (p *principal) span(to attributes) {
	if p.Method != "" {
		to.String(semconv.EnduserIDKey, p.Name)
		to.String(authMethodKey, p.Method)
	}
}

func (p *principal) line(line *logline.Line) {
	if p.Method != "" {
		line.String("principal", p.Name)
		line.String("auth", p.Method)
	}
}
