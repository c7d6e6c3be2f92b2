package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/admin"
)

// TestOwnEndpoints checks who may ask them, and where.
func TestOwnEndpoints(t *testing.T) {
	t.Parallel()
	trusted := []string{"TRUSTED_PROXIES=127.0.0.0/8"}
	tests := map[string]struct {
		environ []string
		knock   knock // of /.spangate/status
		want    int
	}{
		"this host":                             {want: http.StatusOK},
		"this host, by a name":                  {knock: knock{header: []string{"Host: evil.test"}}, want: http.StatusNotFound},
		"behind a proxy of this host":           {knock: knock{header: []string{"X-Forwarded-For: 203.0.113.9"}}, want: http.StatusNotFound},
		"behind a proxy that hides it":          {knock: knock{header: []string{"Via: 1.1 other"}}, want: http.StatusNotFound},
		"a trusted peer":                        {environ: trusted, want: http.StatusOK},
		"behind trusted peers alone":            {environ: trusted, knock: knock{header: []string{"X-Forwarded-For: 127.0.0.7"}}, want: http.StatusOK},
		"a stranger behind a trusted peer":      {environ: trusted, knock: knock{header: []string{"X-Forwarded-For: 127.0.0.7, 203.0.113.9"}}, want: http.StatusNotFound},
		"a stranger in a field that counts not": {environ: trusted, knock: knock{header: []string{"Forwarded: for=203.0.113.9"}}, want: http.StatusNotFound},
		"a stranger whom a trusted peer hides":  {environ: trusted, knock: knock{header: []string{"X-Forwarded-For: unknown"}}, want: http.StatusNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=echo:a", "RATE_LIMIT=1/h", "MAX_CONCURRENT_REQUESTS=3", "OTEL_SDK_DISABLED=true"}, test.environ...)...)
			test.knock.method, test.knock.target = "GET", "/.spangate/status"
			if got, _ := p.knock(t, test.knock); got != fmt.Sprintln(test.want) {
				t.Errorf("answered %q, want %d", got, test.want)
			}
			test.knock.target = "/.spangate/live"
			if got, _ := p.knock(t, test.knock); got != "200\n" {
				t.Errorf("live answered %q", got)
			}
		})
	}

	t.Run("what the status says", func(t *testing.T) {
		t.Parallel()
		p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "RATE_LIMIT=1/h", "MAX_CONCURRENT_REQUESTS=3", "RATE_LIMIT_REDIS_URL=redis://:s3cret@"+refusing(t))
		p.await("rate limits are not shared")
		p.once(t.Context(), "GET", "/", nil)
		got := p.status(t)
		got.Telemetry = nil
		if got.RateLimit == nil || got.RateLimit.Since == nil || got.RateLimit.Since.IsZero() || !strings.Contains(got.RateLimit.Why, "refused") || strings.Contains(got.RateLimit.Why, "s3cret") {
			t.Fatalf("rate limit is %+v, want since when and why it is not shared", got.RateLimit)
		}
		got.RateLimit.Since, got.RateLimit.Why = nil, ""
		want := admin.Snapshot{
			Backends:    []admin.Backend{{Name: "echo:a", State: "unknown", Serves: true}},
			RateLimit:   &admin.RateLimit{Keys: 1, Store: "local", Instances: 1},
			Concurrency: &admin.Concurrency{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})

	t.Run("on a port of their own", func(t *testing.T) {
		t.Parallel()
		// An address that nobody else uses keeps the port free until it is taken.
		const host = "127.0.0.77"
		ln := alike(t, host)[0]
		_, adminPort, _ := net.SplitHostPort(ln.Addr().String())
		ln.Close()
		backend := newFront(t)
		environ := []string{"HOST=" + host, "ADMIN_PORT=" + adminPort, "BACKENDS=" + backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "AUTH_API_KEYS=ci:" + apiKey}
		p := start(t, environ...)
		_, port, _ := net.SplitHostPort(p.addr)
		if diff := cmp.Diff("401 Credentials are required.\n  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n", first(p.knock(t, knock{method: "GET", target: "/.spangate/live"}))); diff != "" {
			t.Errorf("on PORT (-want +got):\n%s", diff)
		}
		if got := first(p.knock(t, knock{method: "GET", target: "/.spangate/live", header: []string{"X-Api-Key: " + apiKey}})); !strings.HasPrefix(got, "200\n  Got: GET") {
			t.Errorf("on PORT, with a key: %q, want the backend's answer", got)
		}
		onPort := p.addr
		p.addr = net.JoinHostPort(host, adminPort)
		for target, want := range map[string]string{"/.spangate/live": "200\n", "/.spangate/status": "200\n", "/": "404\n", "/.spangate": "404\n"} {
			if got := first(p.knock(t, knock{method: "GET", target: target})); got != want {
				t.Errorf("%s on ADMIN_PORT: %q, want %q", target, got, want)
			}
		}
		p.addr = onPort
		ask := func(environ ...string) error {
			return command(t.Context(), []string{"healthcheck"}, environ, io.Discard)
		}
		if err := ask("HOST="+host, "PORT="+port, "ADMIN_PORT="+adminPort); err != nil {
			t.Error(err)
		}
		if err := ask("HOST="+host, "PORT="+port); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("healthcheck of PORT: %v, want that it needs credentials there", err)
		}
	})
}

// TestReadyWithoutProbes checks that whoever has switched probes off is ready at
// once: nothing but requests would tell, and none come before.
func TestReadyWithoutProbes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    int
	}{
		"a backend":                   {[]string{"PROBE_MODE=off", "BACKENDS=echo:a"}, 200},
		"one that nobody has reached": {[]string{"PROBE_MODE=off", "BACKENDS=http://" + refusing(t)}, 200},
		"a name that leads nowhere":   {[]string{"PROBE_MODE=off", "BACKENDS=dns+http://no-such-name.invalid:80"}, 503},
		"with probes":                 {[]string{"BACKENDS=http://" + refusing(t)}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.environ...)
			if resp, body := p.ask(t, "GET", "/.spangate/ready", nil); resp.StatusCode != test.want {
				t.Errorf("%d %s, want %d", resp.StatusCode, body, test.want)
			}
		})
	}
}
