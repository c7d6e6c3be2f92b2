package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// Canary returns what listens to the canary of t's route: it notes on each request's
// span which side it went to, and gives each change of the canary's state a span of its
// own, linked to what led to it, counts it, and logs it as the event of that name.
func (t *Telemetry) Canary() balancer.CanaryHooks {
	c := &canary{telemetry: t}
	hooks := balancer.CanaryHooks{Changed: c.changed}
	if !t.off {
		hooks.Chosen, hooks.Failed = c.chosen, c.failed
	}
	return hooks
}

// ObserveCanary reports, at each collection, what state a canary is in and which share
// it has.
func (t *Telemetry) ObserveCanary(state func() (balancer.CanaryState, float64)) {
	m := t.meter
	share, status := m.gauge(canaryShareName), m.observed(canaryStatusName)
	m.OnCollect(func() {
		now, part := state()
		share.Observe(part, m.with()...)
		for _, one := range balancer.CanaryStates {
			is := int64(0)
			if one == now {
				is = 1
			}
			status.Observe(is, m.with(canaryStateKey.String(string(one)))...)
		}
	})
}

// canary is what is known of one.
type canary struct {
	telemetry *Telemetry

	mu     sync.Mutex
	causes []trace.SpanContext // the latest attempts that failed
	before trace.SpanContext   // of the change before
}

func (c *canary) chosen(ctx context.Context, canary bool) {
	e := exchangeOf(ctx)
	if e == nil {
		return
	}
	if e.side = sideStable; canary {
		e.side = sideCanary
	}
}

func (c *canary) failed(ctx context.Context) {
	e := exchangeOf(ctx)
	if e == nil || e.attempt == nil {
		return
	}
	span := e.attempt.span.SpanContext()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.causes = append(c.causes, span)
	c.causes = c.causes[max(0, len(c.causes)-maxCauses):]
}

// links returns those to what led to a change, and to the one before.
func (c *canary) links(why balancer.CanaryReason) (all []trace.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if why == balancer.CanaryFailed {
		for _, cause := range c.causes {
			all = append(all, trace.Link{SpanContext: cause})
		}
		c.causes = nil
	}
	if c.before.IsValid() {
		all = append(all, trace.Link{SpanContext: c.before})
	}
	return all
}

func (c *canary) changed(change balancer.CanaryChange) {
	t, ctx := c.telemetry, context.Background()
	t.metrics().canary.Of(t.meter.with(canaryStateKey.String(string(change.To)), canaryReasonKey.String(string(change.Reason)))...).Add(ctx, 1)
	attrs := []attribute.KeyValue{
		canaryStateKey.String(string(change.To)), canaryPreviousStateKey.String(string(change.From)),
		canaryReasonKey.String(string(change.Reason)),
	}
	if change.For > 0 {
		attrs = append(attrs, canaryWaitKey.Float64(change.For.Seconds()))
	}
	if change.Reason != balancer.CanaryWaited {
		attrs = append(attrs,
			canaryAttemptsKey.Int64(change.Canary.Attempts), canaryFailuresKey.Int64(change.Canary.Failures),
			canaryStableAttemptsKey.Int64(change.Stable.Attempts), canaryStableFailuresKey.Int64(change.Stable.Failures))
	}
	ctx, span := t.tracer.Start(ctx, canaryStateChangeSpan, trace.WithNewRoot(), trace.WithLinks(c.links(change.Reason)...), trace.WithAttributes(t.meter.with(attrs...)...))
	span.End()
	c.mu.Lock()
	c.before = span.SpanContext()
	c.mu.Unlock()
	level := slog.LevelInfo
	if change.To == balancer.CanaryAborted {
		level = slog.LevelWarn
	}
	line := []slog.Attr{slog.String("event.name", canaryStateChangedEvent)}
	for _, kv := range attrs {
		line = append(line, slog.Any(string(kv.Key), kv.Value.AsInterface()))
	}
	t.Log.LogAttrs(ctx, level, "canary state changed", line...)
}

// canarySide is which side of a canary a request went to first; empty: there is none.
type canarySide string

// The sides.
const (
	sideCanary canarySide = "canary"
	sideStable canarySide = "stable"
)

func (s *canarySide) span(to attributes) {
	if *s != "" {
		to.String(canarySideKey, string(*s))
	}
}

func (s *canarySide) line(line *logline.Line) {
	if *s != "" {
		line.String("side", string(*s))
	}
}

// canaryMetrics count changes.
type canaryMetrics = *series.Counter

func newCanaryMetrics(m *meter) canaryMetrics { return m.counter(canaryStateChangesName) }
