package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// routeAttributes are those that tell which way a request went.
var routeAttributes = []string{"spangate.route", "spangate.backend", "http.response.status_code", "spangate.policy.rejection", "spangate.policy.reason"}

// at makes a request of a host on a connection of its own, and returns status, content
// and the header.
func (p *program) at(t *testing.T, method, host, target string, body io.Reader, header ...string) (string, http.Header) {
	t.Helper()
	r := p.newRequest(t.Context(), method, target, body, header...)
	r.Host = host
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(text))), resp.Header
}

// exampleOf returns the variables of README's example behind the line that begins so,
// with other addresses in it: pairs of an old and a new one.
func exampleOf(t *testing.T, beginning string, addresses ...string) (environ []string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "\n"+beginning)
	_, example, _ = strings.Cut(example, "\n\n")
	for line := range strings.Lines(strings.NewReplacer(addresses...).Replace(example)) {
		variable, indented := strings.CutPrefix(line, "    ")
		if !indented {
			break
		}
		variable, _, _ = strings.Cut(variable, " #")
		environ = append(environ, strings.TrimSpace(variable))
	}
	if !found || len(environ) < 5 {
		t.Fatalf("README has no example behind %q: %q", beginning, environ)
	}
	return environ
}

// One host has pages, an API and documents behind it, as README shows.
func TestRoutesOfOneHost(t *testing.T) {
	t.Parallel()
	web, api, docs := telling(t), telling(t, "X-Forwarded-Prefix"), telling(t)
	p := start(t, append(exampleOf(t, "One host,",
		"http://web:3000", web, "http://api-1:8080,http://api-2:8080", api, "http://docs:8080", docs), "PROBE_MODE=off")...)
	for _, test := range []struct{ target, want, location, limit string }{
		{"/prices", "200 GET /prices", "", ""},
		{"/apifoo", "200 GET /apifoo", "", ""},
		{"/api/users?page=2", "200 GET /users?page=2 X-Forwarded-Prefix=/api", "", `"20/s";q=20;w=1`},
		{"/docs/start", "200 GET /docs/start", "", ""},
		{"/manual/a/b", "308", "/docs/a/b", ""},
	} {
		got, header := p.at(t, "GET", "example.com", test.target, nil)
		if got, _, _ = strings.Cut(got, "<a"); strings.TrimSpace(got) != test.want || header.Get("Location") != test.location || header.Get("RateLimit-Policy") != test.limit {
			t.Errorf("%s: %q, %q, want %q, %q, %q", test.target, got, header, test.want, test.location, test.limit)
		}
	}
	p.stop()
	p.checkSpans(t, "GET /* SERVER Unset spangate.route=default spangate.backend="+web+" http.response.status_code=200\n"+
		"  GET CLIENT Unset spangate.route=default spangate.backend="+web+" http.response.status_code=200\n"+
		"GET /* SERVER Unset spangate.route=default spangate.backend="+web+" http.response.status_code=200\n"+
		"  GET CLIENT Unset spangate.route=default spangate.backend="+web+" http.response.status_code=200\n"+
		"GET /api/* SERVER Unset spangate.route=api spangate.backend="+api+" http.response.status_code=200\n"+
		"  rate_limit INTERNAL Unset spangate.route=api\n"+
		"  GET CLIENT Unset spangate.route=api spangate.backend="+api+" http.response.status_code=200\n"+
		"GET /docs/* SERVER Unset spangate.route=docs spangate.backend="+docs+" http.response.status_code=200\n"+
		"  GET CLIENT Unset spangate.route=docs spangate.backend="+docs+" http.response.status_code=200\n"+
		"GET /manual/{rest...} SERVER Unset spangate.route=old-docs http.response.status_code=308\n", routeAttributes...)
}

