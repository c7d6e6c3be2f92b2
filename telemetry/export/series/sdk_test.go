package series_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"spangate/telemetry/export/series"
)

// limit of the series of an instrument, in all tests.
const limit = 5

var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// view is how a reader asks for what was recorded.
type view struct {
	name        string
	temporality sdkmetric.TemporalitySelector
	aggregation sdkmetric.AggregationSelector
}

func exponential(maxSize int32) sdkmetric.AggregationSelector {
	return func(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
		if k == sdkmetric.InstrumentKindHistogram {
			return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: maxSize, MaxScale: 20}
		}
		return sdkmetric.DefaultAggregationSelector(k)
	}
}

var views = []view{
	{"cumulative", sdkmetric.CumulativeTemporalitySelector, sdkmetric.DefaultAggregationSelector},
	{"delta", sdkmetric.DeltaTemporalitySelector, sdkmetric.DefaultAggregationSelector},
	{"lowmemory", sdkmetric.LowMemoryTemporalitySelector, sdkmetric.DefaultAggregationSelector},
	{"cumulative, exponential", sdkmetric.CumulativeTemporalitySelector, exponential(160)},
	{"delta, exponential", sdkmetric.DeltaTemporalitySelector, exponential(160)},
	{"lowmemory, exponential of few buckets", sdkmetric.LowMemoryTemporalitySelector, exponential(7)},
}

// both are the same instruments, of the SDK and of ours, and their readers, one for
// each view.
type both struct {
	sdk, ours []sdkmetric.Reader

	sdkCounter   metric.Int64Counter
	sdkUpDown    metric.Int64UpDownCounter
	sdkDurations metric.Float64Histogram
	sdkSizes     metric.Int64Histogram
	sdkUsual     metric.Int64Histogram

	counter, upDown *series.Counter
	durations       *series.Histogram[time.Duration]
	sizes, usual    *series.Histogram[int64]

	level, gauge []observation // that are made at each collection
}

type observation struct {
	value int64
	of    attribute.KeyValue
}

func newBoth(t testing.TB, filter exemplar.Filter, views ...view) *both {
	t.Helper()
	b := &both{}
	provider := series.New(series.Config{Exemplars: filter, Limit: limit})
	options := []sdkmetric.Option{sdkmetric.WithExemplarFilter(filter), sdkmetric.WithCardinalityLimit(limit)}
	for _, v := range views {
		manual := func(more ...sdkmetric.ManualReaderOption) sdkmetric.Reader {
			return sdkmetric.NewManualReader(append(more, sdkmetric.WithTemporalitySelector(v.temporality), sdkmetric.WithAggregationSelector(v.aggregation))...)
		}
		sdk, ours := manual(), manual(sdkmetric.WithProducer(provider.Producer(v.temporality, v.aggregation)))
		b.sdk, b.ours = append(b.sdk, sdk), append(b.ours, ours)
		options = append(options, sdkmetric.WithReader(sdk))
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(ours)) // a reader that none has does not collect
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	meter := sdkmetric.NewMeterProvider(options...).Meter("scope", metric.WithSchemaURL("schema"))
	described := func(name string) (metric.InstrumentOption, metric.InstrumentOption) {
		return metric.WithUnit("unit of " + name), metric.WithDescription("meaning of " + name)
	}
	var err error
	unit, meaning := described("counter")
	b.sdkCounter, err = meter.Int64Counter("counter", unit, meaning)
	must(err)
	unit, meaning = described("updown")
	b.sdkUpDown, err = meter.Int64UpDownCounter("updown", unit, meaning)
	must(err)
	unit, meaning = described("durations")
	b.sdkDurations, err = meter.Float64Histogram("durations", unit, meaning, metric.WithExplicitBucketBoundaries(bounds...))
	must(err)
	unit, meaning = described("sizes")
	b.sdkSizes, err = meter.Int64Histogram("sizes", unit, meaning, metric.WithExplicitBucketBoundaries(-10.5, 0, 1, 2, 3.5, 4))
	must(err)
	unit, meaning = described("usual")
	b.sdkUsual, err = meter.Int64Histogram("usual", unit, meaning)
	must(err)
	unit, meaning = described("level")
	level, err := meter.Int64ObservableUpDownCounter("level", unit, meaning)
	must(err)
	unit, meaning = described("gauge")
	gauge, err := meter.Float64ObservableGauge("gauge", unit, meaning)
	must(err)
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, one := range b.level {
			o.ObserveInt64(level, one.value, metric.WithAttributes(one.of))
		}
		for _, one := range b.gauge {
			o.ObserveFloat64(gauge, float64(one.value), metric.WithAttributes(one.of))
		}
		return nil
	}, level, gauge)
	must(err)
	b.makeOurs(provider.Meter("scope", "schema"))
	return b
}

