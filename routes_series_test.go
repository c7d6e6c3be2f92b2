package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// routedSeries returns how many series each metric has: those with a route, and all.
func (p *program) routedSeries() (routed, all map[string]int) {
	routed, all = map[string]int{}, p.series()
	for name := range all {
		for _, point := range p.points(name) {
			if _, of := point.Attributes["spangate.route"]; of {
				routed[name]++
			}
		}
	}
	return routed, all
}

// Routes that see the same requests have as many series each: what one has, times how
// many there are, and no more beside.
func TestSeriesOfRoutes(t *testing.T) {
	t.Parallel()
	after := func(routes int) (routed, others map[string]int) {
		var names []string
		environ := []string{"PROBE_MODE=off", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none", "RETRY_ATTEMPTS=1", "CORS_ALLOWED_ORIGINS=https://app.test",
			"AUTH_API_KEYS=ci:" + apiKey, "MAX_REQUEST_BODY=3", "MAX_CONCURRENT_REQUESTS=10"}
		for i := range routes {
			name := fmt.Sprintf("r%d", i)
			names = append(names, name)
			of := "ROUTE_" + strings.ToUpper(name)
			environ = append(environ, of+"_MATCH=/"+name+"/*", of+"_BACKENDS="+telling(t), of+"_RATE_LIMIT=3/d", of+"_MAX_CONCURRENT_REQUESTS=5")
		}
		p := start(t, append(environ, "ROUTES="+strings.Join(names, ","))...)
		const key = "X-Api-Key: " + apiKey
		p.at(t, "GET", "x.test", "/nothing", nil)
		p.at(t, "GET", "x.test", "/x/..%2fr0/", nil)
		for _, name := range names {
			for _, ask := range []struct {
				method, body, want string
				header             []string
			}{
				{"GET", "", "200", []string{key}},
				{"POST", "abc", "200", []string{key}},
				{"POST", "abcd", "413", []string{key}},
				{"GET", "", "429", []string{key}},
				{"GET", "", "401", nil},
				{"OPTIONS", "", "204", []string{"Origin: https://app.test", "Access-Control-Request-Method: GET"}},
			} {
				if got, _ := p.at(t, ask.method, "x.test", "/"+name+"/a", strings.NewReader(ask.body), ask.header...); got[:3] != ask.want {
					t.Errorf("%s %s of %s: %s, want %s", ask.method, ask.header, name, got, ask.want)
				}
			}
		}
		p.stop()
		routed, others = p.routedSeries()
		for name, n := range others {
			others[name] = n - routed[name]
		}
		return routed, others
	}
	one, besideOne := after(1)
	five, besideFive := after(5)
	for name := range one {
		one[name] *= 5
	}
	if diff := cmp.Diff(one, five); diff != "" || len(one) < 10 {
		t.Errorf("series of a route, times five, and of five routes (-5 × 1 +5), %d metrics:\n%s", len(one), diff)
	}
	if diff := cmp.Diff(besideOne, besideFive); diff != "" {
		t.Errorf("series without a route (-1 +5):\n%s", diff)
	}
}

// No host and no path that a client makes up has a series of its own, be it taken by a
// route, by what takes the rest, or by none.
func TestSeriesDoNotGrowByHostsAndPaths(t *testing.T) {
	t.Parallel()
	after := func(requests int) map[string]int {
		p := start(t, "PROBE_MODE=off", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none", "BACKENDS=echo:a", "RETRY_ATTEMPTS=0", "ROUTES=user,tenant,any,pong,moved",
			"ROUTE_USER_MATCH=/users/{id}", "ROUTE_TENANT_MATCH=*.tenants.test/*", "ROUTE_ANY_MATCH=GET /any/{rest...}",
			"ROUTE_PONG_MATCH=/ping/*", "ROUTE_PONG_RESPOND=200", "ROUTE_MOVED_MATCH=/old/{x}/*", "ROUTE_MOVED_REDIRECT=/new/{x}")
		random := rand.New(rand.NewPCG(1, uint64(requests)))
		word := func() string { return fmt.Sprintf("%x", random.Uint64()) }
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for i := range requests {
			kinds := [][2]string{{"", "/users/"}, {".tenants.test", "/"}, {"", "/any/"}, {"", "/ping/"}, {"", "/old/"}, {"", "/"}, {"", "/x/..%2fping/"}, {"", "/USERS/"}}
			kind := kinds[i%len(kinds)]
			r := p.newRequest(t.Context(), "GET", kind[1]+word()+"?"+word(), nil)
			r.Host = word() + kind[0]
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		p.stop()
		routed, all := p.routedSeries()
		if len(routed) < 5 {
			t.Errorf("only %v have a route", slices.Sorted(maps.Keys(routed)))
		}
		return all
	}
	if diff := cmp.Diff(after(80), after(2000)); diff != "" {
		t.Errorf("series after 80 requests and after 2,000 (-few +many):\n%s", diff)
	}
}
