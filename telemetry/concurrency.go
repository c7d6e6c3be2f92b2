package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// ObserveConcurrency reports, at each collection, how many requests are being
// handled under the limit and how many wait for their turn.
func (t *Telemetry) ObserveConcurrency(active, queued func() int64) error {
	activeRequests, err := t.meter.Int64ObservableUpDownCounter(activeRequestsName, metric.WithUnit("{request}"),
		metric.WithDescription("Requests being handled, of those that MAX_CONCURRENT_REQUESTS limits."))
	if err != nil {
		return err
	}
	queuedRequests, err := t.meter.Int64ObservableUpDownCounter(queuedRequestsName, metric.WithUnit("{request}"),
		metric.WithDescription("Requests that wait for their turn."))
	if err != nil {
		return err
	}
	_, err = t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(activeRequests, active())
		o.ObserveInt64(queuedRequests, queued())
		return nil
	}, activeRequests, queuedRequests)
	return err
}

// QueueWait notes how long the request that ctx is of waited for its turn. It
// is for [policy.Concurrency].
func (t *Telemetry) QueueWait(ctx context.Context, d time.Duration) {
	t.queueWait.Record(ctx, d.Seconds())
	if e := exchangeOf(ctx); e != nil {
		e.queued, e.queueWait = true, d
	}
}