// Hosts are routes, as README shows: the more specific one wins, whatever the order.
func TestRoutesOfHosts(t *testing.T) {
	t.Parallel()
	site, app := telling(t), telling(t)
	p := start(t, append(exampleOf(t, "Several hosts,", "http://site:3000", site, "http://app:3000", app), "PROBE_MODE=off")...)
	for _, test := range []struct{ method, host, target, status, field, value string }{
		{"GET", "example.com", "/a?b=c", "301", "Location", "https://www.example.com/a?b=c"},
		{"GET", "WWW.example.com:80", "/ping", "200", "", ""},
		{"GET", "a.b.example.com", "/", "200", "", ""},
		{"GET", "other.test", "/ping", "200", "Content-Type", "text/plain; charset=utf-8"},
		{"POST", "other.test", "/ping", "405", "Allow", "GET, HEAD"},
		{"GET", "other.test", "/", "404", "", ""},
		{"GET", "other.test", "/x/..%2fping", "400", "", ""},
	} {
		got, header := p.at(t, test.method, test.host, test.target, nil)
		if got[:3] != test.status || header.Get(test.field) != test.value {
			t.Errorf("%s %s%s: %q, %q, want %s, %q", test.method, test.host, test.target, got, header, test.status, test.value)
		}
	}
	p.stop()
	p.checkSpans(t, "GET /* SERVER Unset spangate.route=apex http.response.status_code=301\n"+
		"GET /* SERVER Unset spangate.route=www spangate.backend="+site+" http.response.status_code=200\n"+
		"  GET CLIENT Unset spangate.route=www spangate.backend="+site+" http.response.status_code=200\n"+
		"GET /* SERVER Unset spangate.route=tenant spangate.backend="+app+" http.response.status_code=200\n"+
		"  GET CLIENT Unset spangate.route=tenant spangate.backend="+app+" http.response.status_code=200\n"+
		"GET /ping SERVER Unset spangate.route=ping http.response.status_code=200\n"+
		"POST SERVER Unset http.response.status_code=405 spangate.policy.rejection=route spangate.policy.reason=method_not_allowed\n"+
		"GET SERVER Unset http.response.status_code=404 spangate.policy.rejection=route spangate.policy.reason=no_route\n"+
		"GET SERVER Unset http.response.status_code=400 spangate.policy.rejection=route spangate.policy.reason=ambiguous_path\n", routeAttributes...)
}

// What reads goes by one way and what writes by another, to the same backends, as README
// shows.
func TestRoutesOfReadersAndWriters(t *testing.T) {
	t.Parallel()
	v1, v2, shadow := telling(t), telling(t), telling(t)
	p := start(t, append(exampleOf(t, "A canary for", "http://v1:3000", v1, "http://v2:3000", v2, "http://shadow:3000", shadow), "PROBE_MODE=off")...)
	read := func(sid int) string {
		_, header := p.at(t, "GET", "shop.example.com", "/", nil, fmt.Sprintf("Cookie: sid=%d", sid))
		if got := header.Get("RateLimit-Policy"); got != `"50/s";q=50;w=1` {
			t.Fatalf("limited by %q", got)
		}
		return ""
	}
	for sid := range 20 {
		read(sid)
	}
	for _, test := range []struct {
		size       int
		want, says string
	}{
		{1 << 10, "200", `"5/s";q=5;w=1, "100/h";q=100;w=3600`},
		{1<<20 + 1, "413", `"5/s";q=5;w=1, "100/h";q=100;w=3600`},
	} {
		got, header := p.at(t, "POST", "shop.example.com", "/cart", strings.NewReader(strings.Repeat("x", test.size)))
		if got[:3] != test.want || header.Get("RateLimit-Policy") != test.says {
			t.Errorf("POST of %d bytes: %.100q, %q, want %s, %q", test.size, got, header, test.want, test.says)
		}
	}
	status := p.status(t)
	var backends []string
	for _, b := range status.Backends {
		backends = append(backends, b.Name)
	}
	if diff := cmp.Diff([]string{v1, v2, shadow}, backends); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
	for _, r := range status.Routes {
		if !slices.Contains(r.Backends, v1) {
			t.Errorf("route %s has the backends %q", r.Name, r.Backends)
		}
	}
}

