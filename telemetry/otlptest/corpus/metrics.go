// Package corpus holds metrics and log records of every kind, in the form in which the
// SDK hands them to its exporters.
package corpus

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Resource is who sends all of it.
func Resource() *resource.Resource {
	return resource.NewWithAttributes("https://example.com/schema",
		append(attributes(), attribute.String("service.name", "shop"))...)
}

// attributes returns some of every type.
func attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Bool("bool", true), attribute.Bool("bool.false", false), attribute.BoolSlice("bools", []bool{true, false}),
		attribute.Int64("int", -7), attribute.Int64("int.zero", 0), attribute.Int64("int.most", math.MaxInt64),
		attribute.Int64Slice("ints", []int64{0, -1, math.MinInt64}),
		attribute.Float64("double", 1.5), attribute.Float64("double.zero", math.Copysign(0, -1)), attribute.Float64("double.nan", math.NaN()),
		attribute.Float64Slice("doubles", []float64{0, math.Inf(1), math.SmallestNonzeroFloat64}),
		attribute.String("text", "Grüße, 世界"), attribute.String("text.empty", ""), attribute.StringSlice("texts", []string{"a", "", "c"}),
		attribute.ByteSlice("bytes", []byte{0, 255}), attribute.ByteSlice("bytes.empty", nil),
		attribute.Slice("list", attribute.BoolValue(true), attribute.SliceValue(attribute.IntValue(2), attribute.Value{}), attribute.StringValue("x")),
		attribute.Map("map", attribute.String("inner", "value"), attribute.Map("nested", attribute.Bool("ok", true)), attribute.KeyValue{Key: "empty"}),
		attribute.StringSlice("list.empty", nil), attribute.Map("map.empty"), {Key: "none"},
		attribute.String("long", strings.Repeat("long ", 60)),
	}
}

var (
	began = time.Unix(1_700_000_000, 123_456_789)
	now   = began.Add(time.Minute)
	long  = instrumentation.Scope{
		Name: "spangate/telemetry", Version: "1.2.3", SchemaURL: "https://opentelemetry.io/schemas/1.43.0",
		Attributes: attribute.NewSet(attribute.String("scope", "attribute")),
	}
	short = instrumentation.Scope{Name: "short"}
	few   = []attribute.KeyValue{attribute.Int("status", 200), attribute.String("backend", "a")}
)

// Metrics returns metrics of each kind, with values of each kind.
func Metrics() []metricdata.ScopeMetrics {
	kinds := func(t metricdata.Temporality) (all []metricdata.Metrics) {
		for _, data := range []metricdata.Aggregation{
			metricdata.Sum[int64]{Temporality: t, IsMonotonic: true, DataPoints: points[int64](0, 1, -1, math.MaxInt64, math.MinInt64)},
			metricdata.Sum[float64]{Temporality: t, DataPoints: points(0, 1.5, math.Inf(-1), math.NaN(), math.Copysign(0, -1))},
			metricdata.Histogram[int64]{Temporality: t, DataPoints: histograms[int64](0, 1, -1)},
			metricdata.Histogram[float64]{Temporality: t, DataPoints: histograms(0, 1.5, math.Inf(1))},
			metricdata.ExponentialHistogram[int64]{Temporality: t, DataPoints: exponentials[int64](0, 1, -1)},
			metricdata.ExponentialHistogram[float64]{Temporality: t, DataPoints: exponentials(0, 1.5, math.Inf(1))},
		} {
			all = append(all, metricdata.Metrics{Name: "spangate.test", Description: "of " + t.String(), Unit: "{thing}", Data: data})
		}
		return all
	}
	return []metricdata.ScopeMetrics{
		{Scope: long, Metrics: kinds(metricdata.CumulativeTemporality)},
		{Scope: short, Metrics: kinds(metricdata.DeltaTemporality)},
		{Scope: short, Metrics: []metricdata.Metrics{ // the same again, as another producer may have it
			{Name: "gauge", Data: metricdata.Gauge[int64]{DataPoints: points[int64](0, 1)}},
			{Name: "gauge.double", Unit: "s", Data: metricdata.Gauge[float64]{DataPoints: points(0, 0.25)}},
			{Name: "gauge.attributes", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{
				Attributes: attribute.NewSet(attributes()...), Exemplars: []metricdata.Exemplar[int64]{{FilteredAttributes: attributes()}},
			}}}},
			{Name: "gauge.empty", Data: metricdata.Gauge[float64]{}},
			{Name: "sum.empty", Data: metricdata.Sum[int64]{Temporality: metricdata.DeltaTemporality, IsMonotonic: true}},
			{Description: "has no name", Data: summary()},
		}},
	}
}

