// Package exposition answers: what does a Prometheus read when it asks for metrics?
//
// [Append] writes what a reader of the SDK has collected as a page of text, in the
// formats that [Negotiate] chooses among, and [Handler] answers scrapes with it. How
// names, units, kinds, scopes and the resource come to be Prometheus's is what
// OpenTelemetry's "Prometheus and OpenMetrics Compatibility" says, so that a series
// has the same name here as by way of a Collector.
package exposition

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// The kinds of families.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	info      = "info"
)

// endings are what the names of a family's series end in. Its own is taken as well.
var endings = map[string][]string{counter: {"", "_total"}, gauge: {""}, histogram: {"", "_bucket", "_sum", "_count"}, info: {"", "_info"}}

// family is all metrics of one name, whose series stand together.
type family struct {
	name string // without a counter's _total
	kind string
	unit string // "": none that the name ends in
	help string
	from []origin
}

// origin is where a family has series from.
type origin struct {
	scope instrumentation.Scope
	data  metricdata.Aggregation
}

// Append appends the metrics as a page, families by name, their series in the order
// in which they were collected. They must be cumulative; those that are not are left
// out, as are metrics with a name of another one that is of another kind.
//
// Exemplars are in OpenMetrics alone. There are no timestamps, and no time of creation
// either: a Prometheus that is not told to heed them makes series of their own of these.
// An exponential histogram, for which text has no form, has its sum and count.
func Append(page []byte, f Format, metrics *metricdata.ResourceMetrics) []byte {
	w := writer{page: page, openMetrics: f.openMetrics()}
	w.target(metrics.Resource)
	for _, family := range families(metrics.ScopeMetrics) {
		w.family(family)
	}
	if w.openMetrics {
		w.page = append(w.page, "# EOF\n"...)
	}
	return w.page
}

func families(scopes []metricdata.ScopeMetrics) []*family {
	var all []*family
	named := map[string]*family{}
	take := func(f *family) (by *family) {
		for _, ending := range endings[f.kind] {
			if by := named[f.name+ending]; by != nil {
				return by
			}
		}
		for _, ending := range endings[f.kind] {
			named[f.name+ending] = f
		}
		return nil
	}
	take(&family{name: "target", kind: info})
	for _, scope := range scopes {
		for _, m := range scope.Metrics {
			kind := kindOf(m.Data)
			if kind == "" {
				continue
			}
			name, unit := familyName(m.Name, m.Unit, m.Data)
			f := &family{name: name, kind: kind, unit: unit, help: m.Description}
			if by := take(f); by == nil {
				all = append(all, f)
			} else if by.name == name && by.kind == kind {
				f = by
			}
			f.from = append(f.from, origin{scope.Scope, m.Data}) // is left out if f is
		}
	}
	slices.SortFunc(all, func(a, b *family) int { return cmp.Compare(a.name, b.name) })
	return all
}

// kindOf returns the kind of a family with such data, or nothing for what has none.
func kindOf(data metricdata.Aggregation) string {
	sum := func(t metricdata.Temporality, isMonotonic bool) string {
		switch {
		case t != metricdata.CumulativeTemporality:
			return ""
		case isMonotonic:
			return counter
		}
		return gauge
	}
	distribution := func(t metricdata.Temporality) string {
		if t != metricdata.CumulativeTemporality {
			return ""
		}
		return histogram
	}
	switch d := data.(type) {
	case metricdata.Gauge[int64], metricdata.Gauge[float64]:
		return gauge
	case metricdata.Sum[int64]:
		return sum(d.Temporality, d.IsMonotonic)
	case metricdata.Sum[float64]:
		return sum(d.Temporality, d.IsMonotonic)
	case metricdata.Histogram[int64]:
		return distribution(d.Temporality)
	case metricdata.Histogram[float64]:
		return distribution(d.Temporality)
	case metricdata.ExponentialHistogram[int64]:
		return distribution(d.Temporality)
	case metricdata.ExponentialHistogram[float64]:
		return distribution(d.Temporality)
	}
	return ""
}
