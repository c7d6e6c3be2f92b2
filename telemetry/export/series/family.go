package series

import (
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Description is what there is to say of an instrument.
type Description struct{ Name, Unit, Meaning string }

func (d Description) metrics(data metricdata.Aggregation) metricdata.Metrics {
	return metricdata.Metrics{Name: d.Name, Unit: d.Unit, Description: d.Meaning, Data: data}
}

// overflow is of the series in which all are added up that are too many.
var overflow = attribute.NewSet(attribute.Bool("otel.metric.overflow", true))

// members are the series of an instrument that something was recorded with, in that
// order. C is where it is counted.
type members[C any] struct {
	limit int
	make  func(attribute.Set) *C

	mu    sync.Mutex
	known map[attribute.Distinct]*C
	all   []*C
}

// of returns where a series is counted.
func (m *members[C]) of(attributes attribute.Set) *C {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.known[attributes.Equivalent()]; ok {
		return c
	}
	if m.limit > 0 && len(m.all) >= m.limit-1 {
		attributes = overflow
		if c, ok := m.known[attributes.Equivalent()]; ok {
			return c
		}
	}
	c := m.make(attributes)
	if m.known == nil {
		m.known = map[attribute.Distinct]*C{}
	}
	m.known[attributes.Equivalent()] = c
	m.all = append(m.all, c)
	return c
}

// snapshot returns those that there are.
func (m *members[C]) snapshot() []*C {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[:len(m.all):len(m.all)]
}

// periods are from when on what each reader is told next has been counted.
type periods struct {
	made  time.Time
	since []time.Time // by reader; zero: since it was made
}

func newPeriods(p *Provider) periods {
	return periods{made: time.Now(), since: make([]time.Time, len(p.readers))}
}

// next returns how and since when r is told of instruments of that kind; now is when
// it is told.
func (p *periods) next(r *reader, kind sdkmetric.InstrumentKind, now time.Time) (metricdata.Temporality, time.Time) {
	since, temporality := p.since[r.index], r.temporality(kind)
	if since.IsZero() {
		since = p.made
	}
	if temporality == metricdata.DeltaTemporality {
		p.since[r.index] = now
	}
	return temporality, since
}
