package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// scrape asks for /metrics as a Prometheus of version 3 does.
func scrape(t *testing.T, address string) (status int, page string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestWhereMetricsAreScraped checks which of the ports answers for /metrics, and that
// the one which requests come to is never among them.
func TestWhereMetricsAreScraped(t *testing.T) {
	t.Parallel()
	const prometheus = "OTEL_METRICS_EXPORTER=prometheus"
	for name, test := range map[string]struct {
		environ     []string // ADMIN and OWN stand for free ports
		admin, own  string   // what answers: metrics, endpoints, both or nobody
		destination string   // COLLECTOR stands for its URL
	}{
		"on ADMIN_PORT":                {[]string{prometheus, "ADMIN_PORT=ADMIN"}, "both", "nobody", "prometheus"},
		"on a port of their own":       {[]string{prometheus, "OTEL_EXPORTER_PROMETHEUS_PORT=OWN"}, "nobody", "metrics", "prometheus"},
		"there, and not on ADMIN_PORT": {[]string{prometheus, "ADMIN_PORT=ADMIN", "OTEL_EXPORTER_PROMETHEUS_PORT=OWN"}, "endpoints", "metrics", "prometheus"},
		"beside a collector":           {[]string{"OTEL_METRICS_EXPORTER=prometheus,otlp", "ADMIN_PORT=ADMIN"}, "both", "nobody", "COLLECTOR/v1/metrics, prometheus"},
		"nowhere":                      {[]string{"ADMIN_PORT=ADMIN"}, "endpoints", "nobody", "COLLECTOR/v1/metrics"},
		"nowhere, as all is disabled":  {[]string{prometheus, "OTEL_SDK_DISABLED=true", "ADMIN_PORT=ADMIN"}, "endpoints", "nobody", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin, own := wiretest.FreePort(t), wiretest.FreePort(t)
			environ := []string{"BACKENDS=echo:a", "PROBE_MODE=off"}
			for _, variable := range test.environ {
				environ = append(environ, strings.NewReplacer("=ADMIN", "="+admin, "=OWN", "="+own).Replace(variable))
			}
			p := start(t, environ...)
			if got := strings.ReplaceAll(p.line(t, "telemetry")["metrics"].(string), p.collector.URL(), "COLLECTOR"); got != test.destination {
				t.Errorf("metrics go to %q, want %q", got, test.destination)
			}
			if _, page := scrape(t, p.addr); strings.Contains(page, "# TYPE") {
				t.Error("PORT tells metrics")
			}
			for port, want := range map[string]string{admin: test.admin, own: test.own} {
				if got := answers(t, "localhost:"+port); got != want {
					t.Errorf("%s of %s, %s: %s answer, want %s", port, admin, own, got, want)
				}
			}
		})
	}
}

// answers tells whether metrics, the proxy's own endpoints, both or nobody answer.
func answers(t *testing.T, address string) string {
	t.Helper()
	status := func(method, path string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if status("GET", "/") == 0 {
		return "nobody"
	}
	got := []int{status("GET", "/metrics"), status("HEAD", "/metrics"), status("POST", "/metrics"), status("GET", "/metrics/"), status("GET", "/.spangate/live"), status("GET", "/")}
	for name, want := range map[string][]int{"metrics": {200, 200, 405, 404, 404, 404}, "endpoints": {404, 404, 404, 404, 200, 404}, "both": {200, 200, 405, 404, 200, 404}} {
		if slices.Equal(got, want) {
			return name
		}
	}
	t.Errorf("statuses: %d", got)
	return "others"
}

// TestWhatIsScraped checks that a scrape tells of requests, with the traces that they
// are examples of, of who is scraped, and nothing of scrapes themselves.
func TestWhatIsScraped(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(backend.Close)
	port := wiretest.FreePort(t)
	p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "ADMIN_PORT="+port, "OTEL_METRICS_EXPORTER=prometheus", "OTEL_SERVICE_NAME=shop", "OTEL_BSP_SCHEDULE_DELAY=10")
	p.once(t.Context(), "GET", "/", nil)
	spans := p.collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 2 })
	for range 2 {
		status, page := scrape(t, "127.0.0.1:"+port)
		if status != http.StatusOK || !strings.HasSuffix(page, "\n# EOF\n") {
			t.Fatalf("%d %s", status, page)
		}
		for _, want := range []string{
			`(?m)^# TYPE target info$`, `(?m)^target_info\{.*service_name="shop".*\} 1$`,
			`(?m)^# UNIT http_server_request_duration_seconds seconds$`,
			`(?m)^http_server_request_duration_seconds_count\{http_request_method="GET",http_response_status_code="200",network_protocol_version="1.1",url_scheme="http",otel_scope_name="spangate",otel_scope_schema_url="[^"]+"\} 1$`,
			`(?m)^http_server_request_duration_seconds_bucket\{.*\} 1 # \{trace_id="` + spans[0].TraceID + `",span_id="[0-9a-f]{16}"`,
			`(?m)^spangate_balancer_picks_total\{.*\} 1`, `(?m)^spangate_backend_status\{.*spangate_backend_state="unknown".*\} 1$`, `(?m)^go_goroutine_count\{.*\} \d+$`,
		} {
			if !regexp.MustCompile(want).MatchString(page) {
				t.Errorf("the page lacks %s:\n%s", want, page)
			}
		}
	}
	p.stop()
	if diff := cmp.Diff(2, len(p.collector.Spans())); diff != "" || len(p.log.requests(t)) != 1 {
		t.Errorf("scrapes are seen (-want +got spans):\n%s", diff)
	}
	if got := p.collector.Metrics(); len(got) > 0 {
		t.Errorf("the collector got %d metrics, which are not for it", len(got))
	}
}

func TestScrapesAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	const prometheus = "OTEL_METRICS_EXPORTER=prometheus"
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"of other signals":      {[]string{"OTEL_TRACES_EXPORTER=prometheus"}, `OTEL_TRACES_EXPORTER="prometheus": prometheus is for metrics`},
		"in a misspelled list":  {[]string{"OTEL_METRICS_EXPORTER=prometeus"}, `OTEL_METRICS_EXPORTER="prometeus": "prometeus" must be otlp, console, console_json, prometheus or none`},
		"on PORT":               {[]string{prometheus, "OTEL_EXPORTER_PROMETHEUS_PORT=8080"}, `OTEL_EXPORTER_PROMETHEUS_PORT="8080": must not be that of PORT`},
		"on PORT, by default":   {[]string{prometheus, "PORT=9464"}, `PORT="9464": must not be that of scrapes, unless OTEL_EXPORTER_PROMETHEUS_PORT gives these another one`},
		"on ADMIN_PORT, by two": {[]string{prometheus, "ADMIN_PORT=9000", "OTEL_EXPORTER_PROMETHEUS_PORT=9000"}, `OTEL_EXPORTER_PROMETHEUS_PORT="9000": must not be that of ADMIN_PORT`},
		"which nobody asks for": {[]string{"OTEL_EXPORTER_PROMETHEUS_HOST=0.0.0.0"}, `OTEL_EXPORTER_PROMETHEUS_HOST: is of no use without prometheus in OTEL_METRICS_EXPORTER`},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			code := report(&stderr, command(t.Context(), nil, append([]string{"BACKENDS=echo:a"}, test.environ...), io.Discard))
			if code != 64 || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("exit code %d, want 64, with %s:\n%s", code, test.want, &stderr)
			}
		})
	}
}

// Of ports that are not there nothing is said.
func TestWhatIsSaidOfOwnPorts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		drains  int
	}{
		"none":               {nil, 1},
		"endpoints":          {[]string{"ADMIN_PORT=" + wiretest.FreePort(t)}, 2},
		"scrapes":            {[]string{"OTEL_METRICS_EXPORTER=prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT=" + wiretest.FreePort(t)}, 2},
		"both, on one":       {[]string{"OTEL_METRICS_EXPORTER=prometheus", "ADMIN_PORT=" + wiretest.FreePort(t)}, 2},
		"both, on their own": {[]string{"OTEL_METRICS_EXPORTER=prometheus", "ADMIN_PORT=" + wiretest.FreePort(t), "OTEL_EXPORTER_PROMETHEUS_PORT=" + wiretest.FreePort(t)}, 3},
	} {
		p := start(t, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off"}, test.environ...)...)
		p.stop()
		if got := len(p.log.named(t, "msg", "draining")); got != test.drains {
			t.Errorf("%s: %d lines say that it drains, want %d", name, got, test.drains)
		}
		if got, want := len(p.log.named(t, "msg", "listening for scrapes of metrics")), strings.Count(strings.Join(test.environ, " "), "PROMETHEUS_PORT"); got != want {
			t.Errorf("%s: %d lines say where scrapes go, want %d", name, got, want)
		}
	}
}
