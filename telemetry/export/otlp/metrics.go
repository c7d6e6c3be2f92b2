package otlp

import (
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/encoding/protowire"
)

// Metrics returns metrics as items. It leaves out those that OTLP has no word for, of
// which its error tells.
func Metrics(all []metricdata.ScopeMetrics) (items []Item, err error) {
	var wrong []string
	for i := range all {
		scope := NewScope(all[i].Scope, boundless)
		for j := range all[i].Metrics {
			m := &all[i].Metrics[j]
			if b, ok := appendMetric(nil, m); ok {
				items = append(items, Item{scope, b})
			} else {
				wrong = append(wrong, m.Name)
			}
		}
	}
	if wrong != nil {
		err = fmt.Errorf("metrics of no known kind or temporality: %q", wrong)
	}
	return items, err
}

// appendMetric appends what a Metric holds; it reports whether OTLP has its kind and
// its temporality.
func appendMetric(b []byte, m *metricdata.Metrics) (_ []byte, ok bool) {
	b = AppendText(b, 1, m.Name)
	b = AppendText(b, 2, m.Description)
	b = AppendText(b, 3, m.Unit)
	switch data := m.Data.(type) {
	case metricdata.Gauge[int64]:
		return appendData(b, 5, data.DataPoints, appendNumberPoint, nil), true
	case metricdata.Gauge[float64]:
		return appendData(b, 5, data.DataPoints, appendNumberPoint, nil), true
	case metricdata.Sum[int64]:
		return appendSum(b, &data)
	case metricdata.Sum[float64]:
		return appendSum(b, &data)
	case metricdata.Histogram[int64]:
		return appendHistogram(b, &data)
	case metricdata.Histogram[float64]:
		return appendHistogram(b, &data)
	case metricdata.ExponentialHistogram[int64]:
		return appendExponential(b, &data)
	case metricdata.ExponentialHistogram[float64]:
		return appendExponential(b, &data)
	case metricdata.Summary:
		return appendData(b, 11, data.DataPoints, appendSummaryPoint, nil), true
	}
	return b, false
}

func appendSum[N int64 | float64](b []byte, s *metricdata.Sum[N]) (_ []byte, ok bool) {
	after, ok := temporality(s.Temporality)
	if s.IsMonotonic {
		after = append(after, Tag(3, protowire.VarintType), 1)
	}
	return appendData(b, 7, s.DataPoints, appendNumberPoint, after), ok
}

func appendHistogram[N int64 | float64](b []byte, h *metricdata.Histogram[N]) (_ []byte, ok bool) {
	after, ok := temporality(h.Temporality)
	return appendData(b, 9, h.DataPoints, appendHistogramPoint, after), ok
}

func appendExponential[N int64 | float64](b []byte, h *metricdata.ExponentialHistogram[N]) (_ []byte, ok bool) {
	after, ok := temporality(h.Temporality)
	return appendData(b, 10, h.DataPoints, appendExponentialPoint, after), ok
}

// temporality returns the field that tells it.
func temporality(t metricdata.Temporality) (field []byte, ok bool) {
	switch t {
	case metricdata.DeltaTemporality:
		return AppendNumber(nil, 2, 1), true
	case metricdata.CumulativeTemporality:
		return AppendNumber(nil, 2, 2), true
	}
	return nil, false
}

// appendData appends what a metric has measured: its points, and the fields after these.
func appendData[P any](b []byte, field protowire.Number, points []P, point func([]byte, *P) []byte, after []byte) []byte {
	b, at := Open(b, field)
	for i := range points {
		b = appendMessage(b, 1, &points[i], point)
	}
	return Shut(append(b, after...), at)
}
