package export

import (
	"context"
	"errors"
	"maps"
	"sync"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// points counts those of metrics that are exported to a collector.
type points struct {
	mu     sync.Mutex
	taken  int
	counts map[outcome]int64
}

// counted returns an export whose points are counted.
func (p *points) counted(export sink[metricBatch]) sink[metricBatch] {
	return func(ctx context.Context, batch metricBatch) error {
		n := 0
		for _, scope := range batch.ScopeMetrics {
			for _, m := range scope.Metrics {
				n += pointsOf(m.Data)
			}
		}
		p.mu.Lock()
		p.taken += n
		p.mu.Unlock()
		err := export(ctx, batch)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken -= n
		for outcome, n := range outcomes(n, err) {
			p.counts[outcome] += n
		}
		return err
	}
}

func (p *points) account() account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return account{taken: p.taken, counts: maps.Clone(p.counts)}
}

// outcomes returns what an export makes of so many items.
func outcomes(n int, err error) map[outcome]int64 {
	of := map[outcome]int64{}
	count := func(o outcome, n int) {
		if n > 0 { // each entry would be a series of its own
			of[o] = int64(n)
		}
	}
	if p, ok := errors.AsType[*partial](err); ok {
		rejected := min(p.rejected, n)
		count(exportRejected, rejected)
		count(exported, n-rejected)
	} else if err != nil {
		count(exportFailed, n)
	} else {
		count(exported, n)
	}
	return of
}

func pointsOf(data metricdata.Aggregation) int {
	switch d := data.(type) {
	case metricdata.Gauge[int64]:
		return len(d.DataPoints)
	case metricdata.Gauge[float64]:
		return len(d.DataPoints)
	case metricdata.Sum[int64]:
		return len(d.DataPoints)
	case metricdata.Sum[float64]:
		return len(d.DataPoints)
	case metricdata.Histogram[int64]:
		return len(d.DataPoints)
	case metricdata.Histogram[float64]:
		return len(d.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		return len(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return len(d.DataPoints)
	}
	return 0
}
