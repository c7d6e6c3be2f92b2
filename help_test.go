package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

// asked returns what the program prints for args, and its exit code.
func asked(t *testing.T, environ []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = report(&errs, command(t.Context(), args, environ, &out))
	return out.String(), errs.String(), code
}

func TestHelpIsOneScreen(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"config", "--help"}, {"help", "-h"}} {
		screen, stderr, code := asked(t, nil, args...)
		if code != 0 || stderr != "" || !strings.HasPrefix(screen, "Spangate is a reverse proxy") {
			t.Errorf("%q: exit code %d, %q, begins %.40q", args, code, stderr, screen)
		}
		if n := strings.Count(screen, "\n"); n > 40 {
			t.Errorf("%q: help has %d lines, want at most 40", args, n)
		}
		for line := range strings.Lines(screen) {
			if utf8.RuneCountInString(line) > 81 {
				t.Errorf("%q: longer than 80 columns: %q", args, line)
			}
		}
		for _, g := range config.Groups {
			if !strings.Contains(screen, g.Name) {
				t.Errorf("%q: the group %s is not named", args, g.Name)
			}
		}
	}
	screen, _, _ := asked(t, nil, "help")
	for _, option := range []string{"-H", "--client"} {
		if !strings.Contains(screen, option) {
			t.Errorf("%s of route is not named", option)
		}
	}
	_, common, _ := strings.Cut(screen, "What most people set:\n\n")
	common, _, _ = strings.Cut(common, "\n\n")
	variables := config.Variables(&Config{})
	for line := range strings.Lines(common) {
		name := strings.Fields(line)[0]
		if !slices.ContainsFunc(variables, func(v config.Variable) bool { return v.Name == name }) {
			t.Errorf("%s is no variable", name)
		}
	}
}

// A group that is called like one of its variables explains that once.
func TestHelpOfAGroupTellsNothingTwice(t *testing.T) {
	for _, topic := range []string{"routes", "balancer"} {
		text, _, _ := asked(t, nil, "help", topic)
		told := map[string]int{}
		for line := range strings.Lines(text) {
			if name := strings.Fields(line + " .")[0]; strings.ToUpper(name) == name && !strings.HasPrefix(line, " ") {
				told[name]++
			}
		}
		if told[strings.ToUpper(topic)] != 1 {
			t.Errorf("help %s explains %v:\n%s", topic, told, text)
		}
	}
}