func (b *both) makeOurs(m *series.Meter) {
	described := func(name string) series.Description {
		return series.Description{Name: name, Unit: "unit of " + name, Meaning: "meaning of " + name}
	}
	b.counter, b.upDown = m.Counter(described("counter")), m.UpDownCounter(described("updown"))
	b.durations = m.Durations(described("durations"), bounds...)
	b.sizes, b.usual = m.Histogram(described("sizes"), -10.5, 0, 1, 2, 3.5, 4), m.Histogram(described("usual"))
	level, gauge := m.ObservedUpDownCounter(described("level")), m.ObservedGauge(described("gauge"))
	m.OnCollect(func() {
		for _, one := range b.level {
			level.Observe(one.value, one.of)
		}
		for _, one := range b.gauge {
			gauge.Observe(float64(one.value), one.of)
		}
	})
}

// record records with all instruments, both ways, with the same attributes.
func (b *both) record(v int64, attributes ...attribute.KeyValue) {
	ctx, with := context.Background(), metric.WithAttributes(attributes...)
	if v > 0 {
		b.sdkCounter.Add(ctx, v, with)
		b.counter.Of(attributes...).Add(ctx, v)
	}
	b.sdkUpDown.Add(ctx, v, with)
	b.upDown.Of(attributes...).Add(ctx, v)
	b.sdkDurations.Record(ctx, time.Duration(v).Seconds(), with)
	b.durations.Of(attributes...).Record(ctx, time.Duration(v))
	b.sdkSizes.Record(ctx, v, with)
	b.sizes.Of(attributes...).Record(ctx, v)
	b.sdkUsual.Record(ctx, v, with)
	b.usual.Of(attributes...).Record(ctx, v)
}

// collected returns what a reader is told, by name.
func collected(t testing.TB, r sdkmetric.Reader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	metrics := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			metrics[scope.Scope.Name+" "+scope.Scope.SchemaURL+" "+m.Name] = m
		}
	}
	return metrics
}

// alike has metrics compared by all that they tell, save that sums of numbers that are
// not whole are rounded elsewhere, the order of points, and which measurements are
// examples.
var alike = cmp.Options{
	cmp.Comparer(func(a, b attribute.Set) bool { return a.Equals(&b) }),
	cmp.Transformer("defined", func(e metricdata.Extrema[int64]) string { v, ok := e.Value(); return fmt.Sprint(v, ok) }),
	cmp.Transformer("defined", func(e metricdata.Extrema[float64]) string { v, ok := e.Value(); return fmt.Sprint(v, ok) }),
	cmpopts.SortSlices(func(a, b metricdata.DataPoint[int64]) bool { return sorts(a.Attributes, b.Attributes) }),
	cmpopts.SortSlices(func(a, b metricdata.DataPoint[float64]) bool { return sorts(a.Attributes, b.Attributes) }),
	cmpopts.SortSlices(func(a, b metricdata.HistogramDataPoint[int64]) bool { return sorts(a.Attributes, b.Attributes) }),
	cmpopts.SortSlices(func(a, b metricdata.HistogramDataPoint[float64]) bool { return sorts(a.Attributes, b.Attributes) }),
	cmpopts.SortSlices(func(a, b metricdata.ExponentialHistogramDataPoint[int64]) bool {
		return sorts(a.Attributes, b.Attributes)
	}),
	cmpopts.SortSlices(func(a, b metricdata.ExponentialHistogramDataPoint[float64]) bool {
		return sorts(a.Attributes, b.Attributes)
	}),
	cmpopts.EquateApprox(1e-9, 1e-6), // a millionth of a second is the rounding of an age
	cmpopts.EquateEmpty(),
	cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "Exemplars") }, cmp.Ignore()),
}