// Unknown returns metrics that OTLP has no word for.
func Unknown() []metricdata.ScopeMetrics {
	return []metricdata.ScopeMetrics{{Scope: short, Metrics: []metricdata.Metrics{
		{Name: "no data"},
		{Name: "no temporality", Data: metricdata.Sum[int64]{}},
		{Name: "nor here", Data: metricdata.Histogram[float64]{}},
		{Name: "strange temporality", Data: metricdata.ExponentialHistogram[int64]{Temporality: 77}},
	}}}
}

func points[N int64 | float64](values ...N) (all []metricdata.DataPoint[N]) {
	for i, value := range values {
		p := metricdata.DataPoint[N]{Value: value, Attributes: attribute.NewSet(attribute.Int("n", i))}
		if i%2 == 0 {
			p.StartTime, p.Time = began, now
			p.Exemplars = exemplars(value)
		}
		all = append(all, p)
	}
	return all
}

func exemplars[N int64 | float64](value N) []metricdata.Exemplar[N] {
	return []metricdata.Exemplar[N]{
		{Value: value, Time: now, TraceID: []byte("0123456789abcdef"), SpanID: []byte("01234567"), FilteredAttributes: few},
		{Value: value},
	}
}

func histograms[N int64 | float64](values ...N) []metricdata.HistogramDataPoint[N] {
	all := []metricdata.HistogramDataPoint[N]{{}, {StartTime: time.Unix(0, 0), Time: time.Unix(-5, 0)}}
	for _, value := range values {
		all = append(all, metricdata.HistogramDataPoint[N]{
			Attributes: attribute.NewSet(few...), StartTime: began, Time: now,
			Count: 4, Sum: value, Bounds: []float64{0, 0.005, 1}, BucketCounts: []uint64{1, 0, 300, math.MaxUint64},
			Min: metricdata.NewExtrema(value), Max: metricdata.NewExtrema(value), Exemplars: exemplars(value),
		})
	}
	return all
}

func exponentials[N int64 | float64](values ...N) []metricdata.ExponentialHistogramDataPoint[N] {
	all := []metricdata.ExponentialHistogramDataPoint[N]{{}, {ZeroThreshold: 0.125, NegativeBucket: metricdata.ExponentialBucket{Offset: 3, Counts: []uint64{0}}}}
	for i, value := range values {
		all = append(all, metricdata.ExponentialHistogramDataPoint[N]{
			Attributes: attribute.NewSet(few...), StartTime: began, Time: now,
			Count: math.MaxUint64, Sum: value, Scale: []int32{20, -10, math.MinInt32}[i], ZeroCount: 3,
			PositiveBucket: metricdata.ExponentialBucket{Offset: -7, Counts: []uint64{1, 0, 127, 128, math.MaxUint64}},
			Min:            metricdata.NewExtrema(value), Max: metricdata.NewExtrema(value), Exemplars: exemplars(value),
		})
	}
	return all
}

func summary() metricdata.Summary {
	return metricdata.Summary{DataPoints: []metricdata.SummaryDataPoint{{}, {
		Attributes: attribute.NewSet(few...), StartTime: began, Time: now, Count: 9, Sum: -2.5,
		QuantileValues: []metricdata.QuantileValue{{}, {Quantile: 0.99, Value: 7}, {Quantile: 1, Value: math.Copysign(0, -1)}},
	}}}
}
