package telemetry

import (
	"context"
	"time"

	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// ObserveConcurrency reports, at each collection, how many requests are being
// handled under the limit and how many wait for their turn.
func (t *Telemetry) ObserveConcurrency(active, queued func() int64) {
	activeRequests, queuedRequests := t.meter.observed(concurrencyActiveName), t.meter.observed(concurrencyQueuedName)
	route := t.meter.with()
	t.meter.OnCollect(func() {
		activeRequests.Observe(active(), route...)
		queuedRequests.Observe(queued(), route...)
	})
}

// noteWait notes how long the request that ctx is of waited for its turn.
func (t *Telemetry) noteWait(ctx context.Context, d time.Duration) {
	e := exchangeOf(ctx)
	t.at(e).metrics().queue.Record(ctx, d)
	if e != nil {
		e.waited = waited{true, d}
	}
}

// queueMetrics are of how long requests waited.
type queueMetrics = *series.Distribution[time.Duration]

func newQueueMetrics(m *meter) queueMetrics { return m.durations(concurrencyWaitName).Of(m.with()...) }

// waited is for how long a request waited for its turn.
type waited struct {
	queued bool // it had to wait
	d      time.Duration
}

func (w *waited) span(to attributes) {
	if w.queued {
		to.Float64(concurrencyWaitKey, w.d.Seconds())
	}
}

func (w *waited) line(line *logline.Line) {
	if w.queued {
		line.Seconds("queued", w.d)
	}
}
