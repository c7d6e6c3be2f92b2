package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// routeKey is on every series of a route, on its requests' spans and their lines in
// the access log. The contract has no row of it, as there is no route yet.
const routeKey = attribute.Key("spangate.route")

// Route returns the decorators of a route: like t's, with its name on each series.
// What a pool's hooks note of its backends is this route's alone. An empty name is
// that of no route, and adds nothing.
func (t *Telemetry) Route(name string) *Telemetry {
	if name == t.route {
		return t
	}
	r := *t
	r.route = name
	r.measure(t.meter.Meter) // makes what there is already
	return &r
}

// measure makes the instruments of t's route.
func (t *Telemetry) measure(with *series.Meter) {
	t.meter = meter{Meter: with}
	if t.route != "" {
		t.meter.route = []attribute.KeyValue{routeKey.String(t.route)}
	}
	t.metrics, t.causes = newMetrics(&t.meter), &causes{}
}

// Enter notes that a request has come to t's route.
func (t *Telemetry) Enter(next http.Handler) http.Handler {
	if t.route == "" || t.off {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := exchangeOf(r.Context()); e != nil {
			e.of, e.route = t, route(t.route)
		}
		next.ServeHTTP(w, r)
	})
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

// route is the name of the one that a request has come to; empty: none.
type route string

func (r *route) span(to attributes) {
	if *r != "" {
		to.String(routeKey, string(*r))
	}
}

func (r *route) line(line *logline.Line) {
	if *r != "" {
		line.String("route", string(*r))
	}
}
