package telemetry

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/contract"
	"spangate/telemetry/export/series"
)

// meter makes the instruments of one route, which the contract describes. Names that it
// does not know panic. Made again for another route, an instrument is the same one:
// what tells routes apart is an attribute of each series.
type meter struct {
	*series.Meter
	route []attribute.KeyValue // that attribute; none without a route
}

// with returns the attributes of a series.
func (m *meter) with(attributes ...attribute.KeyValue) []attribute.KeyValue {
	return slices.Concat(attributes, m.route)
}

func described(name string) (series.Description, []float64) {
	row := contract.MetricOf(name)
	return series.Description{Name: row.Name, Unit: row.Unit, Meaning: row.Meaning}, row.Buckets
}

func (m *meter) counter(name string) *series.Counter {
	d, _ := described(name)
	return m.Counter(d)
}

func (m *meter) upDownCounter(name string) *series.Counter {
	d, _ := described(name)
	return m.UpDownCounter(d)
}

func (m *meter) durations(name string) *series.Histogram[time.Duration] {
	d, buckets := described(name)
	return m.Durations(d, buckets...)
}

func (m *meter) histogram(name string) *series.Histogram[int64] {
	d, buckets := described(name)
	return m.Histogram(d, buckets...)
}

func (m *meter) observed(name string) *series.Observed[int64] {
	d, _ := described(name)
	return m.ObservedUpDownCounter(d)
}

func (m *meter) gauge(name string) *series.Observed[float64] {
	d, _ := described(name)
	return m.ObservedGauge(d)
}
