package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/telemetry/export/series"
)

// stateChanged gives a change of a backend's state a span of its own, with
// links to the probes and attempts that led to it, counts it, and logs it as
// the event of that name.
func (t *Telemetry) stateChanged(c balancer.StateChange) {
	ctx := context.Background()
	t.metrics().state.Of(t.meter.with(
		backendKey.String(c.Backend.Name), backendStateKey.String(string(c.To)), backendReasonKey.String(string(c.Reason)))...).Add(ctx, 1)
	attrs := []attribute.KeyValue{
		backendKey.String(c.Backend.Name),
		backendStateKey.String(string(c.To)), backendPreviousStateKey.String(string(c.From)),
		backendReasonKey.String(string(c.Reason)),
	}
	if c.Ejection.For > 0 {
		attrs = append(attrs, ejectionFailuresKey.Int(c.Ejection.Failures), ejectionDurationKey.Float64(c.Ejection.For.Seconds()))
	}
	if c.Err != nil {
		attrs = append(attrs, backendErrorTypeKey.String(errorTypeOf(c.Err)))
	}
	var links []trace.Link
	for _, cause := range t.causes.take(c.Backend, c.Reason) {
		links = append(links, trace.Link{SpanContext: cause()})
	}
	ctx, span := t.tracer.Start(ctx, backendStateChangeSpan, trace.WithNewRoot(), trace.WithLinks(links...), trace.WithAttributes(t.meter.with(attrs...)...))
	span.End()
	level := slog.LevelInfo
	if c.To == balancer.Down || c.To == balancer.Ejected {
		level = slog.LevelWarn
	}
	line := []slog.Attr{slog.String("event.name", backendStateChangedEvent)}
	for _, kv := range attrs {
		line = append(line, slog.Any(string(kv.Key), kv.Value.AsInterface()))
	}
	if c.Err != nil {
		line = append(line, slog.String(string(semconv.ExceptionMessageKey), c.Err.Error()))
	}
	t.Log.LogAttrs(ctx, level, "backend state changed", line...)
}

// stateMetrics count changes.
type stateMetrics = *series.Counter

func newStateMetrics(m *meter) stateMetrics { return m.counter(backendStateChangesName) }
