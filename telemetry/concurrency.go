package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ObserveConcurrency reports, at each collection, how many requests are being
// handled under the limit and how many wait for their turn.
func (t *Telemetry) ObserveConcurrency(active, queued func() int64) error {
	m := t.meter
	activeRequests, queuedRequests, series := m.observed(concurrencyActiveName), m.observed(concurrencyQueuedName), m.with()
	return m.callback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(activeRequests, active(), series)
		o.ObserveInt64(queuedRequests, queued(), series)
		return nil
	}, activeRequests, queuedRequests)
}

// noteWait notes how long the request that ctx is of waited for its turn.
func (t *Telemetry) noteWait(ctx context.Context, d time.Duration) {
	t.metrics.queue.wait.Record(ctx, d.Seconds(), t.metrics.queue.each...)
	if e := exchangeOf(ctx); e != nil {
		e.waited = waited{true, d}
	}
}

type queueMetrics struct {
	wait metric.Float64Histogram
	each []metric.RecordOption
}

func newQueueMetrics(m *meter) queueMetrics {
	return queueMetrics{wait: m.histogram(concurrencyWaitName), each: m.each()}
}

// waited is for how long a request waited for its turn.
type waited struct {
	queued bool // it had to wait
	d      time.Duration
}

func (w *waited) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if w.queued {
		attrs = append(attrs, concurrencyWaitKey.Float64(w.d.Seconds()))
	}
	return attrs
}

func (w *waited) line(attrs []slog.Attr) []slog.Attr {
	if w.queued {
		attrs = append(attrs, slog.Float64("queued", w.d.Seconds()))
	}
	return attrs
}
