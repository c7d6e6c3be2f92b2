package telemetry

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/route/match"
	"spangate/telemetry/export"
	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// RouteConfig says what a route has recorded in another way than all.
type RouteConfig export.Requests

// Record has requests of t's route recorded as cfg says, from before there are any.
func (t *Telemetry) Record(cfg RouteConfig) {
	if t.requests != nil && cfg != (RouteConfig{}) {
		t.ids, t.keep = t.requests(t.ids, export.Requests(cfg))
	}
}

// Routes returns the decorators of routes by the index that [match.Match] has: each like
// t's, with its name on each series. What is noted of the backends of a pool is that of
// the route that it was made for.
func (t *Telemetry) Routes(names ...string) (all []*Telemetry) {
	for _, name := range names {
		r := *t
		r.route = route{name: name}
		r.Log = slog.New(ofRoute{t.Log.Handler(), slog.String(string(routeKey), name)})
		r.spanNames = &bound[nameSet, string]{bind: nameSet.name}
		r.measure(t.meter.Meter)
		all = append(all, &r)
	}
	t.routes = all
	for _, r := range all {
		r.routes = all
	}
	return all
}

// measure has what is recorded of t's route go to its series. They are made when there
// is something to record: there may be many routes, and a start waits for none of that.
func (t *Telemetry) measure(with *series.Meter) {
	t.meter = meter{Meter: with}
	if t.route.name != "" {
		t.meter.route = []attribute.KeyValue{routeKey.String(t.route.name)}
	}
	t.metrics, t.causes = sync.OnceValue(func() *metrics { return newMetrics(&t.meter) }), &causes{}
}

// ofRoute handles records that have an attribute more. It has that written anew for each:
// there may be many routes, which tell the log little.
type ofRoute struct {
	slog.Handler
	attr slog.Attr
}

func (h ofRoute) with() slog.Handler { return h.Handler.WithAttrs([]slog.Attr{h.attr}) }

func (h ofRoute) Handle(ctx context.Context, record slog.Record) error {
	return h.with().Handle(ctx, record)
}
func (h ofRoute) WithAttrs(attrs []slog.Attr) slog.Handler { return h.with().WithAttrs(attrs) }
func (h ofRoute) WithGroup(name string) slog.Handler       { return h.with().WithGroup(name) }

// come notes which route a request has come to.
func (e *exchange) come(ctx context.Context, t *Telemetry) {
	e.of = t
	if m := match.Of(ctx); m != nil && m.Route >= 0 {
		e.of = t.routes[m.Route]
		e.route = route{e.of.route.name, m.Pattern.Path()}
	}
}

// spanName returns the name of the span of a request of the normalized method.
func (e *exchange) spanName(method string) string {
	if e.route.path == "" {
		return spanName(method)
	}
	return *e.of.spanNames.of(nameSet{method, e.route.path})
}

// nameSet is what the name of a request's span is made of.
type nameSet struct{ method, path string }

func (s nameSet) name() *string {
	name := spanName(s.method) + " " + s.path
	return &name
}

// at returns what e is recorded with: what decorates the route that it has come to.
// Routes may share a pool or a limit, which tells one of them of all requests; and what
// is told of no request, or of one that came to no route, is t's.
func (t *Telemetry) at(e *exchange) *Telemetry {
	if e != nil && e.of != nil {
		return e.of
	}
	return t
}

// route is the one that a request has come to, and the path of its pattern. The zero
// value is none.
type route struct{ name, path string }

func (r *route) span(to attributes) {
	if r.name != "" {
		to.String(semconv.HTTPRouteKey, r.path)
		to.String(routeKey, r.name)
	}
}

func (r *route) line(line *logline.Line) {
	if r.name != "" {
		line.String("route", r.name)
	}
}

// within tells the name alone, to the spans within the request's own.
func (e *exchange) within(to attributes) {
	if e != nil && e.route.name != "" {
		to.String(routeKey, e.route.name)
	}
}
