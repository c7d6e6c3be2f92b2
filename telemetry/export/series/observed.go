package series

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Observed is an instrument for what is looked at when it is collected, by a function
// that [Meter.OnCollect] calls, and costs nothing otherwise.
type Observed[N int64 | float64] struct {
	Description
	kind    sdkmetric.InstrumentKind
	members *members[metricdata.DataPoint[N]] // of this collection
	limit   int
	periods periods
}

// ObservedUpDownCounter returns an instrument for values that can be added up: of a
// series that is observed more than once they are.
func (m *Meter) ObservedUpDownCounter(d Description) *Observed[int64] {
	return observed[int64](m, d, sdkmetric.InstrumentKindObservableUpDownCounter)
}

// ObservedGauge returns an instrument for values that cannot: of a series that is
// observed more than once the last one counts.
func (m *Meter) ObservedGauge(d Description) *Observed[float64] {
	return observed[float64](m, d, sdkmetric.InstrumentKindObservableGauge)
}

func observed[N int64 | float64](m *Meter, d Description, kind sdkmetric.InstrumentKind) *Observed[N] {
	return instrument(m, d.Name, func() *Observed[N] {
		o := &Observed[N]{Description: d, kind: kind, periods: newPeriods(m.provider), limit: m.provider.cfg.Limit}
		o.members = o.none()
		return o
	})
}

func (o *Observed[N]) none() *members[metricdata.DataPoint[N]] {
	return &members[metricdata.DataPoint[N]]{limit: o.limit, make: func(attributes attribute.Set) *metricdata.DataPoint[N] {
		return &metricdata.DataPoint[N]{Attributes: attributes}
	}}
}

// Observe tells the value of a series. Only what [Meter.OnCollect] calls may call it.
func (o *Observed[N]) Observe(value N, attributes ...attribute.KeyValue) {
	if o == nil {
		return
	}
	point := o.members.of(attribute.NewSet(attributes...))
	if o.kind == sdkmetric.InstrumentKindObservableGauge {
		point.Value = 0
	}
	point.Value += value
}

func (o *Observed[N]) collect(r *reader, now time.Time) (metricdata.Metrics, bool) {
	temporality, since := o.periods.next(r, o.kind, now)
	var points []metricdata.DataPoint[N]
	for _, point := range o.members.snapshot() {
		point.StartTime, point.Time = since, now
		points = append(points, *point)
	}
	o.members = o.none()
	if o.kind == sdkmetric.InstrumentKindObservableGauge {
		return o.metrics(metricdata.Gauge[N]{DataPoints: points}), len(points) > 0
	}
	return o.metrics(metricdata.Sum[N]{DataPoints: points, Temporality: temporality}), len(points) > 0
}
