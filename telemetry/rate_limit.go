package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler/fault"
	"spangate/policy"
	"spangate/telemetry/export/series"
)

// What can become of a request under the rate limit.
const (
	rateLimitAllowed    = "allowed"
	rateLimitDenied     = "denied"
	rateLimitDryRun     = "dry_run"     // would have been denied
	rateLimitStoreError = "store_error" // nobody counted, whatever came of that
)

// Limiter gives each decision of next a span, where that of the request is
// recorded, or by [Config.RateLimit] only those that do not let it in, and counts
// it. Decisions about requests that are not recorded cost no span. It decorates
// what [policy.RateLimit] asks.
func (t *Telemetry) Limiter(next policy.Limiter, cfg policy.RateLimitConfig) policy.Limiter {
	if t.off {
		return next
	}
	return func(ctx context.Context, key policy.Key) (policy.Decision, error) {
		start := time.Now()
		var span trace.Span
		recording := trace.SpanFromContext(ctx).IsRecording()
		if recording && t.cfg.RateLimit != decisionsDenied {
			ctx, span = startSpan(ctx, t.tracer, start, rateLimitSpan, trace.SpanKindInternal)
		}
		d, err := next(ctx, key)
		set := rateLimitSet{d.Limit, rateLimitResult(d, err, cfg.DryRun), d.Store}
		if recording && span == nil && set.result != rateLimitAllowed {
			ctx, span = startSpan(ctx, t.tracer, start, rateLimitSpan, trace.SpanKindInternal)
		}
		e := exchangeOf(ctx)
		t.at(e).metrics().rateLimit.of(set).Add(ctx, 1)
		if span != nil {
			e.end(span, endOf(start), &rateLimitDecision{e, key.Source, set, d, err})
		}
		return d, err
	}
}

func rateLimitResult(d policy.Decision, err error, dryRun bool) string {
	switch {
	case err != nil && d.Limit == (policy.Limit{}):
		return rateLimitStoreError
	case d.Allowed:
		return rateLimitAllowed
	case dryRun:
		return rateLimitDryRun
	}
	return rateLimitDenied
}

// rateLimitDecision is what the span of one tells.
type rateLimitDecision struct {
	exchange *exchange // nil: of no request
	source   string    // of the key
	set      rateLimitSet
	d        policy.Decision
	err      error
}

// Tell implements [teller].
func (r *rateLimitDecision) Tell(to attributes) {
	d := r.d
	to.String(rateLimitKeySourceKey, r.source)
	to.String(rateLimitResultKey, r.set.result)
	r.exchange.within(to)
	if d.Store != "" {
		to.String(rateLimitStoreKey, string(d.Store))
	}
	if d.Limit != (policy.Limit{}) {
		to.String(rateLimitPolicyKey, d.Limit.String())
		to.Int(rateLimitLimitKey, int(d.Limit.Requests))
		to.Int(rateLimitRemainingKey, int(d.Remaining))
		to.Float64(rateLimitResetKey, d.Reset.Seconds())
	}
	if r.err != nil {
		to.String(semconv.ErrorTypeKey, string(fault.OfCall(r.err, rateLimitStoreError)))
	}
}

// failed implements [teller]. To deny a request is no error.
func (r *rateLimitDecision) failed() (string, bool) { return "", r.err != nil }

type rateLimitMetrics = *bound[rateLimitSet, series.Sum]

func newRateLimitMetrics(m *meter) rateLimitMetrics {
	return counted(m, rateLimitDecisionsName, rateLimitSet.attributes)
}

// rateLimitSet is a series of decisions. The limit is one of those that are
// configured, or zero when none decided.
type rateLimitSet struct {
	limit  policy.Limit
	result string
	store  policy.Store
}

func (s rateLimitSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{rateLimitResultKey.String(s.result)}
	if s.limit != (policy.Limit{}) {
		attrs = append(attrs, rateLimitPolicyKey.String(s.limit.String()))
	}
	if s.store != "" {
		attrs = append(attrs, rateLimitStoreKey.String(string(s.store)))
	}
	return attrs
}

// ObserveKeys reports, at each collection, how many keys counts are kept of.
func (t *Telemetry) ObserveKeys(keys func() int) {
	kept, route := t.meter.observed(rateLimitKeysName), t.meter.with()
	t.meter.OnCollect(func() { kept.Observe(int64(keys()), route...) })
}
