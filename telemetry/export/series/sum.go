package series

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Counter is an instrument whose series add up.
type Counter struct {
	Description
	kind    sdkmetric.InstrumentKind
	filter  exemplar.Filter // nil: it has no exemplars
	members members[sumCells]
	periods periods
}

// Counter returns an instrument for what only grows.
func (m *Meter) Counter(d Description) *Counter {
	return m.counter(d, sdkmetric.InstrumentKindCounter)
}

// UpDownCounter returns an instrument for what grows and shrinks. It has no exemplars.
func (m *Meter) UpDownCounter(d Description) *Counter {
	return m.counter(d, sdkmetric.InstrumentKindUpDownCounter)
}

func (m *Meter) counter(d Description, kind sdkmetric.InstrumentKind) *Counter {
	return instrument(m, d.Name, func() *Counter {
		c := &Counter{Description: d, kind: kind, filter: m.provider.cfg.Exemplars, periods: newPeriods(m.provider)}
		if kind == sdkmetric.InstrumentKindUpDownCounter {
			c.filter = nil
		}
		c.members = members[sumCells]{limit: m.provider.cfg.Limit, make: func(attributes attribute.Set) *sumCells {
			return &sumCells{attributes: attributes, readers: make([]sumReader, len(c.periods.since))}
		}}
		return c
	})
}

// Of returns the series of those attributes. Who records often keeps it.
func (c *Counter) Of(attributes ...attribute.KeyValue) *Sum {
	if c == nil {
		return nil
	}
	return &Sum{of: c, attributes: attribute.NewSet(attributes...)}
}

// Sum is a series that adds up. A nil one does nothing.
type Sum struct {
	of         *Counter
	attributes attribute.Set
	cells      atomic.Pointer[sumCells] // nil: nothing was added yet, and nobody is told of it
}

// sumCells are where a series is counted.
type sumCells struct {
	value  atomic.Int64 // since the last collection
	sample sample

	attributes attribute.Set
	readers    []sumReader
}

// sumReader is what a reader will be told.
type sumReader struct {
	total    int64
	exemplar measurement
}

// Add adds n. The context is that of what was counted.
func (s *Sum) Add(ctx context.Context, n int64) {
	if s == nil {
		return
	}
	c := s.cells.Load()
	if c == nil {
		c = s.of.members.of(s.attributes)
		s.cells.Store(c)
	}
	now := uint64(c.value.Add(n))
	if filter := s.of.filter; filter != nil && now >= c.sample.next.Load() {
		c.sample.offer(ctx, filter, now, n)
	}
}

// drain hands what was counted since the last collection to all readers.
func (c *sumCells) drain() {
	n, kept := c.value.Swap(0), c.sample.take()
	for i := range c.readers {
		r := &c.readers[i]
		r.total += n
		r.exemplar.latest(kept)
	}
}

func (c *Counter) collect(r *reader, now time.Time) (metricdata.Metrics, bool) {
	temporality, since := c.periods.next(r, c.kind, now)
	sum := metricdata.Sum[int64]{Temporality: temporality, IsMonotonic: c.kind == sdkmetric.InstrumentKindCounter}
	for _, cells := range c.members.snapshot() {
		cells.drain()
		of := &cells.readers[r.index]
		if temporality == metricdata.DeltaTemporality && of.total == 0 {
			continue
		}
		sum.DataPoints = append(sum.DataPoints, metricdata.DataPoint[int64]{
			Attributes: cells.attributes, StartTime: since, Time: now,
			Value: of.total, Exemplars: told[int64]([]measurement{of.exemplar}),
		})
		if temporality == metricdata.DeltaTemporality {
			*of = sumReader{}
		}
	}
	return c.metrics(sum), len(sum.DataPoints) > 0
}
