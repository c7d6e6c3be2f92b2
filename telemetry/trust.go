package telemetry

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
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

// contextFields are the fields of trace context in all formats. They are
// removed from what is forwarded whatever the propagators in use are: next to
// the context of an attempt they would name some other span as the parent.
var contextFields = map[string]bool{
	"Traceparent": true, "Tracestate": true, "Baggage": true, "Grpc-Trace-Bin": true,
	"B3": true, "X-B3-Traceid": true, "X-B3-Spanid": true, "X-B3-Parentspanid": true, "X-B3-Sampled": true, "X-B3-Flags": true,
	"Uber-Trace-Id": true, "Jaeger-Debug-Id": true, "Jaeger-Baggage": true,
	"X-Amzn-Trace-Id": true, "X-Cloud-Trace-Context": true,
	"Ot-Tracer-Traceid": true, "Ot-Tracer-Spanid": true, "Ot-Tracer-Sampled": true,
}

func isContext(field string) bool {
	return contextFields[field] || strings.HasPrefix(field, "Uberctx-") || strings.HasPrefix(field, "Ot-Baggage-")
}

// receive takes the trace context out of r's header, and returns the context
// for the request's span together with what the span must start with.
func (t *Telemetry) receive(r *http.Request) (context.Context, []trace.SpanStartOption) {
	ctx := r.Context()
	if t.propagator == nil || !carriesContext(r.Header) {
		return ctx, nil
	}
	remote := t.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	maps.DeleteFunc(r.Header, func(field string, _ []string) bool { return isContext(field) })
	if t.trust == TrustAll || t.origin.Trusts(r) {
		return remote, nil
	}
	if sc := trace.SpanContextFromContext(remote); sc.IsValid() && t.trust != TrustIgnore {
		return ctx, []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: sc})}
	}
	return ctx, nil
}

func carriesContext(h http.Header) bool {
	for field := range h {
		if isContext(field) {
			return true
		}
	}
	return false
}
