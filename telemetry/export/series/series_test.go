package series_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/series"
)

// reading returns a meter, and what collects what is recorded with it.
func reading(filter exemplar.Filter, v view) (*series.Meter, *sdkmetric.ManualReader) {
	provider := series.New(series.Config{Exemplars: filter, Limit: 100})
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(provider.Producer(v.temporality, v.aggregation)))
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	return provider.Meter("scope", "schema"), reader
}

func named(name string) series.Description { return series.Description{Name: name} }

// counts adds up what one collection tells: the counter, and the values and sums of the
// histograms.
type counts struct {
	counter int64
	values  uint64
	seconds float64
	buckets uint64
}

func (c *counts) add(t *testing.T, r sdkmetric.Reader) {
	for _, m := range collected(t, r) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				c.counter += p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				c.values += p.Count
				c.seconds += p.Sum
				for _, n := range p.BucketCounts {
					c.buckets += n
				}
			}
		case metricdata.ExponentialHistogram[float64]:
			for _, p := range data.DataPoints {
				c.values += p.Count
				c.seconds += p.Sum
				for _, n := range p.PositiveBucket.Counts {
					c.buckets += n
				}
			}
		}
	}
}

// TestConcurrency holds that nothing is lost or counted twice, whoever collects
// meanwhile.
func TestConcurrency(t *testing.T) {
	const routines, each = 4, 1000
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			m, reader := reading(exemplar.AlwaysOnFilter, v)
			counter, durations := m.Counter(named("counter")), m.Durations(named("durations"))
			var recording, collecting sync.WaitGroup
			var done atomic.Bool
			var all counts
			cumulative := v.temporality(sdkmetric.InstrumentKindCounter) == metricdata.CumulativeTemporality
			collecting.Go(func() {
				for !done.Load() {
					if cumulative {
						all = counts{}
					}
					all.add(t, reader)
				}
			})
			for i := range routines {
				recording.Go(func() {
					for n := range each {
						attribute := attribute.Int("series", (i+n)%3)
						counter.Of(attribute).Add(t.Context(), 2)
						durations.Of(attribute).Record(t.Context(), time.Second)
					}
				})
			}
			recording.Wait()
			done.Store(true)
			collecting.Wait()
			if cumulative {
				all = counts{}
			}
			all.add(t, reader)
			if all.counter != 2*routines*each || all.values != routines*each || all.buckets != routines*each || all.seconds != routines*each {
				t.Errorf("%d times 2, and %d seconds, were recorded, and %+v collected", routines*each, routines*each, all)
			}
		})
	}
}

// Series of the same attributes are one, as are instruments of the same name, and what
// nothing was recorded with nobody is told of.
func TestSameSeries(t *testing.T) {
	m, reader := reading(nil, views[0])
	a, b := attribute.String("a", "1"), attribute.String("b", "2")
	m.Counter(named("counter")).Of(a, b).Add(t.Context(), 1)
	m.Counter(named("counter")).Of(b, a).Add(t.Context(), 2)
	m.Counter(named("counter")).Of(b)
	m.Histogram(named("unused")).Of()
	metrics := collected(t, reader)
	points := metrics["scope schema counter"].Data.(metricdata.Sum[int64]).DataPoints
	if len(metrics) != 1 || len(points) != 1 || points[0].Value != 3 {
		t.Errorf("collected: %+v", metrics)
	}
}

// Where nothing is recorded, all is nil.
func TestNil(t *testing.T) {
	m := (*series.Provider)(nil).Meter("scope", "schema")
	m.Counter(named("a")).Of().Add(t.Context(), 1)
	m.UpDownCounter(named("b")).Of().Add(t.Context(), 1)
	m.Durations(named("c")).Of().Record(t.Context(), 1)
	m.Histogram(named("d")).Of().Record(t.Context(), 1)
	m.ObservedUpDownCounter(named("e")).Observe(1)
	m.ObservedGauge(named("f")).Observe(1)
	m.OnCollect(func() { t.Error("collected") })
}

func TestAllocations(t *testing.T) {
	for _, v := range views {
		m, _ := reading(exemplar.TraceBasedFilter, v)
		counter, durations := m.Counter(named("counter")).Of(), m.Durations(named("durations"), bounds...).Of()
		ctx := spanned(1, trace.FlagsSampled)
		if got := testing.AllocsPerRun(1000, func() {
			counter.Add(ctx, 1)
			durations.Record(ctx, 30*time.Millisecond)
		}); got > 0 {
			t.Errorf("%s: %v allocations", v.name, got)
		}
	}
}

// spanned returns the context of a span, by whose identifiers it is found again.
func spanned(id byte, flags trace.TraceFlags) context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: id}, SpanID: trace.SpanID{7: id}, TraceFlags: flags,
	}))
}
