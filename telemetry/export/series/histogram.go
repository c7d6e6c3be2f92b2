package series

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Histogram is an instrument whose series tell how values are spread.
type Histogram[V int64 | time.Duration] struct{ histogram }

// Histogram returns an instrument for whole numbers, with buckets up to each of the
// bounds, which ascend; without any they are those that the SDK has by default.
func (m *Meter) Histogram(d Description, bounds ...float64) *Histogram[int64] {
	return instrument(m, d.Name, func() *Histogram[int64] {
		h := &Histogram[int64]{}
		h.build(m.provider, d, bounds, bounded[int64], false)
		return h
	})
}

// Durations returns an instrument for durations. What is told of it, and the bounds
// of its buckets, are seconds.
func (m *Meter) Durations(d Description, bounds ...float64) *Histogram[time.Duration] {
	return instrument(m, d.Name, func() *Histogram[time.Duration] {
		h := &Histogram[time.Duration]{}
		h.build(m.provider, d, bounds, bounded[float64], true)
		return h
	})
}

// Of returns the series of those attributes. Who records often keeps it.
func (h *Histogram[V]) Of(attributes ...attribute.KeyValue) *Distribution[V] {
	if h == nil {
		return nil
	}
	return &Distribution[V]{of: &h.histogram, attributes: attribute.NewSet(attributes...)}
}

// Distribution is a series of values. A nil one does nothing.
type Distribution[V int64 | time.Duration] struct {
	of         *histogram
	attributes attribute.Set
	cells      atomic.Pointer[histogramCells] // nil: nothing was recorded yet
}

// Record adds a value. The context is that of what it was measured of.
func (d *Distribution[V]) Record(ctx context.Context, v V) {
	if d == nil {
		return
	}
	c := d.cells.Load()
	if c == nil {
		c = d.of.members.of(d.attributes)
		d.cells.Store(c)
	}
	if d.of.explicit {
		c.record(ctx, d.of, int64(v))
	}
	if c.exponential != nil {
		c.exponential.record(ctx, d.of, int64(v))
	}
}

// histogram is what there is of one whichever values it is of.
type histogram struct {
	Description
	seconds  bool
	bounds   []float64 // as they are told
	upTo     []int64   // in what is recorded
	explicit bool      // some reader asks for its buckets
	filter   exemplar.Filter
	members  members[histogramCells]
	periods  periods
}

func (h *histogram) build(p *Provider, d Description, bounds []float64, bounded func(float64) int64, seconds bool) {
	if len(bounds) == 0 {
		usual := sdkmetric.DefaultAggregationSelector(sdkmetric.InstrumentKindHistogram)
		bounds = usual.(sdkmetric.AggregationExplicitBucketHistogram).Boundaries
	}
	h.Description, h.seconds, h.bounds, h.filter, h.periods = d, seconds, bounds, p.cfg.Exemplars, newPeriods(p)
	for _, b := range bounds {
		h.upTo = append(h.upTo, bounded(b))
	}
	h.explicit = slices.ContainsFunc(p.readers, func(r *reader) bool { return r.exponential == nil })
	h.members = members[histogramCells]{limit: p.cfg.Limit, make: func(attributes attribute.Set) *histogramCells {
		c := &histogramCells{attributes: attributes, exponential: newExponentials(p.readers)}
		if h.explicit {
			c.buckets, c.readers = make([]atomic.Uint64, len(bounds)+1), make([]histogramReader, len(p.readers))
			c.samples = make([]sample, len(c.buckets))
			c.extremes.reset()
			for i := range c.readers {
				c.readers[i] = newHistogramReader(len(c.buckets))
			}
		}
		return c
	}}
}

// histogramCells are where a series is counted: since the last collection, and then
// for each reader.
type histogramCells struct {
	low, high atomic.Int64 // the sum, as [total] has it
	extremes  extremes
	buckets   []atomic.Uint64
	samples   []sample // by bucket

	exponential *exponentials // nil: no reader asks for them
	attributes  attribute.Set
	readers     []histogramReader
}

