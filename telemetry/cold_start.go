package telemetry

import (
	"sync/atomic"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// warmth knows whether this instance has seen a request.
type warmth struct{ warm atomic.Bool }

func (w *warmth) coldStart() coldStart { return coldStart(!w.warm.Load() && !w.warm.Swap(true)) }

// coldStart says that a request was the first of this instance.
type coldStart bool

func (c *coldStart) span(to attributes) {
	if *c {
		to.Bool(semconv.FaaSColdstartKey, true)
	}
}

func (*coldStart) line(*logline.Line) {}