func TestHelpOfOneThing(t *testing.T) {
	for name, test := range map[string]struct {
		topic string
		want  []string
		not   string
	}{
		"a group":             {"retry", []string{"retry: when a failed attempt is followed by another one\n", "\nRETRY_ATTEMPTS (2)\n    further attempts", "RETRY_BUDGET (20%)"}, "PROBE_"},
		"a group, otherwise":  {"Rate-Limit", []string{"RATE_LIMIT_REDIS_URL\n", "RATE_LIMIT_REDIS_URL_FILE names a file"}, "RETRY_"},
		"a variable":          {"RETRY_BUDGET", []string{"RETRY_BUDGET\n    most retries, as a share of all requests\n", "    default: 20%\n", "    of no use without RETRY_ATTEMPTS\n", "    group: retry\n"}, "RETRY_BACKOFF"},
		"in lower case":       {"retry_budget", []string{"RETRY_BUDGET\n"}, ""},
		"a platform's":        {"SHUTDOWN_TIMEOUT", []string{"default: 10s, fly: 4500ms, azure: 25s, ecs: 25s, kubernetes: 25s, cloudrun:\n    9s\n", "least: 100ms\n"}, ""},
		"a door":              {"ALLOW_CIDRS", []string{"set but empty, it stops the start: write all to let in from everywhere\n"}, ""},
		"a secret's file":     {"AUTH_API_KEYS_FILE", []string{"AUTH_API_KEYS\n", "AUTH_API_KEYS_FILE names a file to read it from\n"}, ""},
		"one signal's":        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", []string{"URL of the collector"}, "LOGS"},
		"routes":              {"routes", []string{"routes: several ways", "\nROUTE_<NAME>_MATCH (required)\n", "A route can have its own of these, with ROUTE_<NAME>_ before the name:", "RATE_LIMIT,"}, "TLS_CERT_FILE"},
		"a route's variable":  {"ROUTE_OLD_DOCS_RATE_LIMIT", []string{"ROUTE_OLD_DOCS_RATE_LIMIT\n    requests that one client may make", "    default: as RATE_LIMIT is\n", "    off, none or 0: off\n"}, "10s"},
		"a route's secret":    {"route-api-auth-api-keys-file", []string{"ROUTE_API_AUTH_API_KEYS_FILE names a file to read it from\n", "    off, none or 0: none\n"}, ""},
		"that routes have":    {"RATE_LIMIT", []string{"    for one alone: ROUTE_<NAME>_RATE_LIMIT\n"}, ""},
		"a route's alone":     {"ROUTE_API_MATCH", []string{"ROUTE_API_MATCH\n", "    default: required\n", "    group: routes\n"}, "for one alone"},
		"of every route":      {"ROUTE_<NAME>_MATCH", []string{"ROUTE_<NAME>_MATCH\n"}, ""},
		"a group with others": {"otel", []string{"OTEL_EXPORTER_OTLP_TRACES_*, OTEL_EXPORTER_OTLP_METRICS_*,\nOTEL_EXPORTER_OTLP_LOGS_*\n    each of the variables"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		"all, as a table":     {"all", []string{"| variable | default | route | meaning |\n", "| `PORT` | `8080` |  | TCP port", "| `RATE_LIMIT` | `off` | ✓ |", "| `ROUTE_<NAME>_MATCH` | required | ✓ |", "kubernetes: `25s`", "| `OTEL_EXPORTER_OTLP_TRACES_*`, `OTEL_EXPORTER_OTLP_METRICS_*`, `OTEL_EXPORTER_OTLP_LOGS_*` |"}, "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := asked(t, nil, "help", test.topic)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, %q", code, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("lacks %q:\n%s", want, stdout)
				}
			}
			if test.not != "" && strings.Contains(stdout, test.not) {
				t.Errorf("has %q:\n%s", test.not, stdout)
			}
		})
	}
	for topic, want := range map[string]string{
		"UPSTREAMS":           "UPSTREAMS: unknown; did you mean BACKENDS?\n",
		"ROUTE_API_RATE_LIMT": "ROUTE_API_RATE_LIMT: unknown; did you mean ROUTE_API_RATE_LIMIT?\n",
		"ROUTE_API_PORT":      "ROUTE_API_PORT: PORT holds for the whole program; did you mean ROUTE_API_BACKENDS?\n",
		"retry_atempts":       "RETRY_ATEMPTS: unknown; did you mean RETRY_ATTEMPTS?\n",
		"cooking":             `help: "cooking" is neither a variable nor one of listen, tls, routes, client, request, cors, auth, rate-limit, concurrency, rewrite, backends, balancer, retry, probe, outlier, process, log, trace, otel or all` + "\n",
	} {
		if stdout, stderr, code := asked(t, nil, "help", topic); code != 64 || stdout != "" || stderr != want {
			t.Errorf("help %s: exit code %d, stdout %q, stderr %q, want %q", topic, code, stdout, stderr, want)
		}
	}
}

// What help says fits into any terminal, but for what has no blanks.
func TestHelpIsWrapped(t *testing.T) {
	for _, width := range []int{40, 80, 132} {
		text, err := config.Help(&Config{}, config.Groups, "all", width)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
	}
}

