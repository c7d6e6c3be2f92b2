// Package telemetry answers: what did the proxy do with this request, and why?
//
// Each decision of the proxy has a shape (an [http.Handler], an
// [http.RoundTripper], a function) and a decorator here that gives it a span
// and metrics: [Telemetry.Server] for a request, [Telemetry.Forward] for all
// its attempts together, and of what [Telemetry.Balancer] returns one for an
// attempt. What is decorated does not know of it. The names are an API: they are
// listed in README.md.
//
// What is known of a request once it has ended is a list of facts, each a type in a
// file of its own, which the request's span and its line in the access log both
// render. Each file has its instruments, and what decorates a route is made for it
// by [Telemetry.Routes].
//
// This package uses OpenTelemetry's API only; where telemetry goes is the
// question of package export, and how a line of the log is written that of
// package logline. [New] puts them together.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/propagation"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"spangate/handler/fault"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// Telemetry holds what the decorators share. It is safe for concurrent use.
type Telemetry struct {
	Log *slog.Logger // the program's own

	cfg          *Config // that of all routes
	notice       *fault.Notice
	delivery     delivery
	tracer       trace.Tracer // starts nothing while silent
	ids          trace.Tracer // of requests' spans, to have ids also while silent
	propagator   propagation.TextMapPropagator
	longestText  textLimit
	keep         func(failed bool, attempts int, answered time.Duration) string
	requests     func(trace.Tracer, export.Requests) (trace.Tracer, func(bool, int, time.Duration) string) // nil: they are all alike
	access       *logline.AccessLog                                                                        // nil: off
	off          bool                                                                                      // nothing is recorded of requests
	silent       bool                                                                                      // no span is exported
	propagates   bool                                                                                      // trace context is read and written in some format
	participates bool                                                                                      // it propagates and is not silent
	events       *slog.Logger                                                                              // nil: off
	warmth       *warmth

	relayed *relayed
	front   *frontMetrics
	expiry  *expiry

	routes  []*Telemetry
	route   route // none of the whole
	meter   meter
	metrics func() *metrics // made when it is first called
	causes  *causes

	spanNames *bound[nameSet, string]
}

// New starts what cfg asks for: the log on stdout, what exports telemetry, and the
// decorators. [Telemetry.Flush] ends it. Where requests come from, and whose trace
// context is believed, [handler.ClientOf] knows.
func New(cfg Config, process Process, stdout io.Writer) (*Telemetry, error) {
	lines := logline.NewLines(stdout)
	go lines.Run()
	toStdout := logline.NewHandler(cfg.Log, lines)
	process.Coloured = logline.Coloured(stdout, process.Environ)
	pipelines, err := export.New(cfg.Export, process, slog.New(toStdout), lines.Shown())
	if err != nil {
		lines.Close(time.Second)
		return nil, err
	}
	log := toStdout
	if pipelines.Events != nil {
		log = slog.NewMultiHandler(toStdout, pipelines.Events)
	}
	t := from(cfg, pipelines.Providers, logline.NewAccessLog(cfg.Log, lines), slog.New(log))
	t.delivery = delivery{pipelines, cfg.Export.Schedule, lines, slog.New(toStdout)}
	return t, nil
}

// from returns the decorators for providers. access may be nil.
func from(cfg Config, providers export.Providers, access *logline.AccessLog, log *slog.Logger) *Telemetry {
	version := trace.WithSchemaURL(semconv.SchemaURL)
	t := &Telemetry{
		Log:         log,
		notice:      fault.NewNotice(log),
		cfg:         &cfg,
		ids:         providers.Tracer.Tracer(scope, version),
		propagator:  providers.Propagator,
		longestText: textLimit(providers.LongestText),
		keep:        providers.Keep,
		requests:    providers.Requests,
		access:      access,
		off:         providers.Off && access == nil && !cfg.ServerTiming,
		silent:      providers.Off || providers.Silent,
		warmth:      &warmth{},
		expiry:      newExpiry(),
	}
	if t.propagator == nil {
		t.propagator = propagation.NewCompositeTextMapPropagator()
	}
	t.tracer = t.ids
	if t.silent {
		t.tracer = silentTracer{}
	}
	if providers.Off {
		t.ids = t.tracer // no request has one
	}
	t.propagates = len(t.propagator.Fields()) > 0
	t.participates = t.propagates && !t.silent
	if providers.Events != nil {
		t.events = slog.New(providers.Events)
	}
	m := meter{Meter: providers.Meter.Meter(scope, semconv.SchemaURL)}
	t.relayed, t.front = newRelayed(&m), newFrontMetrics(&m)
	t.measure(m.Meter)
	t.metrics() // has all instruments begin now: those of routes are the same
	return t
}

// silentTracer starts nothing, and has the context told of nothing.
type silentTracer struct{ noop.Tracer }

var noSpan trace.Span = noop.Span{}

func (silentTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, noSpan
}

func (silentTracer) StartAt(ctx context.Context, _ time.Time, _ string, _ trace.SpanKind, _ ...trace.Link) (context.Context, trace.Span) {
	return ctx, noSpan
}

// traceID returns the id of the trace that ctx is part of, or "".
func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
