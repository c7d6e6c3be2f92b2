package telemetry

import (
	"errors"

	"go.opentelemetry.io/otel/metric"

	"spangate/telemetry/contract"
)

// instruments makes those that the contract describes, and keeps what went
// wrong. Names that it does not know panic.
type instruments struct {
	metric.Meter
	err error
}

func described(name string) (contract.Metric, metric.InstrumentOption, metric.InstrumentOption) {
	m := contract.MetricOf(name)
	return m, metric.WithUnit(m.Unit), metric.WithDescription(m.Meaning)
}

func made[T any](i *instruments, instrument T, err error) T {
	i.err = errors.Join(i.err, err)
	return instrument
}

// convention makes an instrument of the semantic conventions.
func convention[T, O any](i *instruments, from func(metric.Meter, ...O) (T, error)) T {
	instrument, err := from(i.Meter)
	return made(i, instrument, err)
}

func (i *instruments) counter(name string) metric.Int64Counter {
	_, unit, description := described(name)
	c, err := i.Int64Counter(name, unit, description)
	return made(i, c, err)
}

func (i *instruments) histogram(name string) metric.Float64Histogram {
	m, unit, description := described(name)
	h, err := i.Float64Histogram(name, unit, description, metric.WithExplicitBucketBoundaries(m.Buckets...))
	return made(i, h, err)
}

func (i *instruments) intHistogram(name string) metric.Int64Histogram {
	m, unit, description := described(name)
	h, err := i.Int64Histogram(name, unit, description, metric.WithExplicitBucketBoundaries(m.Buckets...))
	return made(i, h, err)
}

func (i *instruments) observed(name string) metric.Int64ObservableUpDownCounter {
	_, unit, description := described(name)
	c, err := i.Int64ObservableUpDownCounter(name, unit, description)
	return made(i, c, err)
}

func (i *instruments) gauge(name string) metric.Float64ObservableGauge {
	_, unit, description := described(name)
	g, err := i.Float64ObservableGauge(name, unit, description)
	return made(i, g, err)
}

// callback lets read report the values of instruments at each collection.
func (i *instruments) callback(read metric.Callback, of ...metric.Observable) error {
	if i.err != nil {
		return i.err
	}
	_, err := i.RegisterCallback(read, of...)
	return err
}