func TestEachVariableIsInAGroup(t *testing.T) {
	table := config.Table(&Config{}, config.Groups)
	last := config.Groups[len(config.Groups)-1]
	for _, v := range config.Variables(&Config{}) {
		if got := config.GroupOf(config.Groups, v.Name); got == "" {
			t.Errorf("%s is in no group", v.Name)
		}
	}
	if !strings.Contains(table, "**"+last.Name+"**") {
		t.Errorf("the table lacks the group %s", last.Name)
	}
}

func TestVersionFlag(t *testing.T) {
	long, _, code := asked(t, nil, "--version")
	if short, _, _ := asked(t, nil, "version"); code != 0 || long != short || !strings.HasPrefix(long, "spangate ") {
		t.Errorf("--version prints %q, exit code %d, version %q", long, code, short)
	}
}

// Whoever reads no further, as head does, has had enough.
func TestClosedPipe(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"help", "retry"}, {"help", "all"}, {"config"}, {"config", "--changed"}, {"version"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			r.Close()
			var stderr strings.Builder
			if code := report(&stderr, command(t.Context(), args, []string{backends}, w)); code != 0 || stderr.Len() > 0 {
				t.Errorf("exit code %d, stderr %q", code, &stderr)
			}
		})
	}
}

// valueOf returns what config prints of a variable.
func valueOf(config, name string) (origin, value string) {
	for line := range strings.Lines(config) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			origin, value, _ = strings.Cut(strings.TrimSpace(rest), " ")
			return origin, strings.TrimSpace(value)
		}
	}
	return "", ""
}

