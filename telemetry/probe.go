package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/probe"
	"spangate/telemetry/export/series"
)

// probe records how long each probe of b that next makes takes, and gives it a
// span, with a child for its request, if it made one through
// [Telemetry.probeRequest]. By [Config.Probes] some get theirs only when they turn
// out to have changed b's state.
func (t *Telemetry) probe(b *balancer.Backend, kind probe.Type, next probe.Check) probe.Check {
	return func(ctx context.Context, u *url.URL) error {
		p := &probed{telemetry: t, backend: b, kind: kind, trigger: probe.TriggerOf(ctx), start: time.Now()}
		if p.trigger == probe.TriggerRequest {
			p.asked = t.causes.asked(b)
		}
		p.err = next(context.WithValue(ctx, probedKey{}, p), u)
		p.end = time.Now()
		if t.cfg.Probes.atOnce(p.err) && ctx.Err() == nil {
			ctx = trace.ContextWithSpanContext(ctx, p.span())
		}
		t.metrics().probe.of(probeSet{b.Name, kind, p.result(), p.errorType()}).Record(ctx, p.end.Sub(p.start))
		if p.result() != probeInconclusive {
			t.causes.probed(b, p.err, p.span, p.asked)
		}
		return p.err
	}
}

// probeRequest notes the requests that probes make through next.
func (t *Telemetry) probeRequest(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c := &probeCall{method: r.Method, url: r.URL.String(), host: r.URL.Host, scheme: r.URL.Scheme, agent: r.Header.Get("User-Agent"), start: time.Now()}
		resp, err := next.RoundTrip(r)
		c.end = time.Now()
		if err != nil {
			failure := fault.Of(r.Context(), err)
			c.errorType, c.description = string(failure.Type), failure.Description()
		} else {
			c.status = resp.StatusCode
		}
		if p, ok := r.Context().Value(probedKey{}).(*probed); ok {
			p.call = c
		}
		return resp, err
	})
}

type probedKey struct{}

// probed is one probe, of which a span can be made afterwards.
type probed struct {
	telemetry  *Telemetry
	backend    *balancer.Backend
	kind       probe.Type
	trigger    probe.Trigger
	asked      cause // the attempt after which it was made; may be nil
	start, end time.Time
	err        error
	call       *probeCall // nil: it made no request

	once sync.Once
	made trace.SpanContext
}

// probeCall is the request that a probe made.
type probeCall struct {
	method, url, scheme, host, agent string
	start, end                       time.Time
	status                           int
	errorType, description           string
}

// The values of spangate.probe.result.
const (
	probeSuccess      = "success"
	probeFailure      = "failure"
	probeInconclusive = "inconclusive"
)

func (p *probed) result() string {
	switch {
	case p.err == nil:
		return probeSuccess
	case p.errorType() == string(fault.Overloaded), errors.Is(p.err, fault.ErrNoToken): // nobody was asked
		return probeInconclusive
	}
	return probeFailure
}

// errorType returns what the probe failed of, or "".
func (p *probed) errorType() string {
	if p.err == nil {
		return ""
	}
	return errorTypeOf(p.err)
}

// errorTypeOf returns the error.type of a probe's failure, or a backend's.
func errorTypeOf(err error) string {
	var typed interface{ ErrorType() string }
	if errors.As(err, &typed) {
		return typed.ErrorType()
	}
	return "_OTHER"
}

// span makes the probe's span, once, and returns its context.
func (p *probed) span() trace.SpanContext {
	p.once.Do(func() {
		tracer := p.telemetry.tracer
		var asked []trace.Link
		if p.asked != nil {
			asked = append(asked, trace.Link{SpanContext: p.asked()})
		}
		ctx, span := tracer.Start(context.Background(), probeSpan, trace.WithNewRoot(), trace.WithLinks(asked...), trace.WithTimestamp(p.start), trace.WithAttributes(p.telemetry.meter.with(
			backendKey.String(p.backend.Name), probeTypeKey.String(string(p.kind)),
			probeResultKey.String(p.result()), probeTriggerKey.String(string(p.trigger)),
		)...))
		p.made = span.SpanContext()
		if c := p.call; c != nil {
			c.span(ctx, tracer)
		}
		if p.err != nil {
			span.SetAttributes(semconv.ErrorTypeKey.String(p.errorType()))
			span.SetStatus(codes.Error, p.err.Error())
		}
		span.End(trace.WithTimestamp(p.end))
	})
	return p.made
}

func (c *probeCall) span(ctx context.Context, tracer trace.Tracer) {
	host, port := splitHost(c.host, c.scheme)
	_, span := tracer.Start(ctx, c.method, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(c.start), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(c.method), semconv.URLFull(c.url),
		semconv.ServerAddress(host), semconv.ServerPort(port),
		semconv.UserAgentOriginal(c.agent), semconv.UserAgentSyntheticTypeTest,
	))
	if c.status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(c.status))
	}
	if c.errorType != "" {
		span.SetAttributes(semconv.ErrorTypeKey.String(c.errorType))
	}
	if c.errorType != "" || c.status >= http.StatusBadRequest {
		span.SetStatus(codes.Error, c.description)
	}
	span.End(trace.WithTimestamp(c.end))
}

// probeMetrics are of how long probes take.
type probeMetrics = *bound[probeSet, series.Distribution[time.Duration]]

func newProbeMetrics(m *meter) probeMetrics {
	duration := m.durations(probeDurationName)
	return bind(m, func(s probeSet) *series.Distribution[time.Duration] { return duration.Of(m.with(s.attributes()...)...) })
}

type probeSet struct {
	backend   string
	kind      probe.Type
	result    string
	errorType string
}

func (s probeSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		backendKey.String(s.backend), probeTypeKey.String(string(s.kind)), probeResultKey.String(s.result),
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return attrs
}
