package export

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/series"
)

// Providers are what spans, metrics and events are recorded with. What is not set
// records nothing, save that the tracer must be set.
type Providers struct {
	// Off says that all of these record nothing.
	Off bool

	// Silent says that no span is ever exported, as with Off. The program then says
	// nothing to others about their traces, nor does it without a Propagator. A
	// sampler that lets no span be is another matter: it decides about traces, and
	// others are told of that.
	Silent bool

	Tracer trace.TracerProvider
	Meter  *series.Provider

	// Propagator reads and writes trace context.
	Propagator propagation.TextMapPropagator

	// LongestText bounds, in bytes, what spans keep of each text that a client
	// sent; 0 sets no bound.
	LongestText int

	// Keep returns why a request that the Tracer records and does not sample is to
	// be exported all the same, or nothing: from whether it failed by no doing of
	// its client's, how many attempts it took, and how long its answer, or else its
	// end, took to come. nil keeps none.
	Keep func(failed bool, attempts int, answered time.Duration) (reason string)

	// Requests returns what by, a tracer of the Tracer, and Keep are for requests of which
	// some things are said apart. nil leaves both as they are.
	Requests func(by trace.Tracer, of Requests) (trace.Tracer, func(failed bool, attempts int, answered time.Duration) (reason string))

	// Events hands records of every level to the logs exporters, with the trace
	// and span of their context; the attribute event.name becomes the record's
	// event name. It is nil when there is no logs exporter.
	Events slog.Handler
}
