package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/balancer"
)

// RetryWait gives each wait before a retry a span between those of the two
// attempts, and counts the decision. It decorates [balancer.RetryConfig.Wait].
func (t *Telemetry) RetryWait(wait func(context.Context, balancer.RetryDecision) error) func(context.Context, balancer.RetryDecision) error {
	return func(ctx context.Context, d balancer.RetryDecision) error {
		t.retryDecisions.Add(ctx, 1, t.retrySets.get(retrySet{"retry", d.Reason}, retrySet.attributes).add...)
		ctx, span := t.tracer.Start(ctx, retrySpan)
		if span.IsRecording() {
			span.SetAttributes(
				retryReasonKey.String(d.Reason),
				retryDelayKey.Float64(d.Delay.Seconds()),
				retryAttemptKey.Int(d.Attempt),
			)
		}
		err := wait(ctx, d)
		if err != nil && span.IsRecording() {
			span.SetAttributes(semconv.ErrorTypeKey.String(string(balancer.Classify(ctx, err).Type)))
			span.SetStatus(codes.Error, "")
		}
		span.End()
		return err
	}
}

// RetryStopped notes why no further attempt is made, for the request's span,
// and counts it when an attempt had failed. It is for
// [balancer.RetryConfig.Stopped].
func (t *Telemetry) RetryStopped(ctx context.Context, reason balancer.StopReason) {
	if e := exchangeOf(ctx); e != nil {
		e.stopReason = reason
	}
	if reason != balancer.StopSuccess {
		t.retryDecisions.Add(ctx, 1, t.retrySets.get(retrySet{"stop", string(reason)}, retrySet.attributes).add...)
	}
}

// ObserveBudget reports, at each collection, how many retries may be made.
func (t *Telemetry) ObserveBudget(left func() float64) error {
	ours := instruments{Meter: t.meter}
	budget := ours.gauge(retryBudgetName)
	return ours.callback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(budget, left())
		return nil
	}, budget)
}

type retrySet struct{ decision, reason string }

func (s retrySet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{retryDecisionKey.String(s.decision), retryReasonKey.String(s.reason)}
}
