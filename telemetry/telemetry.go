// Package telemetry answers: what did the proxy do with this request, and why?
//
// Each decision of the proxy has a shape (an [http.Handler], an
// [http.RoundTripper], a function) and a decorator here that gives it a span
// and metrics: [Telemetry.Server] for a request, [Telemetry.Forward] for all
// its attempts together, [Telemetry.Client] for one attempt. What is decorated
// does not know of it. The names are an API: they are listed in README.md.
//
// This package uses OpenTelemetry's API only; where telemetry goes is the
// question of package setup.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler"
	"spangate/policy"
)

// Providers are where spans and metrics go, and the format in which trace
// context travels: without a Propagator it passes through as it came.
type Providers struct {
	Tracer     trace.TracerProvider
	Meter      metric.MeterProvider
	Propagator propagation.TextMapPropagator
}

// Telemetry holds what the decorators share. It is safe for concurrent use.
type Telemetry struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator
	origin     handler.Origin
	trust      Trust
	methods    methodSet
	access     *AccessLog // nil: off
	log        *slog.Logger
	warm       atomic.Bool // a request has been seen

	serverDuration     metric.Float64Histogram
	serverActive       metric.Int64UpDownCounter
	serverRequestSize  metric.Int64Histogram
	serverResponseSize metric.Int64Histogram
	clientDuration     metric.Float64Histogram
	clientActive       metric.Int64UpDownCounter
	forwardDuration    metric.Float64Histogram
	forwardAttempts    metric.Int64Histogram
	timeToFirstByte    metric.Float64Histogram
	connectionDuration metric.Float64Histogram
	probeDuration      metric.Float64Histogram
	retryDecisions     metric.Int64Counter
	stateChanges       metric.Int64Counter
	rejections         metric.Int64Counter
	queueWait          metric.Float64Histogram
	rateLimitDecisions metric.Int64Counter

	causes causes

	serverSets  setCache[serverSet]
	activeSets  setCache[activeSet]
	forwardSets setCache[string]
	retrySets   setCache[retrySet]
	probeSets   setCache[probeSet]

	rejectionSets setCache[rejectionSet]
	rateLimitSets setCache[rateLimitSet]
}

// New returns the decorators for providers. origin says where requests come
// from, and whose trace context is believed. access may be nil.
func New(cfg Config, providers Providers, origin handler.Origin, access *AccessLog, log *slog.Logger) (*Telemetry, error) {
	version := trace.WithSchemaURL(semconv.SchemaURL)
	t := &Telemetry{
		tracer:     providers.Tracer.Tracer(scope, version),
		meter:      providers.Meter.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)),
		propagator: providers.Propagator,
		origin:     origin,
		trust:      cfg.Trust,
		methods:    newMethodSet(cfg.KnownMethods),
		access:     access,
		log:        log,
	}
	return t, t.createInstruments()
}

// secondsBuckets are the boundaries that the conventions give for the
// durations of HTTP requests.
var secondsBuckets = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

func (t *Telemetry) createInstruments() error {
	var errs []error
	serverDuration, err := httpconv.NewServerRequestDuration(t.meter)
	errs = append(errs, err)
	serverActive, err := httpconv.NewServerActiveRequests(t.meter)
	errs = append(errs, err)
	serverRequestSize, err := httpconv.NewServerRequestBodySize(t.meter)
	errs = append(errs, err)
	serverResponseSize, err := httpconv.NewServerResponseBodySize(t.meter)
	errs = append(errs, err)
	clientDuration, err := httpconv.NewClientRequestDuration(t.meter)
	errs = append(errs, err)
	clientActive, err := httpconv.NewClientActiveRequests(t.meter)
	errs = append(errs, err)
	t.serverDuration, t.serverActive = serverDuration.Inst(), serverActive.Inst()
	t.serverRequestSize, t.serverResponseSize = serverRequestSize.Inst(), serverResponseSize.Inst()
	t.clientDuration, t.clientActive = clientDuration.Inst(), clientActive.Inst()
	t.forwardDuration, err = t.meter.Float64Histogram(forwardDurationName, metric.WithUnit("s"), secondsBuckets,
		metric.WithDescription("From a request's first attempt to its response's header or failure, retries and waits included."))
	errs = append(errs, err)
	t.forwardAttempts, err = t.meter.Int64Histogram(forwardAttemptsName, metric.WithUnit("{attempt}"),
		metric.WithExplicitBucketBoundaries(0, 1, 2, 3, 4, 5, 10),
		metric.WithDescription("Attempts made for one request."))
	errs = append(errs, err)
	t.timeToFirstByte, err = t.meter.Float64Histogram(timeToFirstByteName, metric.WithUnit("s"), secondsBuckets,
		metric.WithDescription("From a request's header to its response's."))
	errs = append(errs, err)
	lifetimes, err := httpconv.NewClientConnectionDuration(t.meter)
	errs = append(errs, err)
	t.connectionDuration = lifetimes.Float64Histogram
	t.probeDuration, err = t.meter.Float64Histogram(probeDurationName, metric.WithUnit("s"), secondsBuckets,
		metric.WithDescription("How long a probe took."))
	errs = append(errs, err)
	t.retryDecisions, err = t.meter.Int64Counter(retryDecisionsName, metric.WithUnit("{decision}"),
		metric.WithDescription("Decisions about trying a failed request again."))
	errs = append(errs, err)
	t.stateChanges, err = t.meter.Int64Counter(stateChangesName, metric.WithUnit("{change}"),
		metric.WithDescription("Changes of backends' states."))
	errs = append(errs, err)
	t.rejections, err = t.meter.Int64Counter(rejectionsName, metric.WithUnit("{request}"),
		metric.WithDescription("Requests that a policy refused."))
	errs = append(errs, err)
	t.queueWait, err = t.meter.Float64Histogram(queueWaitName, metric.WithUnit("s"), secondsBuckets,
		metric.WithDescription("How long a request that had to wait for its turn waited, also in vain."))
	errs = append(errs, err)
	t.rateLimitDecisions, err = t.meter.Int64Counter(rateLimitDecisionsName, metric.WithUnit("{decision}"),
		metric.WithDescription("Decisions about whether a request keeps the rate limit."))
	errs = append(errs, err)
	return errors.Join(errs...)
}

// TraceID returns the id of the trace that ctx is part of, or "".
func (t *Telemetry) TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// Failed notes why r failed, for the span, the metrics and the access log of
// the request. It is for [handler.Failures].
//
// A body that turns out to be too large once a part of it was forwarded is
// refused by [policy.MaxBody] all the same, and noted and counted as such.
func (t *Telemetry) Failed(r *http.Request, e *balancer.Error) {
	q := exchangeOf(r.Context())
	if q == nil {
		return
	}
	q.failure = e
	if e.Type == balancer.BodyTooLarge {
		q.rejection = policy.Rejection{Policy: "body", Reason: "too_large"}
		t.countRejection(r.Context(), q.rejection)
	}
}
