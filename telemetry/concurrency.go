package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// ObserveConcurrency reports, at each collection, how many requests are being
// handled under the limit and how many wait for their turn.
func (t *Telemetry) ObserveConcurrency(active, queued func() int64) error {
	ours := instruments{Meter: t.meter}
	activeRequests, queuedRequests := ours.observed(concurrencyActiveName), ours.observed(concurrencyQueuedName)
	return ours.callback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(activeRequests, active())
		o.ObserveInt64(queuedRequests, queued())
		return nil
	}, activeRequests, queuedRequests)
}

// QueueWait notes how long the request that ctx is of waited for its turn. It
// is for [policy.Concurrency].
func (t *Telemetry) QueueWait(ctx context.Context, d time.Duration) {
	t.queueWait.Record(ctx, d.Seconds())
	if e := exchangeOf(ctx); e != nil {
		e.queued, e.queueWait = true, d
	}
}
