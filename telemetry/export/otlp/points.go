package otlp

import (
	"encoding/binary"
	"math"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/encoding/protowire"
)

func appendNumberPoint[N int64 | float64](b []byte, p *metricdata.DataPoint[N]) []byte {
	b = appendInterval(b, p.StartTime, p.Time)
	b = appendEither(b, 6, 4, p.Value)
	b = appendExemplars(b, 5, p.Exemplars)
	return appendSet(b, 7, p.Attributes, boundless)
}

func appendHistogramPoint[N int64 | float64](b []byte, p *metricdata.HistogramDataPoint[N]) []byte {
	b = appendInterval(b, p.StartTime, p.Time)
	b = appendCount(b, 4, p.Count)
	b = appendDouble(b, 5, float64(p.Sum))
	b = appendPacked(b, 6, p.BucketCounts, binary.LittleEndian.AppendUint64)
	b = appendPacked(b, 7, p.Bounds, func(b []byte, bound float64) []byte {
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(bound))
	})
	b = appendExemplars(b, 8, p.Exemplars)
	b = appendSet(b, 9, p.Attributes, boundless)
	b = appendExtremum(b, 11, p.Min)
	return appendExtremum(b, 12, p.Max)
}

func appendExponentialPoint[N int64 | float64](b []byte, p *metricdata.ExponentialHistogramDataPoint[N]) []byte {
	b = appendSet(b, 1, p.Attributes, boundless)
	b = appendInterval(b, p.StartTime, p.Time)
	b = appendCount(b, 4, p.Count)
	b = appendDouble(b, 5, float64(p.Sum))
	b = appendSigned(b, 6, p.Scale)
	b = appendCount(b, 7, p.ZeroCount)
	b = appendMessage(b, 8, &p.PositiveBucket, appendBuckets)
	b = appendMessage(b, 9, &p.NegativeBucket, appendBuckets)
	b = appendExemplars(b, 11, p.Exemplars)
	b = appendExtremum(b, 12, p.Min)
	b = appendExtremum(b, 13, p.Max)
	return appendNonzero(b, 14, p.ZeroThreshold)
}

func appendBuckets(b []byte, of *metricdata.ExponentialBucket) []byte {
	b = appendSigned(b, 1, of.Offset)
	return appendPacked(b, 2, of.Counts, protowire.AppendVarint)
}

func appendSummaryPoint(b []byte, p *metricdata.SummaryDataPoint) []byte {
	b = appendInterval(b, p.StartTime, p.Time)
	b = appendCount(b, 4, p.Count)
	b = appendNonzero(b, 5, p.Sum)
	for i := range p.QuantileValues {
		b = appendMessage(b, 6, &p.QuantileValues[i], func(b []byte, q *metricdata.QuantileValue) []byte {
			return appendNonzero(appendNonzero(b, 1, q.Quantile), 2, q.Value)
		})
	}
	return appendSet(b, 7, p.Attributes, boundless)
}

func appendExemplars[N int64 | float64](b []byte, field protowire.Number, exemplars []metricdata.Exemplar[N]) []byte {
	for i := range exemplars {
		b = appendMessage(b, field, &exemplars[i], appendExemplar)
	}
	return b
}

func appendExemplar[N int64 | float64](b []byte, e *metricdata.Exemplar[N]) []byte {
	b = AppendTime(b, 2, e.Time)
	b = appendEither(b, 6, 3, e.Value)
	b = appendBytes(b, 4, e.SpanID)
	b = appendBytes(b, 5, e.TraceID)
	return AppendAttributes(b, 7, e.FilteredAttributes, boundless)
}

// What follows appends the fields that points have.

func appendMessage[M any](b []byte, field protowire.Number, m *M, what func([]byte, *M) []byte) []byte {
	b, at := Open(b, field)
	return Shut(what(b, m), at)
}

func appendInterval(b []byte, from, to time.Time) []byte {
	return AppendTime(AppendTime(b, 2, from), 3, to)
}

// appendEither appends a value, which is one of two fields, also when it is zero.
func appendEither[N int64 | float64](b []byte, whole, double protowire.Number, value N) []byte {
	if n, ok := any(value).(int64); ok {
		return appendFixed(b, whole, uint64(n))
	}
	return appendDouble(b, double, float64(value))
}

func appendExtremum[N int64 | float64](b []byte, field protowire.Number, e metricdata.Extrema[N]) []byte {
	if value, ok := e.Value(); ok {
		return appendDouble(b, field, float64(value))
	}
	return b
}

func appendNonzero(b []byte, field protowire.Number, f float64) []byte {
	return appendCount(b, field, math.Float64bits(f)) // of which minus zero has a bit
}

func appendCount(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return appendFixed(b, field, n)
}

func appendSigned(b []byte, field protowire.Number, n int32) []byte {
	if n == 0 {
		return b
	}
	b = append(b, Tag(field, protowire.VarintType))
	return protowire.AppendVarint(b, protowire.EncodeZigZag(int64(n)))
}

// appendPacked appends elements as one field, or nothing if there are none.
func appendPacked[E any](b []byte, field protowire.Number, elements []E, each func([]byte, E) []byte) []byte {
	if len(elements) == 0 {
		return b
	}
	b, at := Open(b, field)
	for _, e := range elements {
		b = each(b, e)
	}
	return Shut(b, at)
}

func appendBytes(b []byte, field protowire.Number, bytes []byte) []byte {
	if len(bytes) == 0 {
		return b
	}
	b = append(b, Tag(field, protowire.BytesType))
	return protowire.AppendBytes(b, bytes)
}
