package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// retryWait gives each wait before a retry a span between those of the two
// attempts, and counts the decision.
func (t *Telemetry) retryWait(next balancer.Wait) balancer.Wait {
	return func(ctx context.Context, d balancer.RetryDecision) error {
		e := exchangeOf(ctx)
		t.at(e).metrics().retry.of(retrySet{"retry", d.Reason}).Add(ctx, 1)
		start := time.Now()
		ctx, span := startSpan(ctx, t.tracer, start, retrySpan, trace.SpanKindInternal)
		err := next(ctx, d)
		waited := &retryWaited{exchange: e, decision: d}
		if err != nil {
			waited.errorType = fault.Of(ctx, err).Type
		}
		e.end(span, endOf(start), waited)
		return err
	}
}

// retryWaited is what the span of a wait tells.
type retryWaited struct {
	exchange  *exchange // nil: of no request
	decision  balancer.RetryDecision
	errorType fault.Type // empty: the wait was not cut short
}

// Tell implements [teller].
func (w *retryWaited) Tell(to attributes) {
	to.String(retryReasonKey, w.decision.Reason)
	to.Float64(retryDelayKey, w.decision.Delay.Seconds())
	to.Int(retryAttemptKey, w.decision.Attempt)
	w.exchange.within(to)
	if w.errorType != "" {
		to.String(semconv.ErrorTypeKey, string(w.errorType))
	}
}

// failed implements [teller].
func (w *retryWaited) failed() (string, bool) { return "", w.errorType != "" }

// retryStopped notes why no further attempt is made, for the request's span,
// and counts it unless there was nothing to try again.
func (t *Telemetry) retryStopped(ctx context.Context, reason balancer.StopReason) {
	e := exchangeOf(ctx)
	if e != nil {
		e.retryStop = retryStop(reason)
	}
	if reason != balancer.StopSuccess {
		t.at(e).metrics().retry.of(retrySet{"stop", string(reason)}).Add(ctx, 1)
	}
}

// retryStop is why no further attempt was made; empty: none was made at all.
type retryStop balancer.StopReason

func (r *retryStop) span(to attributes) {
	if *r != "" {
		to.String(retryStopReasonKey, string(*r))
	}
}

func (*retryStop) line(*logline.Line) {}

// ObserveBudget reports, at each collection, how many retries may be made.
func (t *Telemetry) ObserveBudget(left func() float64) {
	budget, route := t.meter.gauge(retryBudgetName), t.meter.with()
	t.meter.OnCollect(func() { budget.Observe(left(), route...) })
}

type retryMetrics = *bound[retrySet, series.Sum]

func newRetryMetrics(m *meter) retryMetrics {
	return counted(m, retryDecisionsName, retrySet.attributes)
}

type retrySet struct{ decision, reason string }

func (s retrySet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{retryDecisionKey.String(s.decision), retryReasonKey.String(s.reason)}
}
