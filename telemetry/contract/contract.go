// Package contract answers: what does the program emit, and what does it mean?
//
// Dashboards and alerts are built on these names, so they are an API. Its
// tables are the one place where a span, a metric, an attribute or an event is
// described: the constants in telemetry/names.go, the tables in
// telemetry/README.md and the instruments themselves come from them.
package contract

// Stability says how much a name can be relied on. That of a name from the
// conventions is theirs.
type Stability string

// The stabilities.
const (
	Stable           Stability = "stable"
	ReleaseCandidate Stability = "release candidate" // about to be stable
	Development      Stability = "development"       // may change with any release
)

// Type is that of an attribute's values, as the conventions name it.
type Type string

// The types.
const (
	String  Type = "string"
	Int     Type = "int"
	Double  Type = "double"
	Boolean Type = "boolean"
)

// Attribute is a key and what its values are.
type Attribute struct {
	Name string
	Type Type
	Stability
	Meaning string
	Values  []Value // the vocabulary, where there is one
}

// Value is a word of an attribute's vocabulary.
type Value struct{ Value, Meaning string }

// Span is what is recorded of one thing that has a duration.
type Span struct {
	Name       string // {method} is the request's, or HTTP when it is not known
	Kind       string // SERVER, CLIENT or INTERNAL
	Meaning    string
	Attributes []string // all that it may have
}

// MetricKind is how the points of a metric are to be read.
type MetricKind string

// The kinds. The value of an UpDownCounter can be summed over instances and
// backends, that of a Gauge cannot.
const (
	Counter       MetricKind = "counter"
	UpDownCounter MetricKind = "updowncounter"
	Gauge         MetricKind = "gauge"
	Histogram     MetricKind = "histogram"
)

// Metric is an instrument with its series.
type Metric struct {
	Name string
	Kind MetricKind
	Unit string
	Stability
	Meaning    string
	Attributes []string // all that a series may have
	Buckets    []float64
}

// Event is a log record that has a name.
type Event struct {
	Name       string
	Severity   string // those that it may have
	Meaning    string
	Attributes []string // all that it may have
}

// MetricOf returns the row of the metric with that name. It panics when there
// is none: a program that emits what nobody knows must not start.
func MetricOf(name string) Metric {
	for i := range Metrics { // in place: a start asks for many, and rows are large
		if m := &Metrics[i]; m.Name == name {
			return *m
		}
	}
	panic("telemetry/contract: no metric " + name)
}
