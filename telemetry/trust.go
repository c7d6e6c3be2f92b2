package telemetry

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/telemetry/tracecontext"
)

// trust says what becomes of the trace context that a peer outside
// TRUSTED_PROXIES sends.
type trust string

// What can become of it. The zero value counts as trustLink.
const (
	trustAuto   trust = "auto"   // link
	trustLink   trust = "link"   // the request starts a trace, with a link to the peer's span
	trustIgnore trust = "ignore" // the request starts a trace
	trustAll    trust = "trust"  // the request's span becomes a child of the peer's
)

// UnmarshalText parses the name of a rule.
func (t *trust) UnmarshalText(text []byte) error {
	return config.OneOf(t, text, trustAuto, trustLink, trustIgnore, trustAll)
}

// passesOn reports whether the trace context that comes with r, in whatever
// format, goes on to the backend as it came. It does from a peer that is
// believed, unless the proxy is a participant in traces: unless its own spans are
// exported and others are told of them. Who is none has nothing to say about a
// trace, not even that it is not sampled.
func (t *Telemetry) passesOn(r *http.Request) bool { return !t.participates && t.believes(r) }

func (t *Telemetry) believes(r *http.Request) bool {
	return t.cfg.Trust == trustAll || handler.ClientOf(r).Trusted
}

// receive takes the trace context out of r's header, where it stays if it passes
// on, and returns the context for the request's span together with the links that
// it has. What a peer sends that is not believed has no say in the
// trace: nothing of it is kept but a link, and the baggage that TRACE_BAGGAGE
// names.
func (t *Telemetry) receive(r *http.Request) (_ context.Context, links []trace.Link) {
	ctx := r.Context()
	if !carriesContext(r.Header) {
		return ctx, nil
	}
	if t.passesOn(r) {
		return t.extract(ctx, r.Header), nil
	}
	if t.believes(r) {
		ctx = t.extract(ctx, r.Header)
		removeContext(r.Header)
		return ctx, nil
	}
	remote := t.propagator.Extract(ctx, tracecontext.Header(r.Header))
	removeContext(r.Header)
	ctx = t.cfg.Baggage.admit(ctx, baggage.FromContext(remote))
	if !t.participates {
		propagation.Baggage{}.Inject(ctx, tracecontext.Header(r.Header)) // no attempt does
	}
	if sc := trace.SpanContextFromContext(remote); sc.IsValid() && t.cfg.Trust != trustIgnore {
		return ctx, []trace.Link{{SpanContext: sc.WithTraceState(trace.TraceState{})}}
	}
	return ctx, nil
}

// extract returns ctx with the trace context that a believed peer sent in h, if
// it is in a format that is read here.
func (t *Telemetry) extract(ctx context.Context, h http.Header) context.Context {
	remote := t.propagator.Extract(ctx, tracecontext.Header(h))
	if trace.SpanContextFromContext(remote).IsValid() || !t.propagates { // none extracts nothing
		return remote
	}
	if of, said, ok := parseCloudTrace(h.Get(cloudTraceField)); ok {
		return tracecontext.WithCaller(remote, of, said)
	}
	return remote
}

// startServer starts a request's span in ctx. Where none is exported, that of
// the caller is the nearest one that somebody can look up: log lines and error
// bodies name it. Without a caller they share an id that is known nowhere else.
func (t *Telemetry) startServer(ctx context.Context, at time.Time, name string, links []trace.Link) (context.Context, trace.Span) {
	if t.silent {
		if caller := trace.SpanFromContext(ctx); caller.SpanContext().IsValid() {
			return ctx, caller
		}
	}
	return startSpan(ctx, t.ids, at, name, trace.SpanKindServer, links...)
}
