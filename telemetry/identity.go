package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer/identity"
	"spangate/handler/fault"
	"spangate/telemetry/export/series"
)

// identity returns what listens to how tokens for backends are got. Each fetch has a CLIENT
// span and is counted, with how long it took; the wait of a request for one has a span of
// its own. That there is no token, and that there is one again, is logged.
func (t *Telemetry) identity() identity.Hooks {
	hooks := identity.Hooks{Fetch: t.fetch, Caused: caused}
	if !t.off {
		hooks.Wait, hooks.Joined = t.waitForToken, joined
	}
	return hooks
}

// waitForToken gives the wait of a request that is recorded a span. Where another
// request's fetch is waited for, it is linked to that.
func (t *Telemetry) waitForToken(ctx context.Context, p identity.Purpose, next func(context.Context) error) error {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return next(ctx)
	}
	e, start := exchangeOf(ctx), time.Now()
	waiting, span := startSpan(ctx, t.tracer, start, identitySpan, trace.SpanKindInternal)
	w := &tokenWaited{exchange: e, purpose: p}
	w.err = next(context.WithValue(waiting, tokenWaitedKey{}, w))
	if w.fetch != nil {
		if fetch := w.fetch.recorded.Load(); fetch != nil {
			span.AddLink(trace.Link{SpanContext: *fetch})
		}
	}
	e.end(span, endOf(start), w)
	return w.err
}

type tokenWaitedKey struct{}

// joined notes whose fetch a request waits for.
func joined(fetch, waiter context.Context) {
	if w, ok := waiter.Value(tokenWaitedKey{}).(*tokenWaited); ok {
		w.fetch, _ = fetch.Value(fetchCauseKey{}).(*fetchCause)
	}
}

// tokenWaited is what the span of a wait tells.
type tokenWaited struct {
	exchange *exchange // nil: of no request
	purpose  identity.Purpose
	fetch    *fetchCause // of another request; nil: of this one
	err      error
}

// Tell implements [teller].
func (w *tokenWaited) Tell(to attributes) {
	tellPurpose(to, w.purpose)
	w.exchange.within(to)
	if w.err != nil {
		to.String(semconv.ErrorTypeKey, errorTypeOf(w.err))
	}
}

// failed implements [teller].
func (w *tokenWaited) failed() (string, bool) {
	if w.err == nil {
		return "", false
	}
	return fault.Of(context.Background(), w.err).Description(), true
}

func tellPurpose(to attributes, p identity.Purpose) {
	to.String(identityTypeKey, string(p.Kind))
	if p.Audience != "" {
		to.String(identityAudienceKey, p.Audience)
	}
}

// fetchCause is the span within which a fetch was asked for, whether somebody waits for
// it there, and what others who wait are linked to.
type fetchCause struct {
	span     trace.SpanContext
	waits    bool
	recorded atomic.Pointer[trace.SpanContext] // of the fetch; nil: it has not begun, or leaves no span
}

type fetchCauseKey struct{}

func caused(ctx, cause context.Context, waits bool) context.Context {
	return context.WithValue(ctx, fetchCauseKey{}, &fetchCause{span: trace.SpanContextFromContext(cause), waits: waits})
}

// fetch records the fetches of r that next makes.
func (t *Telemetry) fetch(r identity.Request, next identity.Fetch) identity.Fetch {
	var failing atomic.Bool
	return func(ctx context.Context) (identity.Token, error) {
		start := time.Now()
		cause, _ := ctx.Value(fetchCauseKey{}).(*fetchCause)
		if cause == nil {
			cause = &fetchCause{}
		}
		ctx, span := t.startFetch(ctx, start, r, cause)
		token, err := next(ctx)
		f := &fetched{telemetry: t, request: r, err: err}
		if err != nil {
			f.errorType = errorTypeOf(err)
		}
		t.metrics().identity.of(identitySet{r.Kind, f.errorType}).Record(ctx, time.Since(start))
		(*exchange)(nil).end(span, endOf(start), f)
		switch {
		case err != nil:
			failing.Store(true)
			t.logFetch(ctx, slog.LevelWarn, "no token for backends could be fetched", identityFetchFailedEvent, r,
				slog.String(string(semconv.ErrorTypeKey), f.errorType), slog.String("exception.message", err.Error()))
		case failing.Swap(false):
			t.logFetch(ctx, slog.LevelInfo, "a token for backends was fetched again", identityFetchedEvent, r)
		}
		return token, err
	}
}

// startFetch starts the span of a fetch: below that of a request which waits for it, where
// that is sampled; else that of a trace of its own.
func (t *Telemetry) startFetch(ctx context.Context, at time.Time, r identity.Request, cause *fetchCause) (context.Context, trace.Span) {
	var links []trace.Link
	switch {
	case cause.waits && cause.span.IsSampled():
		ctx = trace.ContextWithSpanContext(ctx, cause.span)
	case cause.span.IsValid():
		links = []trace.Link{{SpanContext: cause.span}}
	}
	ctx, span := startSpan(ctx, t.tracer, at, r.Method, trace.SpanKindClient, links...)
	if sc := span.SpanContext(); sc.IsSampled() {
		cause.recorded.Store(&sc)
	}
	return ctx, span
}

func (t *Telemetry) logFetch(ctx context.Context, level slog.Level, message, event string, r identity.Request, more ...slog.Attr) {
	attrs := []slog.Attr{slog.String("event.name", event), slog.String(string(identityTypeKey), string(r.Kind))}
	if r.Audience != "" {
		attrs = append(attrs, slog.String(string(identityAudienceKey), r.Audience))
	}
	t.Log.LogAttrs(ctx, level, message, append(attrs, more...)...)
}

// fetched is what the span of a fetch tells.
type fetched struct {
	telemetry *Telemetry
	request   identity.Request
	err       error
	errorType string // empty: there is a token
}

// Tell implements [teller].
func (f *fetched) Tell(to attributes) {
	u := f.request.URL
	host, port := splitHost(u.Host, u.Scheme)
	to.String(semconv.HTTPRequestMethodKey, f.request.Method)
	to.String(semconv.URLFullKey, fullURL(u.Scheme, u.Host, u))
	to.String(semconv.ServerAddressKey, host)
	to.Int(semconv.ServerPortKey, port)
	tellPurpose(to, f.request.Purpose)
	if name := f.telemetry.route.name; name != "" {
		to.String(routeKey, name)
	}
	if status := f.status(); status != 0 {
		to.Int(semconv.HTTPResponseStatusCodeKey, status)
	}
	if f.errorType != "" {
		to.String(semconv.ErrorTypeKey, f.errorType)
	}
}

// failed implements [teller]. What a fetch fails with has no word of who was asked.
func (f *fetched) failed() (string, bool) {
	if f.err == nil {
		return "", false
	}
	return f.err.Error(), true
}

func (f *fetched) status() int {
	if failure, ok := f.err.(*identity.FetchError); ok {
		return failure.Status
	}
	return http.StatusOK
}

// identityMetrics are of how long fetches take.
type identityMetrics = *bound[identitySet, series.Distribution[time.Duration]]

func newIdentityMetrics(m *meter) identityMetrics {
	duration := m.durations(identityFetchDurationName)
	return bind(m, func(s identitySet) *series.Distribution[time.Duration] {
		return duration.Of(m.with(s.attributes()...)...)
	})
}

type identitySet struct {
	kind      identity.Kind
	errorType string
}

func (s identitySet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{identityTypeKey.String(string(s.kind))}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return attrs
}
