package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/tracer"
)

// attributes takes those of a span, or of a series, as they are told.
type attributes = tracer.Attributes

// teller is what a span tells of.
type teller interface {
	Tell(attributes) // all of them
	failed() (description string, failed bool)
}

// tell has a span told what of has to tell. The tracer that ships writes each attribute
// at once; others get a list.
func tell(span trace.Span, of teller) {
	if description, failed := of.failed(); failed {
		span.SetStatus(codes.Error, description)
	}
	if s, ok := span.(interface{ Tell(tracer.Teller) }); ok {
		s.Tell(of)
		return
	}
	var told list
	of.Tell(&told)
	span.SetAttributes(told.attributes...)
}

// list is attributes as the API has them.
type list struct{ attributes []attribute.KeyValue }

func (l *list) String(key attribute.Key, s string) {
	l.attributes = append(l.attributes, key.String(s))
}
func (l *list) Int(key attribute.Key, n int) { l.attributes = append(l.attributes, key.Int(n)) }
func (l *list) Float64(key attribute.Key, f float64) {
	l.attributes = append(l.attributes, key.Float64(f))
}
func (l *list) Bool(key attribute.Key, b bool) { l.attributes = append(l.attributes, key.Bool(b)) }
