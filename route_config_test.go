package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/handler/route"
	"spangate/probe"
)

// shop is the third worked example.
var shop = []string{
	"RATE_LIMIT=50/s", "ROUTES=write,read",
	"ROUTE_READ_MATCH=GET|HEAD shop.example.com/*", "ROUTE_READ_BACKENDS=http://v1:3000", "ROUTE_READ_PROBE_PATH=/up",
	"ROUTE_READ_CANARY_BACKENDS=http://v2:3000", "ROUTE_READ_CANARY=5%", "ROUTE_READ_CANARY_BY=cookie:sid", "ROUTE_READ_CANARY_ABORT=errors>5%/1m",
	"ROUTE_WRITE_MATCH=shop.example.com/*", "ROUTE_WRITE_BACKENDS=@read", "ROUTE_WRITE_RATE_LIMIT=5/s,100/h", "ROUTE_WRITE_MAX_REQUEST_BODY=1MiB",
}

// Routes are shown in the order in which they are matched, whatever that of their list.
func TestConfigOfRoutes(t *testing.T) {
	t.Parallel()
	fields := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "ROUTE") {
				all = append(all, strings.Join(strings.Fields(line), " "))
			}
		}
		return all
	}
	all, stderr, code := asked(t, shop, "config")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	want := []string{
		"ROUTES set write,read",
		"ROUTE_READ_MATCH set GET|HEAD shop.example.com/*",
		"ROUTE_READ_CANARY_BACKENDS set http://v2:3000", "ROUTE_READ_CANARY set 5%", "ROUTE_READ_CANARY_BY set cookie:sid", "ROUTE_READ_CANARY_ABORT set errors>5%/1m",
		"ROUTE_READ_BACKENDS set http://v1:3000", "ROUTE_READ_BACKEND_HOST derived preserve",
		"ROUTE_READ_PROBE_TYPE derived http", "ROUTE_READ_PROBE_PATH set /up",
		"ROUTE_READ_RATE_LIMIT inherited 50/s", "ROUTE_READ_RATE_LIMIT_BURST inherited 50",
		"ROUTE_WRITE_MATCH set shop.example.com/*", "ROUTE_WRITE_BACKENDS set @read",
		"ROUTE_WRITE_MAX_REQUEST_BODY set 1MiB", "ROUTE_WRITE_RATE_LIMIT set 5/s,100/h", "ROUTE_WRITE_RATE_LIMIT_BURST derived 5",
	}
	if diff := cmp.Diff(want, fields(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	changed, _, _ := asked(t, shop, "config", "--changed")
	own := slices.DeleteFunc(want, func(line string) bool { return strings.Contains(line, " inherited ") })
	if diff := cmp.Diff(own, fields(changed)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// Of what there is for all a route is not said to inherit what means nothing to it.
func TestRoutesDoNotInheritInVain(t *testing.T) {
	t.Parallel()
	environ := []string{
		"BACKENDS=http://web", "RETRY_ATTEMPTS=5", "PROBE_PATH=/up", "BALANCER=least-requests", "BACKEND_HOST=backend", "OUTLIER_FAILURES=9", "PANIC_THRESHOLD=10",
		"REQUEST_HEADERS=X-A: b", "REWRITE_RESPONSES=off", "RESPONSE_HEADERS=X-B: c", "REQUEST_TIMEOUT=9s",
		"ROUTES=old,ping,write,api", "ROUTE_OLD_MATCH=/old", "ROUTE_OLD_REDIRECT=/new", "ROUTE_PING_MATCH=/ping", "ROUTE_PING_RESPOND=204",
		"ROUTE_WRITE_MATCH=POST /api/*", "ROUTE_WRITE_BACKENDS=@api", "ROUTE_API_MATCH=/api/*", "ROUTE_API_BACKENDS=http://api", "ROUTE_API_PROBE_PATH=/ready",
	}
	all, stderr, code := asked(t, environ, "config")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	got := map[string][]string{}
	for line := range strings.Lines(all) {
		if name, ok := strings.CutPrefix(line, "ROUTE_"); ok {
			route, variable, _ := strings.Cut(strings.Fields(name)[0], "_")
			got[route] = append(got[route], variable)
		}
	}
	want := map[string][]string{
		"OLD":   {"MATCH", "REDIRECT", "REQUEST_TIMEOUT", "RESPONSE_HEADERS"},
		"PING":  {"MATCH", "RESPOND", "REQUEST_TIMEOUT", "RESPONSE_HEADERS"},
		"WRITE": {"MATCH", "BACKENDS", "RETRY_ATTEMPTS", "REQUEST_TIMEOUT", "REQUEST_HEADERS", "RESPONSE_HEADERS", "REWRITE_RESPONSES"},
		"API":   {"MATCH", "BACKENDS", "BALANCER", "BACKEND_HOST", "PANIC_THRESHOLD", "RETRY_ATTEMPTS", "OUTLIER_FAILURES", "PROBE_TYPE", "PROBE_PATH", "REQUEST_TIMEOUT", "REQUEST_HEADERS", "RESPONSE_HEADERS", "REWRITE_RESPONSES"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	explained, _, _ := asked(t, environ, "route", "/old")
	if strings.Contains(explained, "BACKENDS") || strings.Contains(explained, "PROBE") {
		t.Errorf("says of a redirect:\n%s", explained)
	}
}

// What a route does not set is as it is for all, and what it switches off is off.
func TestRoutesInherit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("ci:"+apiKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	global := append([]string{
		backends, "PLATFORM=cloudrun", "AUTH_API_KEYS=all:" + apiKey, "RATE_LIMIT=50/s", "RETRY_ATTEMPTS=4", "REQUEST_TIMEOUT=9s", "ALLOW_CIDRS=10.0.0.0/8", "DENY_CIDRS=10.1.0.0/16",
		"CORS_ALLOWED_ORIGINS=https://a.test", "CORS_EXPOSED_HEADERS=X-A", "BALANCER_STICKY_COOKIE=sticky", "PROBE_PATH=/up", "MAX_REQUEST_BODY=1MiB", "CORS_ALLOW_CREDENTIALS=true",
	}, site...)
	for given, test := range map[string]struct {
		shown string
		holds func(c *route.Config) bool
	}{
		"AUTH_API_KEYS=off":            {"set: none", func(c *route.Config) bool { return c.Policy.Auth.APIKeys == "" }},
		"AUTH_API_KEYS_FILE=" + file:   {"file: ***", func(c *route.Config) bool { return c.Policy.Auth.APIKeys == "ci:"+apiKey }},
		"RATE_LIMIT=off":               {"set: off", func(c *route.Config) bool { return c.Policy.RateLimit.Limits == nil }},
		"RATE_LIMIT=none":              {"set: off", func(c *route.Config) bool { return c.Policy.RateLimit.Limits == nil }},
		"RETRY_ATTEMPTS=none":          {"set: none", func(c *route.Config) bool { return c.Balancer.Retry.Attempts == 0 }},
		"RETRY_ATTEMPTS=0":             {"set: none", func(c *route.Config) bool { return c.Balancer.Retry.Attempts == 0 }},
		"REQUEST_TIMEOUT=off":          {"set: no limit", func(c *route.Config) bool { return c.Policy.RequestTimeout == 0 }},
		"ALLOW_CIDRS=off":              {"set: all", func(c *route.Config) bool { return c.Policy.Access.Allow.All() }},
		"ALLOW_CIDRS=none":             {"set: none", func(c *route.Config) bool { return !c.Policy.Access.Allow.IsZero() && c.Policy.Access.Allow.Empty() }},
		"DENY_CIDRS=none":              {"set: none", func(c *route.Config) bool { return c.Policy.Access.Deny.Empty() }},
		"CORS_ALLOWED_ORIGINS=none":    {"set: none", func(c *route.Config) bool { return len(c.Policy.CORS.Origins) == 0 }},
		"CORS_ALLOWED_ORIGINS=off":     {"set: none", func(c *route.Config) bool { return len(c.Policy.CORS.Origins) == 0 }},
		"CORS_EXPOSED_HEADERS=none":    {"set: none", func(c *route.Config) bool { return len(c.Policy.CORS.Exposed) == 0 }},
		"CORS_ALLOW_CREDENTIALS=off":   {"set: false", func(c *route.Config) bool { return !c.Policy.CORS.AllowCredentials }},
		"BALANCER_STICKY_COOKIE=off":   {"set: none", func(c *route.Config) bool { return c.Balancer.StickyCookie == "" }},
		"PROBE_PATH=off":               {"set: none", func(c *route.Config) bool { return c.Probe.Path == "" }},
		"PROBE_MODE=off":               {"set: off", func(c *route.Config) bool { return c.Probe.Mode == probe.ModeOff }},
		"PROBE_MODE=auto":              {"set: on-demand", func(c *route.Config) bool { return c.Probe.Mode == probe.ModeOnDemand }},
		"MAX_REQUEST_BODY=0":           {"set: no limit", func(c *route.Config) bool { return c.Policy.MaxRequestBody == 0 }},
		"RETRY_ON= 503 \n connect":     {"set: 503,connect", func(c *route.Config) bool { return c.Balancer.Retry.Attempts == 4 }},
		"CORS_ALLOWED_METHODS=PUT GET": {"set: PUT,GET", func(c *route.Config) bool { return len(c.Policy.CORS.Methods) == 2 }},
	} {
		t.Run(given, func(t *testing.T) {
			var cfg Config
			variables, _, err := config.Load(&cfg, append(slices.Clone(global), "ROUTE_API_"+given), cfg.check)
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(given, "=")
			name = "ROUTE_API_" + strings.TrimSuffix(name, "_FILE")
			i := slices.IndexFunc(variables, func(v *config.Variable) bool { return v.Name == name })
			if i < 0 {
				t.Fatalf("%s is not set", name)
			}
			if shown := variables[i].Origin + ": " + variables[i].Shown(); shown != test.shown {
				t.Errorf("%s is %q, want %q", name, shown, test.shown)
			}
			api, web := &cfg.Routes.Each[0], &cfg.Routes.Each[1]
			if !test.holds(&api.Config) {
				t.Errorf("%s does not hold", given)
			}
			if !api.Sets(strings.TrimPrefix(name, "ROUTE_API_")) || web.Sets("*E*") && !slices.Equal(web.Own("*"), []string{"ROUTE_WEB_MATCH", "ROUTE_WEB_BACKENDS"}) {
				t.Errorf("api sets %q, web %q", api.Own("*"), web.Own("*"))
			}
			inherited := web.Config
			inherited.Balancer.Backends = cfg.Route.Balancer.Backends
			if !reflect.DeepEqual(cfg.Route, inherited) {
				t.Errorf("for all holds\n%+v\nanother route inherits\n%+v", cfg.Route, inherited)
			}
		})
	}
}

// A variable that has no effect by itself may have one for a route, and so what a route
// sets is of use by what it inherits.
func TestVariablesOfUseToRoutes(t *testing.T) {
	t.Parallel()
	for _, given := range [][]string{
		{"RATE_LIMIT_KEY=global", "ROUTE_API_RATE_LIMIT=5/s"},
		{"RATE_LIMIT_REDIS_URL=redis://x", "ROUTE_API_RATE_LIMIT=5/s"},
		{"TRACE_RATE_LIMIT=denied", "ROUTE_API_RATE_LIMIT=5/s"},
		{"RATE_LIMIT=5/s", "ROUTE_API_RATE_LIMIT_BURST=9"},
		{"BACKEND_SERVER_NAME=a.test", "ROUTE_WEB_BACKENDS=https://b"},
		{"RETRY_TRY_TIMEOUT=5s", "REQUEST_TIMEOUT=3s", "ROUTE_WEB_REQUEST_TIMEOUT=9s"},
		{"RETRY_TRY_TIMEOUT=5s", "ROUTE_WEB_REQUEST_TIMEOUT=3s"},
		{"PROBE_TIMEOUT=3s", "PROBE_MODE=off", "ROUTE_WEB_PROBE_MODE=active"},
	} {
		var cfg Config
		if _, _, err := config.Load(&cfg, append(slices.Clone(site), given...), cfg.check); err != nil {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// However many routes there are, each has at most one name in variables.
func TestRoutesAreLimited(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 1001 {
		names = append(names, fmt.Sprintf("r%d", i))
	}
	var cfg Config
	_, _, err := config.Load(&cfg, []string{"ROUTES=" + strings.Join(names, ",")})
	want := "lists 1001 routes; there can be 1000"
	if got := lines(err); len(got) == 0 || !strings.HasSuffix(got[0], want) {
		t.Errorf("faults begin with %.300q, want %q", got, want)
	}
}

// What is given to a route is read as the route's, or told; it never stops the program.
func FuzzRoutes(f *testing.F) {
	f.Add("api,web", "API_MATCH", "/api/*")
	f.Add("a,a-b", "A_B_CANARY_BACKENDS", "@a")
	f.Add("a_b,a-b,,-", "A_B_AUTH_API_KEYS_FILE", "")
	f.Fuzz(func(t *testing.T, names, name, text string) {
		if strings.HasSuffix(name, "_FILE") || strings.Contains(name, "=") || strings.ContainsAny(name+names+text, "\x00") {
			t.Skip("reads a file, or is no variable")
		}
		var cfg Config
		variables, warnings, err := config.Load(&cfg, []string{backends, "ROUTES=" + names, "ROUTE_" + name + "=" + text}, cfg.check)
		for _, line := range append(lines(err), warnings...) {
			if strings.ContainsAny(line, "\r\n") || !strings.Contains(line, ": ") {
				t.Errorf("fault %q", line)
			}
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, v := range variables {
			if seen[v.Name] {
				t.Errorf("%s twice", v.Name)
			}
			seen[v.Name] = true
		}
		for i := range cfg.Routes.Each {
			if n := &cfg.Routes.Each[i]; n.Name != cfg.Routes.Names[i] || !n.Sets("MATCH") {
				t.Errorf("route %d of %q is %q, of %q", i, cfg.Routes.Names, n.Name, n.Own("*"))
			}
		}
	})
}
