package export

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

type metricBatch = *metricdata.ResourceMetrics

// periodic exports metrics to one sink, again and again. The SDK's periodic reader does
// as much, but how long its collections take it tells a process-wide provider alone.
type periodic struct {
	reader    *sdkmetric.ManualReader
	sink      sink[metricBatch]
	interval  time.Duration
	timeout   time.Duration // of a collection and its export
	collected *timing
	metrics   metricdata.ResourceMetrics // memory that is used again

	cancel context.CancelFunc
	done   chan struct{} // closed when no more is exported but by shutdown
}

// start has metrics exported until a shutdown. What is wrong with a collection is the
// SDK's to tell, what is wrong with an export was told.
func (p *periodic) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		again := time.NewTicker(p.interval)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				_ = p.export(ctx)
			}
		}
	}()
}

func (p *periodic) export(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	began := time.Now()
	err := p.reader.Collect(ctx, &p.metrics)
	p.collected.record(began, collectionCause(err))
	if err != nil {
		otel.Handle(err)
		return err
	}
	return p.sink(ctx, &p.metrics)
}

// shutdown gives up an export that is under way, and makes the last one.
func (p *periodic) shutdown(ctx context.Context) error {
	p.cancel()
	select {
	case <-p.done:
		return p.export(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// collectionCause is the error.type of a collection.
func collectionCause(err error) string {
	if err == nil {
		return ""
	}
	return "collection_failed"
}