// Of a limit that routes inherit all requests count together; one that a route sets is
// its own.
func TestLimitsOfRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+telling(t), "RATE_LIMIT=3/h", "ROUTES=a,b,c,d",
		"ROUTE_A_MATCH=/a", "ROUTE_B_MATCH=/b", "ROUTE_C_MATCH=/c", "ROUTE_C_RATE_LIMIT=3/h", "ROUTE_D_MATCH=/d", "ROUTE_D_RATE_LIMIT=off")
	var got []string
	for _, target := range []string{"/a", "/b", "/", "/a", "/b", "/", "/c", "/c", "/c", "/c", "/d", "/d", "/d", "/d"} {
		answer, _ := p.at(t, "GET", "x", target, nil)
		got = append(got, target+" "+answer[:3])
	}
	want := []string{"/a 200", "/b 200", "/ 200", "/a 429", "/b 429", "/ 429", "/c 200", "/c 200", "/c 200", "/c 429", "/d 200", "/d 200", "/d 200", "/d 200"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.stop()
	kept := map[any]float64{}
	for _, point := range p.points("spangate.rate_limit.keys") {
		kept[point.Attributes["spangate.route"]] = point.Value
	}
	if diff := cmp.Diff(map[any]float64{"default": 1, "c": 1}, kept); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// A preflight comes to the route of the request that it asks for.
func TestPreflightsOfRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+telling(t), "ROUTES=api", "ROUTE_API_MATCH=PUT /api/*", "ROUTE_API_CORS_ALLOWED_ORIGINS=https://app.example", "ROUTE_API_CORS_ALLOWED_METHODS=PUT")
	for method, want := range map[string]string{"PUT": "204", "GET": "200"} {
		got, header := p.at(t, "OPTIONS", "x", "/api/a", nil, "Origin: https://app.example", "Access-Control-Request-Method: "+method)
		if got[:3] != want || (want == "204") != (header.Get("Access-Control-Allow-Origin") == "https://app.example") {
			t.Errorf("for %s: %q, %q, want %s", method, got, header, want)
		}
	}
}

// A browser asks first, naming the fields that a request will have, and then sends it: what
// a route takes by a field is answered by that route's doors.
func TestPreflightsOfFields(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+telling(t), "CORS_ALLOWED_ORIGINS=https://app.example", "CORS_ALLOWED_METHODS=PUT", "CORS_ALLOWED_HEADERS=X-Beta,X-Team", "ROUTES=beta,team",
		"ROUTE_BETA_MATCH=/api/*", "ROUTE_BETA_HEADERS=X-Beta: 1", "ROUTE_BETA_CORS_ALLOWED_ORIGINS=https://app.example,https://beta.example",
		"ROUTE_TEAM_MATCH=/team", "ROUTE_TEAM_HEADERS=X-Team", "ROUTE_TEAM_CORS_ALLOWED_ORIGINS=https://team.example")
	for _, test := range []struct{ origin, path, field, want string }{
		{"https://app.example", "/api/a", "X-Beta: 1", "204, 200"},
		{"https://app.example", "/api/a", "X-Beta: 2", "204, 200"},
		{"https://beta.example", "/api/a", "X-Beta: 1", "403"}, // it could send X-Beta: 2 to the rest
		{"https://team.example", "/team", "X-Team: a", "204, 200"},
		{"https://app.example", "/team", "X-Team: a", "403"},
		{"https://team.example", "/team", "X-Beta: a", "403"},
	} {
		origin := "Origin: " + test.origin
		name, _, _ := strings.Cut(strings.ToLower(test.field), ":")
		got, _ := p.at(t, "OPTIONS", "x", test.path, nil, origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: "+name)
		got = got[:3]
		if got == "204" {
			sent, header := p.at(t, "PUT", "x", test.path, nil, origin, test.field)
			if got += ", " + sent[:3]; header.Get("Access-Control-Allow-Origin") != test.origin {
				t.Errorf("%v: what was allowed may not be read: %q", test, header)
			}
		}
		if got != test.want {
			t.Errorf("%v: %s, want %s", test, got, test.want)
		}
	}
}

