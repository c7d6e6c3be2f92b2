package telemetry

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
)

// Trust says what becomes of the trace context that a peer outside
// TRUSTED_PROXIES sends.
type Trust string

// What can become of it. The zero value counts as TrustLink.
const (
	TrustAuto   Trust = "auto"   // link
	TrustLink   Trust = "link"   // the request starts a trace, with a link to the peer's span
	TrustIgnore Trust = "ignore" // the request starts a trace
	TrustAll    Trust = "trust"  // the request's span becomes a child of the peer's
)

// UnmarshalText parses the name of a rule.
func (t *Trust) UnmarshalText(text []byte) error {
	switch rule := Trust(text); rule {
	case TrustAuto, TrustLink, TrustIgnore, TrustAll:
		*t = rule
		return nil
	}
	return errors.New("must be auto, link, ignore or trust")
}

// foreignContext are the fields of trace context in all formats. They are
// removed from what is forwarded whatever the propagators in use are: next to
// the context of an attempt they would name some other span as the parent.
var foreignContext = []string{
	"Traceparent", "Tracestate", "Baggage",
	"B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags",
	"Uber-Trace-Id", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context",
	"Ot-Tracer-Traceid", "Ot-Tracer-Spanid", "Ot-Tracer-Sampled",
}

// receive takes the trace context out of r's header, and returns the context
// for the request's span together with what the span must start with.
func (t *Telemetry) receive(r *http.Request) (context.Context, []trace.SpanStartOption) {
	ctx := r.Context()
	if !carriesContext(r.Header) {
		return ctx, nil
	}
	remote := t.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	for _, name := range foreignContext {
		delete(r.Header, name)
	}
	if t.trust == TrustAll || t.trusted.Contains(handler.PeerAddr(r)) {
		return remote, nil
	}
	if sc := trace.SpanContextFromContext(remote); sc.IsValid() && t.trust != TrustIgnore {
		return ctx, []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: sc})}
	}
	return ctx, nil
}

func carriesContext(h http.Header) bool {
	for _, name := range foreignContext {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}