// record counts v in its bucket at last: what is counted is then in the sum and the
// extremes as well.
func (c *histogramCells) record(ctx context.Context, h *histogram, v int64) {
	c.extremes.include(v)
	sum := split(v)
	c.low.Add(sum.low)
	if sum.high != 0 {
		c.high.Add(sum.high)
	}
	i := 0
	for i < len(h.upTo) && v > h.upTo[i] {
		i++
	}
	n := c.buckets[i].Add(1)
	if s := &c.samples[i]; h.filter != nil && n >= s.next.Load() {
		s.offer(ctx, h.filter, n, v)
	}
}

// extremes are the least and the greatest of some values: of none while the least is
// more than the greatest.
type extremes struct{ least, greatest atomic.Int64 }

func (e *extremes) reset() { e.least.Store(math.MaxInt64); e.greatest.Store(math.MinInt64) }

func (e *extremes) include(v int64) {
	for least := e.least.Load(); v < least && !e.least.CompareAndSwap(least, v); least = e.least.Load() {
	}
	for greatest := e.greatest.Load(); v > greatest && !e.greatest.CompareAndSwap(greatest, v); greatest = e.greatest.Load() {
	}
}

// histogramReader is what a reader will be told.
type histogramReader struct {
	counts          []uint64
	sum             total
	least, greatest int64
	exemplars       []measurement // by bucket
}

func newHistogramReader(buckets int) histogramReader {
	return histogramReader{
		counts: make([]uint64, buckets), exemplars: make([]measurement, buckets),
		least: math.MaxInt64, greatest: math.MinInt64,
	}
}

// drain hands what was counted since the last collection to all readers.
func (c *histogramCells) drain() {
	counts, kept, any := make([]uint64, len(c.buckets)), make([]measurement, len(c.buckets)), false
	for i := range c.buckets {
		counts[i], kept[i] = c.buckets[i].Swap(0), c.samples[i].take()
		any = any || counts[i] > 0
	}
	if !any {
		return
	}
	sum := total{c.high.Swap(0), c.low.Swap(0)}
	least, greatest := c.extremes.least.Swap(math.MaxInt64), c.extremes.greatest.Swap(math.MinInt64)
	for i := range c.readers {
		r := &c.readers[i]
		r.sum.add(sum)
		r.least, r.greatest = min(r.least, least), max(r.greatest, greatest)
		for bucket, n := range counts {
			r.counts[bucket] += n
			r.exemplars[bucket].latest(kept[bucket])
		}
	}
}

func (h *histogram) collect(r *reader, now time.Time) (metricdata.Metrics, bool) {
	temporality, since := h.periods.next(r, sdkmetric.InstrumentKindHistogram, now)
	p := period{r, temporality, since, now}
	switch {
	case r.exponential != nil && h.seconds:
		return exponentialMetrics[float64](h, p)
	case r.exponential != nil:
		return exponentialMetrics[int64](h, p)
	case h.seconds:
		return histogramMetrics[float64](h, p)
	}
	return histogramMetrics[int64](h, p)
}

// period is what is told to a reader at one collection.
type period struct {
	*reader
	temporality metricdata.Temporality
	since, now  time.Time
}

func histogramMetrics[N number](h *histogram, p period) (metricdata.Metrics, bool) {
	data := metricdata.Histogram[N]{Temporality: p.temporality}
	for _, cells := range h.members.snapshot() {
		cells.drain()
		of := &cells.readers[p.index]
		point := metricdata.HistogramDataPoint[N]{
			Attributes: cells.attributes, StartTime: p.since, Time: p.now,
			Bounds: slices.Clone(h.bounds), BucketCounts: slices.Clone(of.counts),
			Sum: totalOf[N](of.sum), Exemplars: told[N](of.exemplars),
		}
		for _, n := range of.counts {
			point.Count += n
		}
		if point.Count == 0 {
			continue
		}
		if of.least <= of.greatest {
			point.Min, point.Max = metricdata.NewExtrema(valueOf[N](of.least)), metricdata.NewExtrema(valueOf[N](of.greatest))
		}
		data.DataPoints = append(data.DataPoints, point)
		if p.temporality == metricdata.DeltaTemporality {
			*of = newHistogramReader(len(of.counts))
		}
	}
	return h.metrics(data), len(data.DataPoints) > 0
}
