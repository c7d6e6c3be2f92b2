package tracer

import (
	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/export/otlp"
)

// Attributes takes what a span is told of. Keys are UTF-8, and not empty.
type Attributes interface {
	String(key attribute.Key, value string)
	Int(key attribute.Key, value int)
	Float64(key attribute.Key, value float64)
	Bool(key attribute.Key, value bool)
}

// Teller knows the attributes of a span.
type Teller interface{ Tell(Attributes) }

// Tell is SetAttributes with all that of tells, without a list of it. What tells must leave
// the span itself alone.
func (s *span) Tell(of Teller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.attributes.open(s.tracer.provider)
	of.Tell(&s.attributes)
}

// String implements [Attributes].
func (a *attributes) String(key attribute.Key, value string) {
	if !a.takes(key) {
		a.set(key.String(value))
		return
	}
	a.of.bytes = otlp.AppendString(a.of.bytes, attributesField, string(key), value, a.provider.spans)
}

// Int implements [Attributes].
func (a *attributes) Int(key attribute.Key, value int) {
	if !a.takes(key) {
		a.set(key.Int(value))
		return
	}
	a.of.bytes = otlp.AppendInt(a.of.bytes, attributesField, string(key), int64(value))
}

// Float64 implements [Attributes].
func (a *attributes) Float64(key attribute.Key, value float64) {
	if !a.takes(key) {
		a.set(key.Float64(value))
		return
	}
	a.of.bytes = otlp.AppendFloat(a.of.bytes, attributesField, string(key), value)
}

// Bool implements [Attributes].
func (a *attributes) Bool(key attribute.Key, value bool) {
	if !a.takes(key) {
		a.set(key.Bool(value))
		return
	}
	a.of.bytes = otlp.AppendBool(a.of.bytes, attributesField, string(key), value)
}

// takes reports whether an attribute with that key can be appended as it is, and counts
// it then.
func (a *attributes) takes(key attribute.Key) bool {
	return len(key) <= otlp.LongestKey && a.admits(key)
}
