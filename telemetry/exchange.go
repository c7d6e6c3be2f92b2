package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler/fault"
)

// exchange is what the decorators note of the request that they are part of. Its
// fields are used by one attempt at a time.
type exchange struct {
	start     time.Time  // of the request
	of        *Telemetry // of the route that it has come to; nil: none
	route     route
	forwarded forwarded
	retryStop retryStop
	side      canarySide
	refusal   refusal
	waited    waited
	principal principal
	requestID requestID
	upgrade   upgrade
	failure   *fault.Error // nil: none so far
	standsFor int          // status of HTTP that an answer of gRPC, sent as 200, stands for; 0: it is what it says

	attempt *attempt          // the latest; nil: none was made
	latest  trace.SpanContext // of the attempt before, for the link to it
	held    held
	members []string // of the caller's trace state, if not all can be read
}

// now returns the present, of the clock that has run on since the request began. To look at
// that alone is half of [time.Now]. e may be nil.
func (e *exchange) now() time.Time {
	if e == nil {
		return time.Now()
	}
	return endOf(e.start)
}

type exchangeKey struct{}

// exchangeOf returns the exchange that ctx is part of, or nil.
func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}