func TestConfigInForce(t *testing.T) {
	for name, test := range map[string]struct {
		given      []string
		variable   string
		wantOrigin string
		want       string
	}{
		"auto of probes":             {nil, "PROBE_MODE", "default", "active"},
		"on a platform":              {[]string{"PLATFORM=cloudrun"}, "PROBE_MODE", "platform", "on-demand"},
		"a probe's type":             {nil, "PROBE_TYPE", "default", "tcp"},
		"by its path":                {[]string{"PROBE_PATH=/up"}, "PROBE_TYPE", "derived", "http"},
		"its path":                   {[]string{"PROBE_TYPE=http"}, "PROBE_PATH", "derived", "/"},
		"a host":                     {nil, "BACKEND_HOST", "default", "preserve"},
		"a host over TLS":            {[]string{"BACKENDS=https://a"}, "BACKEND_HOST", "derived", "backend"},
		"of several":                 {[]string{"BACKENDS=https://a,http://b"}, "BACKEND_HOST", "derived", "backend for https, else preserve"},
		"no limit":                   {nil, "BACKEND_MAX_CONNECTIONS", "default", "no limit"},
		"no timeout":                 {[]string{"BACKEND_RESPONSE_TIMEOUT=0"}, "BACKEND_RESPONSE_TIMEOUT", "set", "no limit"},
		"an attempt's":               {nil, "RETRY_TRY_TIMEOUT", "default", "10s where another backend can be tried"},
		"an attempt's, of less":      {[]string{"BACKEND_RESPONSE_TIMEOUT=3s"}, "RETRY_TRY_TIMEOUT", "derived", "1s where another backend can be tried"},
		"an attempt's, without more": {[]string{"RETRY_ATTEMPTS=0"}, "RETRY_TRY_TIMEOUT", "derived", "no limit"},
		"a burst":                    {[]string{"RATE_LIMIT=100/h,10/s"}, "RATE_LIMIT_BURST", "derived", "10"},
		"no burst":                   {nil, "RATE_LIMIT_BURST", "default", "none"},
		"own endpoints":              {[]string{"PORT=9000"}, "ADMIN_PORT", "derived", "9000"},
		"scrapes beside them":        {[]string{"ADMIN_PORT=9000", "OTEL_METRICS_EXPORTER=prometheus"}, "OTEL_EXPORTER_PROMETHEUS_PORT", "derived", "9000"},
		"scrapes elsewhere":          {[]string{"ADMIN_PORT=9000", "OTEL_METRICS_EXPORTER=prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST=::1"}, "OTEL_EXPORTER_PROMETHEUS_PORT", "default", "9464"},
		"the collector":              {nil, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "default", "http://localhost:4318/v1/traces"},
		"the collector, set":         {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c:4318/x"}, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "derived", "https://c:4318/x/v1/logs"},
		"the collector, by gRPC":     {[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "derived", "http://localhost:4317"},
		"no collector":               {[]string{"OTEL_METRICS_EXPORTER=console"}, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "derived", "none"},
		"a general header":           {[]string{"OTEL_EXPORTER_OTLP_HEADERS=a=s3cret"}, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "derived", "***"},
		"nothing sent":               {[]string{"OTEL_SDK_DISABLED=true"}, "OTEL_TRACES_EXPORTER", "derived", "none"},
		"the service":                {nil, "OTEL_SERVICE_NAME", "default", "spangate"},
		"the service, by attribute":  {[]string{"OTEL_RESOURCE_ATTRIBUTES=service.name=shop"}, "OTEL_SERVICE_NAME", "derived", "shop"},
		"the service, of blanks":     {[]string{"OTEL_SERVICE_NAME=  ", "OTEL_RESOURCE_ATTRIBUTES=service.name=%20"}, "OTEL_SERVICE_NAME", "set", "spangate"},
		"a sampler's argument":       {[]string{"OTEL_TRACES_SAMPLER=traceidratio"}, "OTEL_TRACES_SAMPLER_ARG", "derived", "1"},
		"a batch":                    {nil, "OTEL_BSP_SCHEDULE_DELAY", "default", "5000"},
		"a batch of a short queue":   {[]string{"OTEL_BSP_MAX_QUEUE_SIZE=100"}, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "derived", "100"},
		"a limit for all":            {[]string{"OTEL_ATTRIBUTE_COUNT_LIMIT=9"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "derived", "9"},
	} {
		t.Run(name, func(t *testing.T) {
			given := append([]string{backends}, test.given...)
			all, stderr, code := asked(t, given, "config")
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			if origin, value := valueOf(all, test.variable); origin != test.wantOrigin || value != test.want {
				t.Errorf("%s is %q (%s), want %q (%s)", test.variable, value, origin, test.want, test.wantOrigin)
			}
			changed, _, _ := asked(t, given, "config", "--changed")
			if origin, _ := valueOf(changed, test.variable); (origin == "") != (test.wantOrigin == "default") {
				t.Errorf("--changed shows it as %q", origin)
			}
			if strings.Contains(all+changed, "s3cret") {
				t.Errorf("a secret is shown:\n%s%s", all, changed)
			}
		})
	}
}

func TestConfigLeavesNothingOpen(t *testing.T) {
	for _, p := range config.Platforms {
		all, _, _ := asked(t, []string{backends, "PLATFORM=" + p.Name}, "config")
		for line := range strings.Lines(all) {
			fields := strings.Fields(line)
			// It has no delay, and that is what it says.
			if len(fields) < 3 || slices.Contains([]string{"auto", "0", "0s"}, fields[2]) && fields[0] != "SHUTDOWN_DELAY" {
				t.Errorf("%s: says nothing: %q", p.Name, line)
			}
		}
	}
}

func TestConfigChanged(t *testing.T) {
	changed, _, _ := asked(t, []string{backends, "PORT=8080", "RETRY_BACKOFF=0.025s", "RETRY_ATTEMPTS=3", "PLATFORM=fly", "LOG_LEVLE=x"}, "config", "--changed")
	want := `BACKENDS          set       http://a:3000
RETRY_ATTEMPTS    set       3
SHUTDOWN_TIMEOUT  platform  4500ms
CLIENT_IP_HEADER  platform  Fly-Client-Ip
PLATFORM          set       fly
LOG_LEVLE: unknown; did you mean LOG_LEVEL?
`
	if diff := cmp.Diff(strings.Replace(want, "Fly-Client-Ip", "Fly-Client-IP", 1), changed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
