package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
)

// exchange is what the decorators note of the request that they are part of. Its
// fields are used by one attempt at a time.
type exchange struct {
	route route
	attempted
	waited
	stopReason balancer.StopReason
	refusal    fault.Refusal
	principal  principal
	requestID  requestID
	failure    *fault.Error // nil: none so far
	attempt    *attempt     // the latest; nil: none was made
	// latest is the span of the attempt before, for the link to it.
	latest trace.SpanContext
	held   held
	// forwarded is how long it took to get a response, or to fail to; 0: nobody
	// tried.
	forwarded time.Duration
}

type exchangeKey struct{}

func withExchange(ctx context.Context, e *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, e)
}

// exchangeOf returns the exchange that ctx is part of, or nil.
func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}
