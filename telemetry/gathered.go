package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// gathered are the attributes of one span, until all are there and are set at once.
// Their memory is used again: what sets them keeps none of it.
type gathered struct{ attributes []attribute.KeyValue }

var gatheredMemory = sync.Pool{New: func() any { return &gathered{make([]attribute.KeyValue, 0, 32)} }}

func gather() *gathered { return gatheredMemory.Get().(*gathered) }

// set sets the attributes on the span, and gives their memory back.
func (g *gathered) set(span trace.Span, attributes []attribute.KeyValue) {
	span.SetAttributes(attributes...)
	clear(attributes)
	g.attributes = attributes[:0]
	gatheredMemory.Put(g)
}
