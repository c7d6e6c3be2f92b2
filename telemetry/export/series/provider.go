// Package series answers how often, how long and how much, without being felt: it is
// the metrics of the request path.
//
// An instrument gives out series, each bound to its attributes once, and to record
// with one is a handful of atomic additions: no lookup, no allocation, no lock that
// requests share, and a look at neither context nor clock but for the few measurements
// that become exemplars. What the numbers come to is worked out when they are collected,
// in the SDK's own terms, for readers of its own. A test holds that it is what the SDK's
// instruments come to.
//
// Values are whole numbers: counts, bytes, or a [time.Duration], which is told in
// seconds. So a sum is exact, and there is no NaN.
package series

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Config says how series are kept.
type Config struct {
	// Exemplars says which measurements may become one, by their context; nil: none.
	Exemplars exemplar.Filter

	// Limit bounds the series of an instrument, with the one of the attribute
	// otel.metric.overflow, in which what comes on top is added up. 0 sets no bound.
	// A series that has been recorded with counts for as long as the process runs.
	Limit int
}

// Provider makes meters. Like all that it makes it is safe for concurrent use; a nil
// one makes meters that record nothing.
type Provider struct {
	cfg     Config
	readers []*reader

	mu     sync.Mutex // of collections, one at a time
	meters []*Meter
}

// New returns a provider that nobody reads from yet.
func New(cfg Config) *Provider { return &Provider{cfg: cfg} }

// reader is one that all is read by, as it asks for.
type reader struct {
	*Provider
	index       int // of what is kept for it
	temporality sdkmetric.TemporalitySelector
	exponential *sdkmetric.AggregationBase2ExponentialHistogram // nil: explicit buckets
}

// Producer returns what a reader of the SDK is given, beside the same two selectors,
// to read what is recorded. Of aggregations only that of histograms is heeded. All
// producers are made before anything is recorded.
func (p *Provider) Producer(temporality sdkmetric.TemporalitySelector, aggregation sdkmetric.AggregationSelector) sdkmetric.Producer {
	r := &reader{Provider: p, index: len(p.readers), temporality: temporality}
	if e, ok := aggregation(sdkmetric.InstrumentKindHistogram).(sdkmetric.AggregationBase2ExponentialHistogram); ok {
		r.exponential = &e
	}
	p.readers = append(p.readers, r)
	return r
}

// Produce implements [sdkmetric.Producer].
func (r *reader) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []metricdata.ScopeMetrics
	for _, m := range r.meters {
		if metrics := m.collect(r); len(metrics) > 0 {
			all = append(all, metricdata.ScopeMetrics{Scope: m.scope, Metrics: metrics})
		}
	}
	return all, nil
}

// Meter makes the instruments of one scope. A nil one makes nil instruments, whose
// series are nil and record nothing.
type Meter struct {
	provider *Provider
	scope    instrumentation.Scope

	mu          sync.Mutex
	known       map[string]any // by name
	instruments []collector    // as they were made
	reads       []func()
}

// collector is an instrument, to those who collect. It reports whether there is
// anything to tell.
type collector interface {
	collect(*reader, time.Time) (metricdata.Metrics, bool)
}

// Meter returns a meter of that scope.
func (p *Provider) Meter(scope, schemaURL string) *Meter {
	if p == nil {
		return nil
	}
	m := &Meter{
		provider: p, scope: instrumentation.Scope{Name: scope, SchemaURL: schemaURL}, known: map[string]any{},
	}
	p.mu.Lock()
	p.meters = append(p.meters, m)
	p.mu.Unlock()
	return m
}

// collect returns what r is told of the instruments of m.
func (m *Meter) collect(r *reader) (metrics []metricdata.Metrics) {
	m.mu.Lock()
	reads, instruments := slices.Clip(m.reads), slices.Clip(m.instruments)
	m.mu.Unlock()
	for _, read := range reads {
		read()
	}
	now := time.Now()
	for _, i := range instruments {
		if told, ok := i.collect(r, now); ok {
			metrics = append(metrics, told)
		}
	}
	return metrics
}

// OnCollect has read called at each collection, one at a time, to observe what is as
// it is then. It makes no instruments.
func (m *Meter) OnCollect(read func()) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.reads = append(m.reads, read)
	m.mu.Unlock()
}

// instrument returns the one of that name, which make makes the first time. It panics
// when one of another kind has the name.
func instrument[I collector](m *Meter, name string, make func() I) (none I) {
	if m == nil {
		return none
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.known[name]; ok {
		return known.(I)
	}
	made := make()
	m.known[name] = made
	m.instruments = append(m.instruments, made)
	return made
}