// Whoever sends a field or a parameter twice is past no door: the backend may read either.
func TestFieldsThatOccurTwice(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+telling(t), "ROUTES=beta,preview", "ROUTE_BETA_MATCH=/*", "ROUTE_BETA_HEADERS=X-Beta: 1", "ROUTE_BETA_AUTH_API_KEYS=joe:"+apiKey,
		"ROUTE_PREVIEW_MATCH=/page", "ROUTE_PREVIEW_QUERY=preview=1", "ROUTE_PREVIEW_AUTH_API_KEYS=joe:"+apiKey)
	for text, want := range map[string]string{
		"/": "200", "/; X-Beta: 1": "401", "/; X-Beta: 1; X-Beta: 1": "401", "/; X-Beta: 1; X-Beta: 0": "400", "/; X-Beta: 0; X-Beta: 1": "400", "/; X-Beta: 0; X-Beta: 2": "200",
		"/page?preview=1": "401", "/page?preview=1&preview=1": "401", "/page?preview=0&preview=1": "400", "/page?preview=1&%70review=0": "400", "/page?preview=0&preview=2": "200",
	} {
		lines := strings.Split(text, "; ")
		if got, _ := p.at(t, "GET", "x", lines[0], nil, lines[1:]...); got[:3] != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// A route says itself which of its requests are traced.
func TestSamplesOfRoutes(t *testing.T) {
	t.Parallel()
	backend := telling(t)
	p := start(t, "PROBE_MODE=off", "BACKENDS="+backend, "ROUTES=health,none,kept",
		"ROUTE_HEALTH_MATCH=/health", "ROUTE_HEALTH_TRACE_SAMPLE=0",
		"ROUTE_NONE_MATCH=/none", "ROUTE_NONE_TRACE_SAMPLE=0%", "ROUTE_NONE_TRACE_KEEP=none", "ROUTE_NONE_BACKENDS="+replying(t, 500),
		"ROUTE_KEPT_MATCH=/kept", "ROUTE_KEPT_TRACE_SAMPLE=0", "ROUTE_KEPT_BACKENDS="+replying(t, 500))
	for _, target := range []string{"/", "/health", "/none", "/kept"} {
		p.at(t, "GET", "x", target, nil)
	}
	p.stop()
	p.checkSpans(t, "GET /* SERVER Unset spangate.route=default\n"+
		"  GET CLIENT Unset spangate.route=default\n"+
		"GET /kept SERVER Error spangate.route=kept spangate.sampling.reason=error\n"+
		"  GET CLIENT Error spangate.route=kept\n", "spangate.route", "spangate.sampling.reason")
}

// The instance is ready though the backends of a route do not answer, once it is known
// that they do not; and not as long as it is not known.
func TestReadyWithoutARoute(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_PATH=/", "PROBE_INTERVAL=20ms", "PROBE_FALL=1", "BACKENDS="+telling(t), "ROUTES=gone", "ROUTE_GONE_MATCH=/gone", "ROUTE_GONE_BACKENDS=http://"+refusing(t))
	p.await(`"spangate.backend.state":"down"`)
	p.await(`"spangate.backend.state":"ready"`)
	if got, _ := p.at(t, "GET", "x", "/.spangate/ready", nil); got != "200 ok" {
		t.Errorf("it is ready: %s", got)
	}
	if got, _ := p.at(t, "GET", "x", "/gone", nil); got[:3] != "503" {
		t.Errorf("the route: %s", got)
	}
}

// Whoever waits for the instance to be ready is told for which route.
func TestNotReadyForARoute(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan struct{}, 10), make(chan struct{})
	hangs := plainBackend(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-ended })
	t.Cleanup(func() { close(ended) })
	p := start(t, "BACKENDS="+telling(t), "ROUTES=slow", "ROUTE_SLOW_MATCH=/slow", "ROUTE_SLOW_BACKENDS="+hangs, "ROUTE_SLOW_PROBE_PATH=/", "ROUTE_SLOW_PROBE_TIMEOUT=1h")
	<-asked
	p.await(`"spangate.backend.state":"ready"`)
	if got, _ := p.at(t, "GET", "x", "/.spangate/ready", nil); got != "503 route slow: no backend has answered yet" {
		t.Errorf("it is ready: %s", got)
	}
}

// Without timers a route whose backend has not answered is asked about again soon.
func TestReadyOnDemandWithoutARoute(t *testing.T) {
	t.Parallel()
	down := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	p := start(t, "PROBE_MODE=on-demand", "PROBE_INTERVAL=1h", "BACKENDS="+telling(t), "ROUTES=gone", "ROUTE_GONE_MATCH=/gone", "ROUTE_GONE_BACKENDS="+down, "ROUTE_GONE_PROBE_PATH=/")
	for got := ""; got != "200 ok"; {
		got, _ = p.at(t, "GET", "x", "/.spangate/ready", nil)
	}
}

// One address may be probed in several ways: the status says for whom.
func TestStatusOfBackendsOfRoutes(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := start(t, "PROBE_FALL=1", "BACKENDS="+backend, "ROUTES=a,b,c", "ROUTE_A_MATCH=/a", "ROUTE_B_MATCH=/b", "ROUTE_C_MATCH=/c", "ROUTE_C_PROBE_PATH=/fails", "ROUTE_B_RATE_LIMIT=3/s")
	p.await(`"spangate.backend.state":"down"`)
	p.await(`"spangate.backend.state":"ready"`)
	var got []string
	for _, b := range p.status(t).Backends {
		got = append(got, fmt.Sprint(b.Name == backend, b.Routes, b.State))
	}
	if diff := cmp.Diff([]string{"true [default a b]ready", "true [c]down"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
