package main

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

var update = flag.Bool("update", false, "rewrite the table of variables in README.md, and testdata")

func TestLoadRequiresBackends(t *testing.T) {
	for name, given := range map[string][]string{
		"not set": nil,
		"empty":   {"BACKENDS="},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := config.Load(&Config{}, given)
			if got := lines(err); len(got) != 1 || !strings.HasPrefix(got[0], "BACKENDS: required") {
				t.Errorf("faults are %q, want that BACKENDS is required", got)
			}
		})
	}
}

// Loading variable by variable must not mean anything else than package env's
// own way of reading a struct.
func TestLoadAgreesWithEnv(t *testing.T) {
	given := []string{
		"BACKENDS=http://a:3000;weight=3,echo:b", "RETRY_BACKOFF=0.5s", "PLATFORM=none", "PORT=0", "LOG_LEVEL=WARN",
		"TRUSTED_PROXIES=10.0.0.0/8", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b,c=d", "OTEL_BSP_MAX_QUEUE_SIZE=7",
		"PROBE_MODE=active", "TRACE_TRUST=link", // of which auto is none of their own
	}
	var got, want Config
	if _, _, err := config.Load(&got, given); err != nil {
		t.Fatal(err)
	}
	if err := env.ParseWithOptions(&want, env.Options{Environment: env.ToMap(given)}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("Load gives\n%+v\nenv gives\n%+v", got, want)
	}
}

func TestNeighboursAreNotMisspellings(t *testing.T) {
	for name, given := range map[string][]string{
		"Kubernetes Service": {
			"BACKEND_SERVICE_HOST=10.0.0.1", "BACKEND_SERVICE_PORT=80", "BACKEND_SERVICE_PORT_HTTP=80", "BACKEND_PORT=tcp://10.0.0.1:80",
			"BACKEND_PORT_80_TCP=tcp://10.0.0.1:80", "BACKEND_PORT_80_TCP_PROTO=tcp", "BACKEND_PORT_80_TCP_PORT=80",
			"BACKEND_PORT_80_TCP_ADDR=10.0.0.1", "BACKEND_PORT_53_UDP_ADDR=10.0.0.1", "RETRY_WORKER_SERVICE_HOST=10.0.0.1",
		},
		"what a shell and an image set": {
			"HOME=/root", "PATH=/bin", "HOSTNAME=x", "HOSTTYPE=x86_64", "PORTAGE=1", "PWD=/", "SHLVL=1", "TERM=xterm", "LANG=C",
			"LC_ALL=C", "TZ=UTC", "SSL_CERT_DIR=/etc", "HTTP_PROXY=x", "NO_PROXY=x", "GODEBUG=x", "GOMAXPROCS=2", "_=/bin/env",
		},
		"what platforms set": {
			"K_SERVICE=x", "K_REVISION=x", "FLY_REGION=x", "CONTAINER_APP_NAME=x", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME=x",
			"OTEL_GO_X_OBSERVABILITY=true", "AWS_EXECUTION_ENV=x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := config.Load(&Config{}, append(given, backends))
			if err != nil || warnings != nil {
				t.Errorf("Load gives the faults %q and the warnings %q, want none", lines(err), warnings)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	raw := regexp.MustCompile(`strconv|parse error|time: |slog|netip`)
	seen := map[string]bool{}
	for _, v := range config.Variables(&Config{}) {
		t.Run(v.Name, func(t *testing.T) {
			if seen[v.Name] || !name.MatchString(v.Name) || v.Doc() == "" {
				t.Error("it must have a name of its own, of capitals, and a doc tag")
			}
			seen[v.Name] = true
			values := []string{v.Default, v.Min()}
			for _, p := range config.Platforms {
				values = append(values, p.Defaults[v.Name])
			}
			for _, text := range slices.DeleteFunc(values, func(text string) bool { return text == "" }) {
				_, _, err := config.Load(&Config{}, []string{backends, v.Name + "=" + text})
				for _, fault := range lines(err) {
					if !strings.HasPrefix(fault, v.Name+": is of no use with") {
						t.Errorf("default or min: %s", fault)
					}
				}
			}
			loaded, _, err := config.Load(&Config{}, []string{backends, v.Name + "=\x01"})
			if err != nil && raw.MatchString(err.Error()) {
				t.Errorf("reason %q is not for people", err)
			}
			if !slices.ContainsFunc(loaded, func(l *config.Variable) bool { return l.Name == v.Name && l.Origin == "set" }) {
				t.Error("it cannot be set: its name looks like a neighbour's")
			}
		})
	}
	for _, p := range config.Platforms {
		for name := range p.Defaults {
			if !seen[name] {
				t.Errorf("%s: default of %s, which is no variable", p.Name, name)
			}
		}
	}
}

func TestTableInReadme(t *testing.T) {
	const begin, end = "<!-- variables -->\n", "<!-- /variables -->"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("README.md has no lines %q and %q", begin, end)
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(before+begin+config.Table(&Config{}, config.Groups)+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(config.Table(&Config{}, config.Groups), got); diff != "" {
		t.Errorf("README.md is not up to date, go test -run %s . -update (-want +got):\n%s", t.Name(), diff)
	}
}

func FuzzLoad(f *testing.F) {
	all := config.Variables(&Config{})
	for i, v := range all {
		f.Add(uint(i), v.Default, "RETRY_ATEMPTS")
		f.Add(uint(i), "\x01\n-1://@", "")
	}
	f.Fuzz(func(t *testing.T, i uint, text, stray string) {
		v := all[i%uint(len(all))]
		if strings.HasSuffix(stray, "_FILE") || strings.Contains(stray, ":") {
			t.Skip("reads a file, or its name ends elsewhere in a fault")
		}
		_, warnings, err := config.Load(&Config{}, []string{stray + "=" + text, backends, v.Name + "=" + text})
		for _, line := range append(lines(err), warnings...) {
			name, _, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.Contains(line, "parse error on field") || strings.ContainsAny(line, "\r\n") {
				t.Errorf("fault %q", line)
			}
			if secret := strings.Trim(text, " ,="); v.Secret && len(secret) > 8 && strings.HasPrefix(line, v.Name) && strings.Contains(line, secret) {
				t.Errorf("fault %q shows a secret", line)
			}
		}
	})
}
