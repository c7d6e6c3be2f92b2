package telemetry

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"spangate/telemetry/contract"
)

// meter makes the instruments of one route, which the contract describes, and keeps
// what went wrong. Names that the contract does not know panic. Made again for
// another route, an instrument is the same one: what tells routes apart is an
// attribute of each series.
type meter struct {
	metric.Meter
	route []attribute.KeyValue // that attribute; none without a route
	err   error
}

// with returns the attributes of a series.
func (m *meter) with(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(attrs, m.route...)...)
}

// each returns the options of a measurement whose series has no attribute but the
// route's.
func (m *meter) each() []metric.RecordOption {
	if len(m.route) == 0 {
		return nil
	}
	return []metric.RecordOption{m.with()}
}

func described(name string) (contract.Metric, metric.InstrumentOption, metric.InstrumentOption) {
	m := contract.MetricOf(name)
	return m, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)
}

func made[T any](m *meter, instrument T, err error) T {
	m.err = errors.Join(m.err, err)
	return instrument
}

// convention makes an instrument of the semantic conventions.
func convention[T, O any](m *meter, from func(metric.Meter, ...O) (T, error)) T {
	instrument, err := from(m.Meter)
	return made(m, instrument, err)
}

func (m *meter) counter(name string) metric.Int64Counter {
	_, unit, description := described(name)
	c, err := m.Int64Counter(name, unit, description)
	return made(m, c, err)
}

func (m *meter) histogram(name string) metric.Float64Histogram {
	row, unit, description := described(name)
	h, err := m.Float64Histogram(name, unit, description, metric.WithExplicitBucketBoundaries(row.Buckets...))
	return made(m, h, err)
}

func (m *meter) intHistogram(name string) metric.Int64Histogram {
	row, unit, description := described(name)
	h, err := m.Int64Histogram(name, unit, description, metric.WithExplicitBucketBoundaries(row.Buckets...))
	return made(m, h, err)
}

func (m *meter) observed(name string) metric.Int64ObservableUpDownCounter {
	_, unit, description := described(name)
	c, err := m.Int64ObservableUpDownCounter(name, unit, description)
	return made(m, c, err)
}

func (m *meter) gauge(name string) metric.Float64ObservableGauge {
	_, unit, description := described(name)
	g, err := m.Float64ObservableGauge(name, unit, description)
	return made(m, g, err)
}

// callback lets read report the values of instruments at each collection.
func (m *meter) callback(read metric.Callback, of ...metric.Observable) error {
	if m.err != nil {
		return m.err
	}
	_, err := m.RegisterCallback(read, of...)
	return err
}
