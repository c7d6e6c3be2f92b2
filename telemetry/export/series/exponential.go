package series

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// exponentials are the exponential histograms of a series, by reader; nil for one that
// asks for explicit buckets. Which buckets a value needs depends on those before it,
// so who records takes a lock: one of the series.
type exponentials struct {
	mu sync.Mutex
	of []*exponential
}

func newExponentials(readers []*reader) *exponentials {
	var e *exponentials
	for _, r := range readers {
		if r.exponential == nil {
			continue
		}
		if e == nil {
			e = &exponentials{of: make([]*exponential, len(readers))}
		}
		e.of[r.index] = newExponential(r.exponential)
	}
	return e
}

func (e *exponentials) record(ctx context.Context, h *histogram, v int64) {
	size := math.Abs(float64(v))
	if h.seconds {
		size = math.Abs(valueOf[float64](v))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.of {
		if one != nil {
			one.record(v, size)
			one.offer(ctx, h.filter, v)
		}
	}
}

// mostExemplars of an exponential histogram are kept, as its buckets are many.
const mostExemplars = 20

// exponential is a histogram each of whose buckets is wider than the one before by the
// same factor, which is greater the lower the scale is. It begins as fine as it may
// be, and is made coarser when what is recorded needs more buckets than there may be.
type exponential struct {
	sdkmetric.AggregationBase2ExponentialHistogram

	scale              int32
	positive, negative bins
	zeros, count       uint64
	sum                total
	least, greatest    int64

	kept []measurement
	seen uint64 // measurements since the last collection
	next uint64 // number of the first that may be looked at
	owed bool   // one was chosen that was not fit
}

func newExponential(a *sdkmetric.AggregationBase2ExponentialHistogram) *exponential {
	return &exponential{AggregationBase2ExponentialHistogram: *a, scale: a.MaxScale, least: math.MaxInt64, greatest: math.MinInt64}
}

// record counts v, which is told as one of that size.
func (e *exponential) record(v int64, size float64) {
	e.count++
	e.sum.add(split(v))
	e.least, e.greatest = min(e.least, v), max(e.greatest, v)
	if v == 0 {
		e.zeros++
		return
	}
	of := &e.positive
	if v < 0 {
		of = &e.negative
	}
	index := indexOf(size, e.scale)
	if by := of.tooFine(index, int(e.MaxSize)); by > 0 {
		e.scale -= by
		e.positive.coarsen(by)
		e.negative.coarsen(by)
		index = indexOf(size, e.scale)
	}
	of.count(index)
}

// offer keeps each of all measurements since the last collection with the same chance.
// As with a [sample], which one is chosen before anybody looks at it; one that is not
// fit has the next that is take its place.
func (e *exponential) offer(ctx context.Context, filter exemplar.Filter, v int64) {
	if e.seen++; filter == nil || e.seen < e.next {
		return
	}
	places := min(mostExemplars, int(e.MaxSize))
	if full := len(e.kept) == places; full && !e.owed && rand.Uint64N(e.seen) >= uint64(places) {
		return
	}
	if e.owed = !filter(ctx); e.owed {
		e.next = passedOver(e.seen)
		return
	}
	if len(e.kept) < places {
		e.kept = append(e.kept, measured(ctx, v))
	} else {
		e.kept[rand.IntN(places)] = measured(ctx, v)
	}
}

// indexOf returns which bucket is the one of a value of that size, more than 0: the
// one above base^index and up to base^(index+1), where base is 2^(2^-scale).
func indexOf(size float64, scale int32) int32 {
	fraction, exponent := math.Frexp(size) // the fraction is from 0.5 up to 1
	power := int32(exponent)
	if scale > 0 {
		return power<<scale + int32(math.Log(fraction)*math.Ldexp(math.Log2E, int(scale))) - 1
	}
	if fraction == 0.5 { // a power of two is the last of its bucket
		power--
	}
	return (power - 1) >> -scale
}

// bins are counts of buckets one after the other.
type bins struct {
	first  int32 // index of the first
	counts []uint64
}

// tooFine returns by how much the scale has to be lowered to have index among no more
// than that many.
func (b *bins) tooFine(index int32, most int) (by int32) {
	if len(b.counts) == 0 {
		return 0
	}
	low, high := min(b.first, index), max(b.last(), index)
	for ; int(high)-int(low) >= most; by++ {
		low, high = low>>1, high>>1
	}
	return by
}

func (b *bins) last() int32 { return b.first + int32(len(b.counts)) - 1 }

// coarsen makes one bucket of each 2^by.
func (b *bins) coarsen(by int32) {
	if len(b.counts) == 0 {
		return
	}
	first, last := b.first>>by, b.last()>>by
	for i, n := range b.counts {
		b.counts[i] = 0
		b.counts[(b.first+int32(i))>>by-first] += n
	}
	b.first, b.counts = first, b.counts[:last-first+1]
}

// count counts one more in the bucket of that index.
func (b *bins) count(index int32) {
	switch {
	case len(b.counts) == 0:
		b.first, b.counts = index, append(b.counts, 0)
	case index < b.first:
		b.counts = slices.Insert(b.counts, 0, make([]uint64, b.first-index)...)
		b.first = index
	case index > b.last():
		b.counts = append(b.counts, make([]uint64, index-b.last())...)
	}
	b.counts[index-b.first]++
}

func (b *bins) told() metricdata.ExponentialBucket {
	return metricdata.ExponentialBucket{Offset: b.first, Counts: slices.Clone(b.counts)}
}

func exponentialMetrics[N number](h *histogram, p period) (metricdata.Metrics, bool) {
	data := metricdata.ExponentialHistogram[N]{Temporality: p.temporality}
	for _, cells := range h.members.snapshot() {
		if point, ok := exponentialPoint[N](cells.attributes, cells.exponential, p); ok {
			data.DataPoints = append(data.DataPoints, point)
		}
	}
	return h.metrics(data), len(data.DataPoints) > 0
}

func exponentialPoint[N number](attributes attribute.Set, all *exponentials, p period) (point metricdata.ExponentialHistogramDataPoint[N], ok bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	e := all.of[p.index]
	if e.count == 0 {
		return point, false
	}
	if p.temporality == metricdata.DeltaTemporality {
		all.of[p.index] = newExponential(p.exponential)
	} else {
		e.seen, e.next, e.owed = 0, 0, false // those that are told of now make room for others
	}
	return metricdata.ExponentialHistogramDataPoint[N]{
		Attributes: attributes, StartTime: p.since, Time: p.now,
		Count: e.count, ZeroCount: e.zeros, Sum: totalOf[N](e.sum), Scale: e.scale,
		Min: metricdata.NewExtrema(valueOf[N](e.least)), Max: metricdata.NewExtrema(valueOf[N](e.greatest)),
		PositiveBucket: e.positive.told(), NegativeBucket: e.negative.told(),
		Exemplars: told[N](e.kept),
	}, true
}
