package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/telemetry/export/series"
)

// Mirror returns what listens to the mirror of t's route. The attempt of a copy has a
// CLIENT span in a trace of its own, linked to the span of the request: whoever called
// has not called the mirror, and did not wait for it. It is sampled if the request is.
// What became of copies is counted.
func (t *Telemetry) Mirror() balancer.MirrorHooks {
	if t.off {
		return balancer.MirrorHooks{}
	}
	return balancer.MirrorHooks{
		Copied: t.copied,
		Sent:   func(ctx context.Context) { t.metrics().mirror.of(mirrorSet{mirrorSent, ""}).Add(ctx, 1) },
		Dropped: func(why balancer.DropReason) {
			t.metrics().mirror.of(mirrorSet{mirrorDropped, why}).Add(context.Background(), 1)
		},
	}
}

// ObserveMirror reports, at each collection, how many copies wait for their turn, and
// how many bytes all copies take.
func (t *Telemetry) ObserveMirror(waiting, memory func() int64) {
	waitingCopies, bytes, route := t.meter.observed(mirrorWaitingName), t.meter.observed(mirrorMemoryName), t.meter.with()
	t.meter.OnCollect(func() {
		waitingCopies.Observe(waiting(), route...)
		bytes.Observe(memory(), route...)
	})
}

// mirrored is what a copy knows of its request.
type mirrored struct {
	of      *Telemetry        // the request's route
	request trace.SpanContext // of its span
}

type mirroredKey struct{}

func (t *Telemetry) copied(ctx context.Context, r *http.Request) context.Context {
	if b := baggage.FromContext(r.Context()); b.Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, b)
	}
	return context.WithValue(ctx, mirroredKey{}, &mirrored{t, trace.SpanContextFromContext(r.Context())})
}

// mirroredOf returns what a copy with that context knows; nil for any other request.
func mirroredOf(ctx context.Context) *mirrored {
	m, _ := ctx.Value(mirroredKey{}).(*mirrored)
	return m
}

// tell tells that an attempt is of a copy. A nil mirrored tells nothing.
func (m *mirrored) tell(to attributes) {
	if m == nil {
		return
	}
	to.Bool(mirrorKey, true)
	if name := m.of.route.name; name != "" {
		to.String(routeKey, name)
	}
}

// start starts the span of a copy. Without one, the mirror is told that the trace, which
// is one of its own all the same, is not sampled.
func (m *mirrored) start(ctx context.Context, by trace.Tracer, at time.Time, name string) (context.Context, trace.Span) {
	if m.request.IsSampled() {
		return startSpan(ctx, by, at, name, trace.SpanKindClient, trace.Link{SpanContext: m.request})
	}
	var of trace.SpanContextConfig
	binary.BigEndian.PutUint64(of.TraceID[:8], rand.Uint64())
	binary.BigEndian.PutUint64(of.TraceID[8:], rand.Uint64())
	binary.BigEndian.PutUint64(of.SpanID[:], rand.Uint64()|1) // which is never zero
	of.TraceFlags = m.request.TraceFlags().WithSampled(false)
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(of))
	return ctx, trace.SpanFromContext(ctx)
}

// mirrorResult is what became of a copy.
type mirrorResult string

// What can have.
const (
	mirrorSent    mirrorResult = "sent"
	mirrorDropped mirrorResult = "dropped"
)

// mirrorMetrics count what became of copies.
type mirrorMetrics = *bound[mirrorSet, series.Sum]

func newMirrorMetrics(m *meter) mirrorMetrics {
	return counted(m, mirrorRequestsName, mirrorSet.attributes)
}

type mirrorSet struct {
	result mirrorResult
	reason balancer.DropReason // empty: it was sent
}

func (s mirrorSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{mirrorResultKey.String(string(s.result))}
	if s.reason != "" {
		attrs = append(attrs, mirrorReasonKey.String(string(s.reason)))
	}
	return attrs
}
