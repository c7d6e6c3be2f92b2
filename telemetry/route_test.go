package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/balancer"
	"spangate/balancer/identity"
	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/route/match"
	"spangate/handler/wire"
	"spangate/handler/wire/proxyproto"
	"spangate/policy"
	"spangate/probe"
	"spangate/telemetry"
	"spangate/telemetry/contract"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// TestRoutes holds that each series of what decorates a route has its name, and
// those of two routes are told apart; and that without a name none is added.
func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		name   string
		routes []string
		want   []string // the routes of each metric's series; empty: it has none
	}{
		{"none", nil, []string{""}},
		{"one", []string{"api"}, []string{"api"}},
		{"two", []string{"api", "docs"}, []string{"api", "docs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			meter, reader := metering()
			tel := telemetry.From(telemetry.Config{}, export.Providers{
				Tracer: tracenoop.NewTracerProvider(), Meter: meter,
			}, nil, slog.New(slog.DiscardHandler))
			front, peer := tel.Front(), &net.TCPAddr{}
			front.ProxyHeader(peer, &proxyproto.Error{Reason: proxyproto.Missing})
			front.Refused(wire.RefusedRequest{Peer: peer, Status: http.StatusBadRequest, Err: &fault.Error{Type: fault.MalformedRequest, Err: io.ErrUnexpectedEOF}})
			front.Flooded(peer, io.ErrUnexpectedEOF)
			if test.routes == nil {
				tel.Server(useAll(t, tel)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
			for i, route := range tel.Routes(test.routes...) {
				tel.Server(useAll(t, route)).ServeHTTP(httptest.NewRecorder(), routedTo(t, i, "/*"))
			}

			want := map[string][]string{}
			for _, before := range []string{"spangate.proxy_protocol.failures", "spangate.request.refusals", "spangate.floods"} {
				want[before] = []string{""} // counted before the route is known
			}
			for _, m := range contract.Metrics {
				ours := strings.HasPrefix(m.Name, "spangate.") || strings.HasPrefix(m.Name, "http.")
				ours = ours && !strings.HasPrefix(m.Name, "spangate.tls.") && !strings.HasPrefix(m.Name, "spangate.acme.") // there is no route before a request
				if ours && m.Name != "spangate.telemetry.spans" && want[m.Name] == nil {
					want[m.Name] = test.want
				}
			}
			if diff := cmp.Diff(want, routesOf(t, reader)); diff != "" {
				t.Errorf("routes of series (-want +got):\n%s", diff)
			}
		})
	}
}

// Of a pool, a limit and doors that several routes share, each request is recorded with
// the route that it has come to, not with the one that they were made for; what a pool
// finds out by itself, with that.
func TestRoutesShare(t *testing.T) {
	meter, reader := metering()
	tel := telemetry.From(telemetry.Config{}, export.Providers{Tracer: tracenoop.NewTracerProvider(), Meter: meter}, nil, slog.New(slog.DiscardHandler))
	used := useAll(t, tel.Routes("api", "docs")[0])
	tel.Server(used).ServeHTTP(httptest.NewRecorder(), routedTo(t, 1, "/*"))
	got := routesOf(t, reader)
	for name, want := range map[string]string{
		"http.server.request.duration":   "docs",
		"http.client.request.duration":   "docs",
		"http.client.active_requests":    "docs",
		"spangate.forward.duration":      "docs",
		"spangate.balancer.picks":        "docs",
		"spangate.retry.decisions":       "docs",
		"spangate.rate_limit.decisions":  "docs",
		"spangate.policy.rejections":     "docs",
		"spangate.upgrade.active":        "docs",
		"spangate.concurrency.wait":      "docs",
		"spangate.probe.duration":        "api",
		"spangate.backend.state_changes": "api",
	} {
		if !slices.Equal(got[name], []string{want}) {
			t.Errorf("%s is of %q, want %q", name, got[name], want)
		}
	}
}

// A request's span and its line in the access log name its route.
func TestRouteOfARequest(t *testing.T) {
	var out bytes.Buffer
	lines := logline.NewLines(&out)
	recorder := tracetest.NewSpanRecorder()
	tel := newTelemetry(recorder, logline.NewAccessLog(logline.Config{AccessLog: "text"}, lines))
	tel.Routes("api", "docs")
	server := tel.Server(http.NotFoundHandler())
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/", nil), routedTo(t, 0, "/api/*"), routedTo(t, -1, "/*"),
	} {
		server.ServeHTTP(httptest.NewRecorder(), r)
	}
	var got []string
	for _, span := range recorder.Ended() {
		attributes := attribute.NewSet(span.Attributes()...)
		route, _ := attributes.Value("spangate.route")
		path, _ := attributes.Value("http.route")
		got = append(got, span.Name()+","+path.AsString()+","+route.AsString())
	}
	if diff := cmp.Diff([]string{"GET,,", "GET /api/*,/api/*,api", "GET,,"}, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	go lines.Run()
	lines.Close(time.Minute)
	if log := out.String(); strings.Count(log, "route=") != 1 || !strings.Contains(log, " route=api ") {
		t.Errorf("the log is\n%s", log)
	}
}

// routedTo returns a request that has come to the route of that index, by that pattern.
func routedTo(t *testing.T, index int, pattern string) *http.Request {
	t.Helper()
	var patterns match.Patterns
	if err := patterns.UnmarshalText([]byte(pattern)); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	return r.WithContext(&match.Decided{Context: r.Context(), Match: match.Match{Route: index, Pattern: patterns[0]}})
}

// useAll returns what has all that decorates a route record something.
func useAll(t *testing.T, route *telemetry.Telemetry) http.Handler {
	b := &balancer.Backend{Name: "http://b", URL: &url.URL{Scheme: "http", Host: "b"}}
	one := func() int64 { return 1 }
	route.ObserveBackends(func() []*balancer.Backend { return []*balancer.Backend{b} })
	route.ObserveBudget(func() float64 { return 1 })
	route.ObserveConcurrency(one, one)
	route.ObserveKeys(func() int { return 1 })
	route.ObserveCanary(func() (balancer.CanaryState, float64) { return balancer.CanaryActive, 1 })
	route.ObserveMirror(one, one)
	pool, policies := route.Balancer(balancer.RoundRobin), route.Policies()
	pool.Identity.Fetch(identity.Request{URL: &url.URL{}}, func(context.Context) (identity.Token, error) { return identity.Token{}, nil })(t.Context())
	attempt := pool.Attempt(b, func() int { return 1 }, roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}, nil
	}))
	forward := route.Forward(roundTrip(func(r *http.Request) (*http.Response, error) {
		pool.Picked(r, b)
		pool.RetryWait(func(context.Context, balancer.RetryDecision) error { return nil })(r.Context(), balancer.RetryDecision{Reason: "503"})
		return attempt.RoundTrip(r)
	}))
	limit := route.Limiter(func(context.Context, policy.Key) (policy.Decision, error) { return policy.Decision{Allowed: true}, nil }, policy.RateLimitConfig{})
	refuse := route.Refuse(func(http.ResponseWriter, *http.Request, fault.Refusal) {})
	check := pool.Probe(b, probe.TypeHTTP, func(context.Context, *url.URL) error { return nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit(r.Context(), policy.Key{})
		policies.Waited(r.Context(), time.Second)
		resp, err := forward.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(w, resp.Body)
		resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		refuse(w, r, fault.Refusal{Policy: "access", Reason: "denied"})

		route.Upgraded(r, &handler.Upgrade{Protocol: "websocket"})()
		check(r.Context(), b.URL)
		pool.Changed(balancer.StateChange{Backend: b, To: balancer.Down})
		route.Mirror().Sent(r.Context())
		route.Canary().Changed(balancer.CanaryChange{To: balancer.CanaryAborted})
		connections := pool.Connections(b)
		connections.Ended(time.Second)
		connections.Unsolicited()
	})
}

// routesOf returns, by metric, the routes that its series have, each once.
func routesOf(t *testing.T, reader sdkmetric.Reader) map[string][]string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			routes := map[string]bool{}
			for _, series := range seriesOf(t, m.Data) {
				route, _ := series.Value("spangate.route")
				routes[route.AsString()] = true
			}
			found[m.Name] = slices.Sorted(maps.Keys(routes))
		}
	}
	return found
}

func seriesOf(t *testing.T, data metricdata.Aggregation) (all []attribute.Set) {
	t.Helper()
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			all = append(all, p.Attributes)
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			all = append(all, p.Attributes)
		}
	case metricdata.Histogram[int64]:
		for _, p := range data.DataPoints {
			all = append(all, p.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			all = append(all, p.Attributes)
		}
	default:
		t.Errorf("%T is not looked into", data)
	}
	return all
}
