package telemetry

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/baggage"
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

// receive takes the trace context out of r's header, and returns the context
// for the request's span together with what the span must start with. What a
// peer sends that is not believed has no say in the trace: nothing of it is
// kept but a link, and the baggage that TRACE_BAGGAGE names.
func (t *Telemetry) receive(r *http.Request) (context.Context, []trace.SpanStartOption) {
	ctx := r.Context()
	if t.propagator == nil {
		return ctx, serverKind
	}
	removeContext(r.Trailer) // what is announced; see countedRequest for the rest
	if !carriesContext(r.Header) {
		return ctx, serverKind
	}
	if len(r.Header["Traceparent"]) > 1 {
		delete(r.Header, "Traceparent") // whose it is cannot be told
	}
	remote := t.propagator.Extract(ctx, contextHeader(r.Header))
	cloud := r.Header.Get(cloudTraceField)
	removeContext(r.Header)
	sc := trace.SpanContextFromContext(remote)
	if t.trust == TrustAll || t.origin.Trusts(r) {
		if !sc.IsValid() && len(t.propagator.Fields()) > 0 { // none extracts nothing
			sc = parseCloudTrace(cloud)
		}
		if sc.IsValid() {
			remote = trace.ContextWithRemoteSpanContext(remote, sc.WithTraceState(shortened(sc.TraceState())))
		}
		return remote, serverKind
	}
	ctx = t.baggage.admit(ctx, baggage.FromContext(remote))
	if sc.IsValid() && t.trust != TrustIgnore {
		return ctx, linked(serverKind, sc.WithTraceState(trace.TraceState{}))
	}
	return ctx, serverKind
}
