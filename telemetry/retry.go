package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
)

// retryWait gives each wait before a retry a span between those of the two
// attempts, and counts the decision.
func (t *Telemetry) retryWait(next balancer.Wait) balancer.Wait {
	return func(ctx context.Context, d balancer.RetryDecision) error {
		t.metrics.retry.decided(ctx, "retry", d.Reason)
		start := time.Now()
		ctx, span := t.tracer.Start(ctx, retrySpan)
		err := next(ctx, d)
		waited := &retryWaited{decision: d}
		if err != nil {
			waited.errorType = fault.Of(ctx, err).Type
		}
		exchangeOf(ctx).end(span, endOf(start), waited)
		return err
	}
}

// retryWaited is what the span of a wait tells.
type retryWaited struct {
	decision  balancer.RetryDecision
	errorType fault.Type // empty: the wait was not cut short
}

// tell implements [teller].
func (w *retryWaited) tell(span trace.Span) {
	gathered := gather()
	attrs := append(gathered.attributes,
		retryReasonKey.String(w.decision.Reason),
		retryDelayKey.Float64(w.decision.Delay.Seconds()),
		retryAttemptKey.Int(w.decision.Attempt),
	)
	if w.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(string(w.errorType)))
		span.SetStatus(codes.Error, "")
	}
	gathered.set(span, attrs)
}

// retryStopped notes why no further attempt is made, for the request's span,
// and counts it unless there was nothing to try again.
func (t *Telemetry) retryStopped(ctx context.Context, reason balancer.StopReason) {
	if e := exchangeOf(ctx); e != nil {
		e.retryStop = retryStop(reason)
	}
	if reason != balancer.StopSuccess {
		t.metrics.retry.decided(ctx, "stop", string(reason))
	}
}

// retryStop is why no further attempt was made; empty: none was made at all.
type retryStop balancer.StopReason

func (r *retryStop) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if *r != "" {
		attrs = append(attrs, retryStopReasonKey.String(string(*r)))
	}
	return attrs
}

func (*retryStop) line(attrs []slog.Attr) []slog.Attr { return attrs }

// ObserveBudget reports, at each collection, how many retries may be made.
func (t *Telemetry) ObserveBudget(left func() float64) error {
	m := t.meter
	budget, series := m.gauge(retryBudgetName), m.with()
	return m.callback(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(budget, left(), series)
		return nil
	}, budget)
}

type retryMetrics struct {
	decisions metric.Int64Counter
	sets      setCache[retrySet]
}

func newRetryMetrics(m *meter) retryMetrics {
	return retryMetrics{decisions: m.counter(retryDecisionsName), sets: newSets(m, retrySet.attributes)}
}

func (m *retryMetrics) decided(ctx context.Context, decision, reason string) {
	m.decisions.Add(ctx, 1, m.sets.get(retrySet{decision, reason}).add...)
}

type retrySet struct{ decision, reason string }

func (s retrySet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{retryDecisionKey.String(s.decision), retryReasonKey.String(s.reason)}
}
