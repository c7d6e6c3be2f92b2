package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

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
			ctx, span = startSpan(ctx, t.tracer, start, rateLimitSpan)
		}
		d, err := next(ctx, key)
		set := rateLimitSet{d.Limit, rateLimitResult(d, err, cfg.DryRun), d.Store}
		if recording && span == nil && set.result != rateLimitAllowed {
			ctx, span = startSpan(ctx, t.tracer, start, rateLimitSpan)
		}
		t.at(exchangeOf(ctx)).metrics.rateLimit.of(set).Add(ctx, 1)
		if span != nil {
			exchangeOf(ctx).end(span, endOf(start), &rateLimitDecision{key.Source, set, d, err})
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
	source string // of the key
	set    rateLimitSet
	d      policy.Decision
	err    error
}

// tell implements [teller]. To deny a request is no error.
func (r *rateLimitDecision) tell(span trace.Span) {
	d := r.d
	gathered := gather()
	attrs := append(gathered.attributes, rateLimitKeySourceKey.String(r.source), rateLimitResultKey.String(r.set.result))
	if d.Store != "" {
		attrs = append(attrs, rateLimitStoreKey.String(string(d.Store)))
	}
	if d.Limit != (policy.Limit{}) {
		attrs = append(attrs,
			rateLimitPolicyKey.String(d.Limit.String()),
			rateLimitLimitKey.Int64(d.Limit.Requests),
			rateLimitRemainingKey.Int64(d.Remaining),
			rateLimitResetKey.Float64(d.Reset.Seconds()),
		)
	}
	if r.err != nil {
		attrs = append(attrs, semconv.ErrorTypeKey.String(string(fault.OfCall(r.err, rateLimitStoreError))))
		span.SetStatus(codes.Error, "")
	}
	gathered.set(span, attrs)
}

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