func sorts(a, b attribute.Set) bool {
	encoder := attribute.DefaultEncoder()
	return a.Encoded(encoder) < b.Encoded(encoder)
}

func (b *both) compare(t testing.TB, views []view, when string) {
	t.Helper()
	for i, v := range views {
		if diff := cmp.Diff(collected(t, b.sdk[i]), collected(t, b.ours[i]), alike); diff != "" {
			t.Errorf("%s, %s: (-SDK +ours):\n%s", v.name, when, diff)
		}
	}
}

// of returns the attributes of the i-th series.
func of(i int) []attribute.KeyValue {
	if i == 0 {
		return nil
	}
	return []attribute.KeyValue{attribute.Int("series", i), attribute.String("method", "GET")}
}

// TestAsTheSDK holds that readers are told what they are told of the SDK's instruments,
// over several collections, at all times.
func TestAsTheSDK(t *testing.T) {
	each := map[string][]view{"all at once": views}
	for _, v := range views {
		each[v.name] = []view{v}
	}
	for name, views := range each {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				b := newBoth(t, exemplar.AlwaysOnFilter, views...)
				time.Sleep(time.Second)
				b.compare(t, views, "nothing was recorded yet")
				for round := range 6 {
					time.Sleep(time.Minute)
					for i := range min(round, limit-1) { // some of them only now, some not in each round
						if (round+i)%3 == 0 {
							continue
						}
						for range 50 {
							b.record(int64(math.Exp(random.Float64()*24)), of(i)...)
						}
					}
					b.level = append(b.level, observation{int64(round), attribute.Int("of", round%2)})
					b.gauge = append(b.gauge, observation{int64(-round), attribute.Int("of", round%2)})
					b.compare(t, views, fmt.Sprintf("round %d", round))
				}
				b.level, b.gauge = nil, nil
				b.compare(t, views, "nothing more")
			})
		})
	}
}

// What lies on a boundary, has no size, is negative, or larger than anything that is
// counted goes where the SDK puts it.
func TestBoundaries(t *testing.T) {
	values := []int64{0, 1, -1, 2, 3, 4, 5, 7, 8, -11, -10, 1024, 1<<40 - 1, 1 << 40, 1<<40 + 1, -1 << 40, -1<<40 - 1, 1 << 53, 1 << 61, -1 << 61}
	for _, bound := range bounds {
		at := int64(bound * 1e9)
		values = append(values, at, at+1)
	}
	for _, v := range views {
		synctest.Test(t, func(t *testing.T) {
			for i := range values {
				b := newBoth(t, exemplar.AlwaysOffFilter, v)
				b.record(values[i])
				b.record(values[i])
				b.record(values[(i+1)%len(values)])
				b.compare(t, []view{v}, fmt.Sprintf("%d twice, and another", values[i]))
			}
		})
	}
}

// What is too much is added up in a series of its own.
func TestTooManySeries(t *testing.T) {
	for _, v := range views {
		synctest.Test(t, func(t *testing.T) {
			b := newBoth(t, exemplar.AlwaysOffFilter, v)
			for range 3 {
				for i := range 2 * limit {
					b.record(int64(i+1), of(i)...)
				}
				b.level, b.gauge = nil, nil
				for i := range 2 * limit {
					b.level = append(b.level, observation{int64(i), attribute.Int("of", i)})
					b.gauge = append(b.gauge, observation{int64(i), attribute.Int("of", i)})
				}
				b.compare(t, []view{v}, "more than there may be")
			}
		})
	}
}

// FuzzAsTheSDK looks for values that come into another bucket than with the SDK.
func FuzzAsTheSDK(f *testing.F) {
	f.Add(int64(1), int64(5_000_000), int64(-3))
	f.Add(int64(1<<52), int64(1<<53-1), int64(1000))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64+1), int64(0))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		for _, v := range views[3:] {
			synctest.Test(t, func(t *testing.T) {
				two := newBoth(t, exemplar.AlwaysOffFilter, v)
				for i, value := range []int64{a, b, c, a} {
					two.record(value/4, of(i/2)...) // so that sums do not run over
				}
				two.compare(t, []view{v}, "values")
			})
		}
	})
}
