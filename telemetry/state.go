package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
)

// StateChanged gives a change of a backend's state a span of its own, with
// links to the probes and attempts that led to it, counts it, and logs it as
// the event of that name. It is for [balancer.PoolConfig.Changed].
func (t *Telemetry) StateChanged(c balancer.StateChange) {
	ctx := context.Background()
	t.stateChanges.Add(ctx, 1, metric.WithAttributes(
		backendKey.String(c.Backend.Name), attribute.String("state", string(c.To)), attribute.String("reason", string(c.Reason))))
	attrs := []attribute.KeyValue{
		backendKey.String(c.Backend.Name),
		stateKey.String(string(c.To)), previousStateKey.String(string(c.From)),
		stateReasonKey.String(string(c.Reason)),
	}
	var links []trace.Link
	for _, cause := range t.causes.take(c.Backend, c.Reason) {
		links = append(links, trace.Link{SpanContext: cause()})
	}
	ctx, span := t.tracer.Start(ctx, "backend_state_change", trace.WithNewRoot(), trace.WithLinks(links...), trace.WithAttributes(attrs...))
	span.End()
	level := slog.LevelInfo
	if c.To == balancer.Down || c.To == balancer.Ejected {
		level = slog.LevelWarn
	}
	line := []any{"event.name", "backend_state_change", "backend", c.Backend.Name, "from", string(c.From), "to", string(c.To), "reason", string(c.Reason)}
	if c.Err != nil {
		line = append(line, "error", c.Err.Error())
	}
	t.log.Log(ctx, level, "backend state changed", line...)
}
