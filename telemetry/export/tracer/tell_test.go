package tracer_test

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/tracer"
)

// told are attributes that a span of ours is told one after the other. There are kinds
// of values, and keys, that cannot be told so.
type told []attribute.KeyValue

func toldOf(attributes []attribute.KeyValue) (all told) {
	for _, kv := range attributes {
		switch kv.Value.Type() {
		case attribute.STRING, attribute.INT64, attribute.FLOAT64, attribute.BOOL:
			if kv.Key != "" {
				all = append(all, kv)
			}
		}
	}
	return all
}

// Tell implements [tracer.Teller].
func (t told) Tell(to tracer.Attributes) {
	for _, kv := range t {
		switch kv.Value.Type() {
		case attribute.STRING:
			to.String(kv.Key, kv.Value.AsString())
		case attribute.INT64:
			to.Int(kv.Key, int(kv.Value.AsInt64()))
		case attribute.FLOAT64:
			to.Float64(kv.Key, kv.Value.AsFloat64())
		case attribute.BOOL:
			to.Bool(kv.Key, kv.Value.AsBool())
		}
	}
}

// tell sets the attributes on a span, which are told to one of ours.
func tell(span trace.Span, attributes ...attribute.KeyValue) {
	all := toldOf(attributes)
	if ours, ok := span.(interface{ Tell(tracer.Teller) }); ok {
		ours.Tell(all)
		return
	}
	span.SetAttributes(all...)
}
