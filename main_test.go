package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/caarlos0/env/v11"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"spangate/balancer/dnstest"
	"spangate/handler"
	"spangate/handler/environ"
	"spangate/telemetry/contract"
	"spangate/telemetry/otlptest"
	"spangate/telemetry/setup"
)

var update = flag.Bool("update", false, "rewrite the table of variables in README.md")

// backends makes a configuration complete.
const backends = "BACKENDS=http://a:3000"

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadRequiresBackends(t *testing.T) {
	for name, given := range map[string][]string{
		"not set": nil,
		"empty":   {"BACKENDS="},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := environ.Load(&config{}, given)
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
	var got, want config
	if _, _, err := environ.Load(&got, given); err != nil {
		t.Fatal(err)
	}
	if err := env.ParseWithOptions(&want, env.Options{Environment: env.ToMap(given)}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("Load gives\n%+v\nenv gives\n%+v", got, want)
	}
}

func TestURLCredentialsAreNotShown(t *testing.T) {
	_, _, err := environ.Load(&config{}, []string{"BACKENDS=http://me:s3cret@a:3000", "TRUSTED_PROXIES=http://me:s3cret@b"})
	got := lines(err)
	if len(got) != 2 || !strings.HasPrefix(got[0], `BACKENDS="http://***@a:3000": `) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("faults are %q, want two without the password", got)
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
			_, warnings, err := environ.Load(&config{}, append(given, backends))
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
	for _, v := range environ.Variables(&config{}) {
		t.Run(v.Name, func(t *testing.T) {
			if seen[v.Name] || !name.MatchString(v.Name) || v.Doc == "" {
				t.Error("it must have a name of its own, of capitals, and a doc tag")
			}
			seen[v.Name] = true
			values := []string{v.Default, v.Min}
			for _, p := range environ.Platforms {
				values = append(values, p.Defaults[v.Name])
			}
			for _, text := range slices.DeleteFunc(values, func(text string) bool { return text == "" }) {
				_, _, err := environ.Load(&config{}, []string{backends, v.Name + "=" + text})
				for _, fault := range lines(err) {
					if !strings.HasPrefix(fault, v.Name+": is of no use with") {
						t.Errorf("default or min: %s", fault)
					}
				}
			}
			loaded, _, err := environ.Load(&config{}, []string{backends, v.Name + "=\x01"})
			if err != nil && raw.MatchString(err.Error()) {
				t.Errorf("reason %q is not for people", err)
			}
			if !slices.ContainsFunc(loaded, func(l environ.Variable) bool { return l.Name == v.Name && l.Origin == "set" }) {
				t.Error("it cannot be set: its name looks like a neighbour's")
			}
		})
	}
	for _, p := range environ.Platforms {
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
		if err := os.WriteFile("README.md", []byte(before+begin+environ.Table(&config{}, environ.Groups)+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(environ.Table(&config{}, environ.Groups), got); diff != "" {
		t.Errorf("README.md is not up to date, go test -run %s . -update (-want +got):\n%s", t.Name(), diff)
	}
}

func TestCommand(t *testing.T) {
	for name, test := range map[string]struct {
		args, environ []string
		wantCode      int
		wantOut       []string // each on stdout
		wantErr       string   // begins stderr
		never         string   // on neither
	}{
		"help":              {args: []string{"help"}, wantOut: []string{"    healthcheck ", "    PORT  ", "\nGroups: listen, "}},
		"version":           {args: []string{"version"}, wantOut: []string{"spangate ", " go1."}},
		"unknown argument":  {args: []string{"serve"}, wantCode: 64, wantErr: `unknown argument "serve": there are config, healthcheck, status, version and help`},
		"too many":          {args: []string{"config", "PORT"}, wantCode: 64, wantErr: `unknown argument "config PORT"`},
		"flag":              {args: []string{"--port"}, wantCode: 64, wantErr: `unknown argument "--port"`},
		"config":            {args: []string{"config"}, environ: []string{backends}, wantOut: []string{"BACKENDS  ", "  set       http://a:3000\n", "  default   8080\n"}},
		"config's warnings": {args: []string{"config"}, environ: []string{backends, "LOG_LEVLE=x"}, wantOut: []string{"\nLOG_LEVLE: unknown; did you mean LOG_LEVEL?\n"}},
		"config's secrets": {
			args: []string{"config"}, environ: []string{backends, "OTEL_EXPORTER_OTLP_HEADERS=a=s3cret", "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:s3cret@c", "OTEL_SDK_DISABLED=true"},
			wantOut: []string{"  set       ***\n", "  set       http://***@c\n"}, never: "s3cret",
		},
		"config's faults' secrets": {
			args: []string{"config"}, environ: []string{backends, "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:s3cret@c"}, wantCode: 64,
			wantErr: "OTEL_EXPORTER_OTLP_ENDPOINT: must not hold credentials", never: "s3cret",
		},
		"config's faults": {args: []string{"config"}, environ: []string{backends, "PORT=x"}, wantCode: 64, wantErr: `PORT="x": `},
		"serve, faults":   {environ: []string{backends, "PORT=x", "RETRY_ON_=x"}, wantCode: 64, wantErr: "PORT=\"x\": must be a whole number from 0 to 65535\nRETRY_ON_: unknown"},
		"healthcheck, nobody to ask": {
			args: []string{"healthcheck"}, environ: []string{"PORT=0"}, wantCode: 1,
			wantErr: "spangate: healthcheck: PORT must be that of the running instance\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := report(&stderr, command(t.Context(), test.args, test.environ, &stdout))
			if code != test.wantCode {
				t.Errorf("exit code is %d, want %d", code, test.wantCode)
			}
			for _, want := range test.wantOut {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout lacks %q:\n%s", want, &stdout)
				}
			}
			if !strings.HasPrefix(stderr.String(), test.wantErr) || (test.wantErr == "") != (stderr.Len() == 0) {
				t.Errorf("stderr is %q, want %q", &stderr, test.wantErr)
			}
			if test.never != "" && strings.Contains(stdout.String()+stderr.String(), test.never) {
				t.Errorf("%q is shown:\n%s%s", test.never, &stdout, &stderr)
			}
		})
	}
}

func Example_faults() {
	environ := []string{
		"BACKENDS=http://a:99999,http://b,ftp://c", "BACKEND_CA_FILE=/nowhere.pem", "HOST=300.1.1.1", "PORT=x",
		"RETRY_ATEMPTS=2", "SHUTDOWN_DELAY=20s", "OTEL_TRACES_SAMPLER_ARG=7", "OTEL_EXPORTER_OTLP_ENDPOINT=junk",
	}
	fmt.Println(report(os.Stdout, command(context.Background(), nil, environ, io.Discard)))
	// Output:
	// BACKENDS: backend "http://a:99999": port "99999" must be 1 to 65535
	// BACKENDS: backend "ftp://c": scheme "ftp" must be http, https, h2c, http+unix or echo, or dns+ with http, https, h2c, srv, srv+https or srv+h2c
	// HOST="300.1.1.1": must be an IP address or a host name
	// PORT="x": must be a whole number from 0 to 65535
	// BACKEND_CA_FILE="/nowhere.pem": no such file or directory
	// SHUTDOWN_DELAY="20s": must be less than three quarters of SHUTDOWN_TIMEOUT, which is 10s
	// OTEL_TRACES_SAMPLER_ARG="7": must be a number from 0 to 1
	// OTEL_EXPORTER_OTLP_ENDPOINT="junk": must be a URL such as http://collector:4318 or https://collector:4318
	// RETRY_ATEMPTS: unknown; did you mean RETRY_ATTEMPTS?
	// 64
}

// What a start refuses, config refuses in the same words.
func TestConfigurationsAtFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"right": {environ: []string{backends}},
		"files": {
			environ: []string{backends, "BACKEND_CA_FILE=/no.ca", "BACKEND_CERT_FILE=/no.pem"},
			want:    []string{`BACKEND_CA_FILE="/no.ca": no such file or directory`, "BACKEND_CERT_FILE: needs BACKEND_KEY_FILE"},
		},
		"a delay that leaves no time": {
			environ: []string{backends, "SHUTDOWN_DELAY=3s", "SHUTDOWN_TIMEOUT=4s"},
			want:    []string{`SHUTDOWN_DELAY="3s": must be less than three quarters of SHUTDOWN_TIMEOUT, which is 4s`},
		},
		"a delay that leaves some":   {environ: []string{backends, "SHUTDOWN_DELAY=299ms", "SHUTDOWN_TIMEOUT=400ms"}},
		"a platform's delay":         {environ: []string{backends, "PLATFORM=kubernetes", "SHUTDOWN_TIMEOUT=1s"}},
		"a malformed timeout, alone": {environ: []string{backends, "SHUTDOWN_DELAY=20s", "SHUTDOWN_TIMEOUT=x"}, want: []string{`SHUTDOWN_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`}},
		"a malformed queue, alone": {
			environ: []string{backends, "OTEL_BSP_MAX_QUEUE_SIZE=x", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4096"},
			want:    []string{`OTEL_BSP_MAX_QUEUE_SIZE="x": must be a whole number, such as 128`},
		},
		"telemetry": {
			environ: []string{backends, "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:99999", "OTEL_EXPORTER_OTLP_TIMEOUT=1s"},
			want: []string{
				`OTEL_EXPORTER_OTLP_TIMEOUT="1s": must be a whole number of milliseconds above 0, such as 5000`,
				`OTEL_EXPORTER_OTLP_ENDPOINT="http://c:99999": port "99999" must be 1 to 65535`,
			},
		},
		"texts that telemetry cannot send": {
			environ: []string{backends, "OTEL_SERVICE_NAME=a\xff", "OTEL_RESOURCE_ATTRIBUTES=a=%ff"},
			want:    []string{`OTEL_SERVICE_NAME="a\xff": must be UTF-8`, `OTEL_RESOURCE_ATTRIBUTES="a=%ff": value of a: must be UTF-8`},
		},
		"lists of what is none": {
			environ: []string{backends, "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=GET,a;b", "TRACE_BAGGAGE=a;b"},
			want:    []string{`TRACE_BAGGAGE="a;b": "a;b" is no key of baggage`, `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS="GET,a;b": "a;b" is no method`},
		},
		"telemetry that is off": {environ: []string{backends, "OTEL_EXPORTER_OTLP_ENDPOINT=junk", "OTEL_SDK_DISABLED=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{}, {"config"}} {
				// A start without faults ends at once.
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				var stderr strings.Builder
				environ := append([]string{"PORT=0", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, test.environ...)
				err := command(ctx, args, environ, io.Discard)
				if code := report(&stderr, err); (code == 64) != (test.want != nil) || code == 1 {
					t.Errorf("%q: exit code is %d", args, code)
				}
				if diff := cmp.Diff(test.want, lines(err)); diff != "" {
					t.Errorf("%q: faults (-want +got):\n%s", args, diff)
				}
			}
		})
	}
}

func TestRunReturnsFaults(t *testing.T) {
	err := run(t.Context(), []string{"BACKENDS=nonsense", "PORT=x"}, io.Discard)
	if faults, ok := errors.AsType[faults](err); !ok || len(faults) != 2 {
		t.Errorf("run returns %v, want two faults", err)
	}
}

func TestReport(t *testing.T) {
	for name, test := range map[string]struct {
		err      error
		want     int
		wantLine string
	}{
		"clean end":     {},
		"configuration": {err: faults{"A: b", "C: d"}, want: 64, wantLine: "A: b\nC: d\n"},
		"anything else": {err: errors.New("cannot listen"), want: 1, wantLine: "spangate: cannot listen\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			if got := report(&stderr, test.err); got != test.want || stderr.String() != test.wantLine {
				t.Errorf("exit code %d, stderr %q, want %d, %q", got, stderr.String(), test.want, test.wantLine)
			}
		})
	}
}

func TestInterruptible(t *testing.T) {
	for name, test := range map[string]struct {
		first, second syscall.Signal
		want          int
	}{
		"terminated":  {syscall.SIGTERM, syscall.SIGTERM, 143},
		"interrupted": {syscall.SIGTERM, syscall.SIGINT, 130},
	} {
		t.Run(name, func(t *testing.T) {
			signals, code := make(chan os.Signal), make(chan int)
			ctx := interruptible(t.Context(), signals, func(n int) { code <- n })
			signals <- test.first
			<-ctx.Done()
			if got, want := context.Cause(ctx).Error(), "received signal: "+test.first.String(); got != want {
				t.Errorf("cause is %q, want %q", got, want)
			}
			signals <- test.second
			if got := <-code; got != test.want {
				t.Errorf("exit code is %d, want %d", got, test.want)
			}
		})
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/.spangate/live" {
				t.Errorf("asked %s %s", r.Method, r.URL)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		host   string
		want   string // of the error
	}{
		"live":               {answer: status(200), host: "127.0.0.1"},
		"no host":            {answer: status(200)},
		"all addresses":      {answer: status(200), host: "0.0.0.0"},
		"not live":           {answer: status(503), host: "127.0.0.1", want: "503 Service Unavailable"},
		"somebody else":      {answer: status(302), host: "127.0.0.1", want: "302 Found"},
		"answers nothing":    {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: "EOF"},
		"does not answer":    {answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: "deadline exceeded"},
		"host of no address": {answer: status(200), host: "[", want: "healthcheck: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			port := server.Listener.Addr().(*net.TCPAddr).Port
			err := healthcheck(t.Context(), handler.Config{Host: handler.Host(test.host), Port: uint16(port), AdminPrefix: "/.spangate"})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestHealthcheckOfNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	var stderr strings.Builder
	code := report(&stderr, command(t.Context(), []string{"healthcheck"}, []string{"PORT=" + port}, io.Discard))
	if code != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "connection refused") {
		t.Errorf("exit code is %d, stderr %q, want 1 and why", code, &stderr)
	}
}

func TestVersion(t *testing.T) {
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"nothing known": {debug.BuildInfo{GoVersion: "go1.26.0"}, "spangate (devel) go1.26.0"},
		"of a repository": {
			debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3+dirty"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}},
			"spangate v1.2.3+dirty abc go1.26.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := version(&test.info); got != test.want {
				t.Errorf("version is %q, want %q", got, test.want)
			}
		})
	}
}

// importers lists who may import what; the first path that holds it decides.
// Both stand for what is below them too, but spangate is main alone.
var importers = []struct {
	path string
	by   []string
}{
	{"spangate/policy/size", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/policy/cidr", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/telemetry", []string{"spangate", "spangate/telemetry"}},
	{"spangate/handler/environ", []string{"spangate"}},
	{"spangate/handler/fault", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/handler/field", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/policy"}},
	{"spangate/handler", []string{"spangate", "spangate/telemetry", "spangate/handler"}},
	{"spangate/balancer", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer"}},
	{"spangate/probe", []string{"spangate", "spangate/telemetry", "spangate/probe"}},
	{"spangate/policy", []string{"spangate", "spangate/telemetry", "spangate/policy"}},
	{"go.opentelemetry.io/otel/sdk", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io/otel/exporters", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io", []string{"spangate/telemetry"}},
	{"github.com/caarlos0/env", []string{"spangate", "spangate/handler/environ"}},
	{"net/http/httputil", nil},
}

// standalone packages import none of ours.
var standalone = []string{"spangate/balancer/framing", "spangate/policy/size", "spangate/policy/cidr", "spangate/policy/jwks", "spangate/handler/environ", "spangate/handler/fault", "spangate/handler/field"}

func TestImports(t *testing.T) {
	t.Parallel()
	within := func(path, parent string) bool {
		return path == parent || parent != "spangate" && strings.HasPrefix(path, parent+"/")
	}
	for _, p := range goList(t, "./...") {
		for _, path := range p.Imports {
			if slices.Contains(standalone, p.ImportPath) && strings.HasPrefix(path, "spangate/") {
				t.Errorf("%s imports %s, and must import none of ours", p.ImportPath, path)
			}
			for _, rule := range importers {
				if !within(path, rule.path) {
					continue
				}
				if !slices.ContainsFunc(rule.by, func(by string) bool { return within(p.ImportPath, by) }) {
					t.Errorf("%s imports %s, which is for %q", p.ImportPath, path, rule.by)
				}
				break
			}
		}
	}
	for _, p := range goList(t, "-deps", ".") {
		if p.ImportPath == "spangate/telemetry/otlptest" || p.ImportPath == "testing" {
			t.Errorf("the binary holds %s", p.ImportPath)
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func goList(t *testing.T, args ...string) (all []goPackage) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Imports"}, args...)...)
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("go list %q lists nothing\n%s", args, &stderr)
	}
	return all
}

func FuzzLoad(f *testing.F) {
	all := environ.Variables(&config{})
	for i, v := range all {
		f.Add(uint(i), v.Default, "RETRY_ATEMPTS")
		f.Add(uint(i), "\x01\n-1://@", "")
	}
	f.Fuzz(func(t *testing.T, i uint, text, stray string) {
		v := all[i%uint(len(all))]
		if strings.HasSuffix(stray, "_FILE") || strings.Contains(stray, ":") {
			t.Skip("reads a file, or its name ends elsewhere in a fault")
		}
		_, warnings, err := environ.Load(&config{}, []string{stray + "=" + text, backends, v.Name + "=" + text})
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

// program is the whole of Spangate, running in this process, and the collector
// that it reports to.
type program struct {
	addr      string
	collector *otlptest.Server
	log       *logLines
	stop      func() // returns when all telemetry is delivered
}

// logLines keeps what is written to it, and announces the address that the
// program listens on.
type logLines struct {
	mu      sync.Mutex
	written sync.Cond // on mu
	text    bytes.Buffer
	address chan string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range bytes.Lines(p) {
		var line struct{ Msg, Message, Address string }
		if json.Unmarshal(text, &line) == nil && (line.Msg == "listening" || line.Message == "listening") {
			l.address <- line.Address
		}
	}
	defer l.written.Broadcast()
	return l.text.Write(p)
}

// requests returns the lines of the access log.
func (l *logLines) requests(t *testing.T) (lines []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range strings.Lines(l.text.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("log line %q: %v", text, err)
		}
		if line["msg"] == "request" {
			lines = append(lines, line)
		}
	}
	return lines
}

func start(t *testing.T, environ ...string) *program {
	t.Helper()
	p := newProgram(t)
	environ = append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_EXPORTER_OTLP_ENDPOINT=" + p.collector.URL()}, environ...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx, environ, p.log); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	p.started(t, cancel, ended)
	return p
}

// emitted are the names in the tables of package contract that some program
// sent something of.
var emitted sync.Map

// keepsTheContract fails the test when what was sent is not in the tables of
// package contract.
func keepsTheContract(t *testing.T, collector *otlptest.Server) {
	t.Helper()
	for _, unknown := range collector.Unknown() {
		t.Errorf("not in the contract: %s", unknown)
	}
	for _, name := range collector.Known() {
		emitted.Store(name, true)
	}
}

// notEmitted are names in the tables that no test here makes the program send,
// and why.
var notEmitted = map[string]string{
	"metric go.memory.limit": "only of a process of its own",
}

// TestMain asserts, when all tests have run, that nothing is in the tables of
// package contract which the program never sends.
func TestMain(m *testing.M) {
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel { // programs that start, drain and stop wait more than they work
		flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	}
	code := m.Run()
	filtered := false
	flag.Visit(func(f *flag.Flag) {
		filtered = filtered || slices.Contains([]string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"}, f.Name)
	})
	if code == 0 && !filtered {
		for _, name := range contract.Names() {
			_, sent := emitted.Load(name)
			if why := notEmitted[name]; sent == (why != "") {
				fmt.Printf("%s: sent is %v, though in notEmitted is %q\n", name, sent, why)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// await returns when a line with text in it has been written.
func (p *program) await(text string) {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	for !strings.Contains(p.log.text.String(), text) {
		p.log.written.Wait()
	}
}

// send makes a request on a connection of its own.
func (p *program) send(ctx context.Context, method, target string, body io.Reader, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+target, body)
	if err != nil {
		panic(err)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return transport.RoundTrip(r)
}

// once makes a request and reads all of the response, as far as there is one.
func (p *program) once(ctx context.Context, method, target string, body io.Reader, header ...string) {
	resp, err := p.send(ctx, method, target, body, header...)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// ask makes a request and returns the response, which there must be, and all of
// its body.
func (p *program) ask(t *testing.T, method, target string, body io.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := p.send(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// refusing returns an address where nothing listens, nor will until the test
// ends: its port is taken.
func refusing(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

// saying returns the address of a server that answers each connection's first
// request with text and closes it; with nothing and not at all if text is "".
func saying(t *testing.T, text string) string {
	t.Helper()
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	return listening(t, func(conn net.Conn, _ int) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		if text == "" {
			<-ended
		}
		io.WriteString(conn, text)
	})
}

// TestOutcomes holds the table of telemetry's contract: what happened, and what
// spans, metrics and log say of it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	status := func(code int) string {
		return saying(t, fmt.Sprintf("HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", code))
	}
	tests := map[string]struct {
		backends  string
		retries   string // 0 unless given
		environ   string
		request   func(*program)
		wantTree  string
		wantLog   string // status and error_type
		wantError string // error.type of http.server.request.duration
	}{
		"1xx to 3xx, complete": {
			backends: "http://" + saying(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n"),
			wantTree: "GET SERVER Unset http.response.status_code=304 spangate.attempt.count=1\n" +
				"  GET CLIENT Unset http.response.status_code=304\n",
			wantLog: "304 <nil>",
		},
		"4xx": {
			backends: "http://" + status(404),
			wantTree: "GET SERVER Unset http.response.status_code=404 spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=404 error.type=404\n",
			wantLog: "404 <nil>",
		},
		"4xx of our own": {
			backends: "http://" + status(200),
			environ:  "MAX_REQUEST_BODY=3",
			request:  func(p *program) { p.once(t.Context(), "POST", "/", strings.NewReader("four")) },
			wantTree: "POST SERVER Unset http.response.status_code=413 spangate.attempt.count=0\n",
			wantLog:  "413 body_too_large",
		},
		"4xx of our own, known after the attempt began": {
			backends: "http://" + saying(t, ""),
			environ:  "MAX_REQUEST_BODY=3",
			request: func(p *program) {
				p.once(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("four")))
			},
			wantTree: "POST SERVER Unset http.response.status_code=413 spangate.attempt.count=1\n" +
				"  POST CLIENT Unset\n",
			wantLog: "413 body_too_large",
		},
		"5xx": {
			backends: "http://" + status(503),
			wantTree: "GET SERVER Error http.response.status_code=503 error.type=503 spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=503 error.type=503\n",
			wantLog: "503 <nil>", wantError: "503",
		},
		"dial": {
			backends: "http://" + refusing(t),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=connection_refused spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=connection_refused\n",
			wantLog: "502 connection_refused", wantError: "connection_refused",
		},
		"a name that does not resolve": {
			backends: "http://no-such-name.invalid",
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=dns_error spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=dns_error\n",
			wantLog: "502 dns_error", wantError: "dns_error",
		},
		"TLS": {
			backends: "https://" + status(200),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=tls_handshake_error spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=tls_handshake_error\n",
			wantLog: "502 tls_handshake_error", wantError: "tls_handshake_error",
		},
		"timeout": {
			backends: "http://" + saying(t, ""),
			environ:  "BACKEND_RESPONSE_TIMEOUT=50ms",
			wantTree: "GET SERVER Error http.response.status_code=504 error.type=response_timeout spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=response_timeout\n",
			wantLog: "504 response_timeout", wantError: "response_timeout",
		},
		"the request's own deadline": {
			backends: "http://" + saying(t, ""),
			environ:  "REQUEST_TIMEOUT=50ms",
			wantTree: "GET SERVER Error http.response.status_code=504 error.type=timeout spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=timeout\n",
			wantLog: "504 timeout", wantError: "timeout",
		},
		"no valid response": {
			backends: "http://" + saying(t, "SSH-2.0-OpenSSH\r\n"),
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=malformed_response spangate.attempt.count=1\n" +
				"  GET CLIENT Error error.type=malformed_response\n",
			wantLog: "502 malformed_response", wantError: "malformed_response",
		},
		"an attempt failed, a later one answered": {
			retries:  "2",
			backends: "http://" + refusing(t) + ",http://" + status(200),
			wantTree: "GET SERVER Unset http.response.status_code=200 spangate.attempt.count=2\n" +
				"  GET CLIENT Error error.type=connection_refused\n" +
				"  retry INTERNAL Unset\n" +
				"  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 link=2\n",
			wantLog: "200 <nil>",
		},
		"all attempts failed": {
			backends: "http://" + refusing(t) + ",http://" + refusing(t),
			retries:  "1",
			wantTree: "GET SERVER Error http.response.status_code=502 error.type=connection_refused spangate.attempt.count=2\n" +
				"  GET CLIENT Error error.type=connection_refused\n" +
				"  retry INTERNAL Unset\n" +
				"  GET CLIENT Error error.type=connection_refused http.request.resend_count=1 link=2\n",
			wantLog: "502 connection_refused", wantError: "connection_refused",
		},
		"the backend died mid-body": {
			backends: "http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"),
			wantTree: "GET SERVER Error http.response.status_code=200 error.type=backend_reset spangate.attempt.count=1\n" +
				"  GET CLIENT Error http.response.status_code=200 error.type=backend_reset\n",
			wantLog: "200 backend_reset", wantError: "backend_reset",
		},
		"an unknown method": {
			backends: "http://" + status(200),
			request:  func(p *program) { p.once(t.Context(), "FROBNICATE", "/", nil) },
			wantTree: "HTTP SERVER Unset http.response.status_code=200 spangate.attempt.count=1\n" +
				"  HTTP CLIENT Unset http.response.status_code=200\n",
			wantLog: "200 <nil>",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.retries == "" {
				test.retries = "0"
			}
			p := start(t, "PROBE_MODE=off", "BACKENDS="+test.backends, "RETRY_ATTEMPTS="+test.retries, test.environ)
			if test.request == nil {
				test.request = func(p *program) { p.once(t.Context(), "GET", "/", nil) }
			}
			test.request(p)
			p.check(t, test.wantTree, test.wantLog, test.wantError)
		})
	}
}

// check stops the program and compares what it reported of one request.
func (p *program) check(t *testing.T, wantTree, wantLog, wantError string) {
	t.Helper()
	p.stop()
	tree := otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type", "http.request.resend_count", "spangate.attempt.count")
	if diff := cmp.Diff(wantTree, tree); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	lines := p.log.requests(t)
	if len(lines) != 1 {
		t.Fatalf("access log has %d lines, want 1", len(lines))
	}
	if got := fmt.Sprintf("%v %v", lines[0]["status"], lines[0]["error_type"]); got != wantLog {
		t.Errorf("access log says %s, want %s", got, wantLog)
	}
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" && (lines[0]["trace_id"] != span.TraceID || lines[0]["span_id"] != span.SpanID) {
			t.Errorf("access log names trace %v and span %v, want %s and %s", lines[0]["trace_id"], lines[0]["span_id"], span.TraceID, span.SpanID)
		}
		if len(span.Events) > 0 {
			t.Errorf("span %s has events %v: an abort is no exception", span.Name, span.Events)
		}
	}
	var got []any
	for _, m := range p.collector.Metrics() {
		if m.Name == "http.server.request.duration" {
			for _, point := range m.Points {
				got = append(got, point.Attributes["error.type"])
			}
		}
	}
	want := []any{any(nil)}
	if wantError != "" {
		want[0] = wantError
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error.type of http.server.request.duration (-want +got):\n%s", diff)
	}
}

// What SHUTDOWN_TIMEOUT cuts off is nobody's fault but the proxy's.
func TestOutcomeOfAStreamThatIsCutOff(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			io.Copy(io.Discard, conn)
			return
		}
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(backend.Close)
	for name, test := range map[string]struct {
		header []string
		status int
	}{
		"a stream":               {nil, http.StatusOK},
		"an upgraded connection": {[]string{"Connection: Upgrade", "Upgrade: x"}, http.StatusSwitchingProtocols},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s")
			resp, err := p.send(t.Context(), "GET", "/", nil, test.header...)
			if err != nil {
				t.Fatal(err)
			}
			p.stop()
			resp.Body.Close()
			want := fmt.Sprintf("GET SERVER Error http.response.status_code=%[1]d error.type=shutdown\n  GET CLIENT Unset http.response.status_code=%[1]d\n", test.status)
			if diff := cmp.Diff(want, otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type")); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if line := p.log.requests(t)[0]; line["error_type"] != "shutdown" {
				t.Errorf("the log says %v", line["error_type"])
			}
		})
	}
}

// A client that still sends its body is answered too.
func TestOutcomeOfAnUploadThatIsCutOff(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer backend.Close()
	p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s", "TRUSTED_PROXIES=127.0.0.0/8", "MAX_CONCURRENT_REQUESTS=10")
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	for p.status(t).Concurrency.Active == 0 {
	}
	p.stop()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", resp.StatusCode)
	}
	want := "POST SERVER Error http.response.status_code=503 error.type=shutdown\n  POST CLIENT Unset\n"
	if diff := cmp.Diff(want, otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type")); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// Who waits for an answer, or for a turn, is told so.
func TestOutcomeOfWhatIsCutOffBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer backend.Close()
	p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=4s", "TRUSTED_PROXIES=127.0.0.0/8",
		"MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h")
	var clients sync.WaitGroup
	for _, here := range []func(*concurrencyStatus) int64{
		func(s *concurrencyStatus) int64 { return s.Active }, func(s *concurrencyStatus) int64 { return s.Queued },
	} {
		clients.Go(func() {
			resp, err := p.send(t.Context(), "GET", "/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", resp.StatusCode)
			}
		})
		for here(p.status(t).Concurrency) == 0 {
		}
	}
	p.stop()
	clients.Wait()
	// The turn of the second may still come, as the first leaves.
	const first = "GET SERVER Error http.response.status_code=503 error.type=shutdown spangate.retry.stop_reason=shutdown\n  GET CLIENT Unset\n"
	const second = "GET SERVER Error http.response.status_code=503 error.type=shutdown\n"
	if got := otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type", "spangate.retry.stop_reason"); got != first+second && got != first+first {
		t.Errorf("spans are\n%s", got)
	}
}

func TestOutcomeOfAClientThatWentAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		close(gone)
	}))
	defer backend.Close()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+backend.URL)
	p.once(ctx, "GET", "/", nil)
	<-gone
	p.check(t, "GET SERVER Error http.response.status_code=499 error.type=client_disconnected spangate.attempt.count=1\n"+
		"  GET CLIENT Unset\n", "499 client_disconnected", "client_disconnected")
}

// TestTrees holds what a trace shows of retries, probes and states.
func TestTrees(t *testing.T) {
	t.Parallel()
	answers := func(text string) string { return "http://" + saying(t, text) }
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	const unavailable = "HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	get := func(p *program) { p.once(t.Context(), "GET", "/", nil) }
	tests := map[string]struct {
		environ []string
		request func(*program)
		want    string
	}{
		"success": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=" + answers(ok)},
			want: "GET SERVER Unset spangate.retry.stop_reason=success\n" +
				"  GET CLIENT Unset\n",
		},
		"retry, then success": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=" + answers(unavailable) + "," + answers(ok)},
			want: "GET SERVER Unset spangate.retry.stop_reason=success\n" +
				"  GET CLIENT Error error.type=503\n" +
				"  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1\n" +
				"  GET CLIENT Unset link=2\n",
		},
		"all attempts fail": {
			environ: []string{"PROBE_MODE=off", "RETRY_BACKOFF=0", "BACKENDS=" + answers(unavailable) + "," + "http://" + refusing(t)},
			want: "GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n" +
				"  GET CLIENT Error error.type=503\n" +
				"  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1\n" +
				"  GET CLIENT Error error.type=connection_refused link=2\n" +
				"  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=2\n" +
				"  GET CLIENT Error error.type=503 link=4\n",
		},
		"not idempotent": {
			environ: []string{"PROBE_MODE=off", "BACKENDS=" + answers("HTTP/1.1 200 OK\r\nX: ")},
			request: func(p *program) { p.once(t.Context(), "POST", "/", strings.NewReader("sum")) },
			want: "POST SERVER Error error.type=connection_reset spangate.retry.stop_reason=not_idempotent\n" +
				"  POST CLIENT Error error.type=connection_reset\n",
		},
		"budget spent": {
			environ: []string{"PROBE_MODE=off", "RETRY_BUDGET=0%", "BACKENDS=" + answers(unavailable) + "," + answers(ok)},
			want: "GET SERVER Error error.type=503 spangate.retry.stop_reason=budget_exhausted\n" +
				"  GET CLIENT Error error.type=503\n",
		},
		"budget spent, nothing to pass on": {
			environ: []string{"PROBE_MODE=off", "RETRY_BUDGET=0%", "BACKENDS=http://" + refusing(t) + "," + answers(ok)},
			want: "GET SERVER Error error.type=connection_refused spangate.retry.stop_reason=budget_exhausted\n" +
				"  GET CLIENT Error error.type=connection_refused\n",
		},
		"a probe that fails": {
			environ: []string{"PROBE_PATH=/healthz", "PROBE_FALL=1", "RETRY_ATTEMPTS=0", "BACKENDS=" + answers(unavailable)},
			request: func(p *program) { p.await("backend state changed") },
			want: "probe INTERNAL Error error.type=503 spangate.probe.type=http spangate.probe.trigger=timer\n" +
				"  GET CLIENT Error user_agent.synthetic.type=test\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=down link=1\n",
		},
		"a probe on demand": {
			environ: []string{"PROBE_MODE=on-demand", "PROBE_INTERVAL=1h", "BACKENDS=" + answers(ok)},
			request: func(p *program) { p.await("backend state changed") },
			want: "probe INTERNAL Unset spangate.probe.type=tcp spangate.probe.trigger=request\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ready link=1\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.environ...)
			if test.request == nil {
				test.request = get
			}
			test.request(p)
			p.stop()
			tree := otlptest.Tree(p.collector.Spans(), "error.type", "spangate.retry.stop_reason", "spangate.retry.reason", "spangate.retry.attempt",
				"spangate.probe.type", "spangate.probe.trigger", "user_agent.synthetic.type", "spangate.backend.state")
			if diff := cmp.Diff(test.want, tree); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEjectionAndReturn follows a backend that fails requests in a row, is left
// out, and comes back when its time is over.
func TestEjectionAndReturn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(failing.Close)
	p := start(t, "PROBE_MODE=off", "OUTLIER_FAILURES=2", "OUTLIER_EJECTION=50ms", "TRACE_TRUST=trust", "BACKENDS="+failing.URL+",echo:b")
	for range 3 { // of which the second has the other backend's turn
		p.once(t.Context(), "GET", "/", nil)
	}
	// How many requests pass until then is no matter, and these leave no trace.
	for asked.Load() == 2 {
		p.once(t.Context(), "GET", "/", nil, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	}
	p.stop()
	p.checkStates(t, "GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=503\n"+
		"  retry INTERNAL Unset\n"+
		"  GET CLIENT Unset link=2\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=503\n"+
		"  retry INTERNAL Unset\n"+
		"  GET CLIENT Unset link=8\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=8\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ejected spangate.backend.state=unknown spangate.backend.reason=ejection_ended\n")
}

// checkStates compares the spans of a program that has stopped, changes of
// state and what led to them above all.
func (p *program) checkStates(t *testing.T, want string) {
	t.Helper()
	tree := otlptest.Tree(p.collector.Spans(), "error.type", "spangate.retry.stop_reason", "spangate.probe.type",
		"spangate.backend.previous_state", "spangate.backend.state", "spangate.backend.reason")
	if diff := cmp.Diff(want, tree); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// prompted is a backend that answers when, and with the status that, the test
// says.
type prompted struct { // what asks for /hang is never answered
	*httptest.Server
	probes   chan chan<- int // each that has arrived, until it is taken
	statuses chan int        // of requests
}

func newPrompted(t *testing.T) *prompted {
	b := &prompted{probes: make(chan chan<- int), statuses: make(chan int, 8)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := b.statuses
		switch r.URL.Path {
		case "/hang":
			status = nil
		case "/healthz":
			status = make(chan int)
			select {
			case b.probes <- status:
			case <-r.Context().Done():
			}
		}
		select {
		case code := <-status:
			w.WriteHeader(code)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// probed lets the next probe be answered.
func (b *prompted) probed(status int) { (<-b.probes) <- status }

// TestEjectionEndedByAProbe follows a backend that fails requests and then a
// probe, as one does that is restarted: the first probe that succeeds again
// brings it back. Only the failures in a row have led to its ejection.
func TestEjectionEndedByAProbe(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "RETRY_ATTEMPTS=0",
		"OUTLIER_FAILURES=2", "OUTLIER_EJECTION=1h", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	probe := <-backend.probes
	for _, status := range []int{503, 200, 503, 503} {
		backend.statuses <- status
		p.once(t.Context(), "GET", "/", nil)
	}
	probe <- 503
	backend.probed(200)
	p.await(`"spangate.backend.previous_state":"ejected"`)
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http\n"+
		"  GET CLIENT Error\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=ejected spangate.backend.reason=outlier link=11 link=13\n"+
		"probe INTERNAL Unset spangate.probe.type=http link=13\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ejected spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=15\n")
}

// TestDownAndReturn follows a backend that fails probes, and a request beside the
// first, which asks for the second.
func TestDownAndReturn(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "PROBE_FALL=2", "RETRY_ATTEMPTS=0", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	probe := <-backend.probes
	backend.statuses <- 503
	p.once(t.Context(), "GET", "/", nil)
	probe <- 503
	backend.probed(503)
	p.await(`"spangate.backend.state":"down"`)
	backend.probed(200)
	p.await(`"spangate.backend.previous_state":"down"`)
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http\n"+
		"  GET CLIENT Error\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http link=7\n"+
		"  GET CLIENT Error\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=down spangate.backend.reason=probe_failed link=4 link=7 link=8\n"+
		"probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=down spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=11\n")
}

// TestBackendThatBreaksOffAfterItsHeader checks that a response of which a
// client could use nothing is none.
func TestBackendThatBreaksOffAfterItsHeader(t *testing.T) {
	t.Parallel()
	for name, linger := range map[string]int{"closed": -1, "reset": 0} {
		t.Run(name, func(t *testing.T) {
			var received atomic.Int64
			breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				received.Add(1)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
				conn.(*net.TCPConn).SetLinger(linger)
				conn.Close()
			}))
			t.Cleanup(breaking.Close)
			backends := "BACKENDS=" + breaking.URL + ",http://" + saying(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhole")
			check := func(p *program, want string) {
				t.Helper()
				p.stop()
				tree := otlptest.Tree(p.collector.Spans(), "error.type", "spangate.retry.stop_reason", "spangate.retry.reason")
				if diff := cmp.Diff(want, tree); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
			}

			p := start(t, "PROBE_MODE=off", backends)
			if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK || body != "whole" {
				t.Errorf("GET: status %d, body %q, want those of the other backend", resp.StatusCode, body)
			}
			check(p, "GET SERVER Unset spangate.retry.stop_reason=success\n"+
				"  GET CLIENT Error error.type=backend_reset\n"+
				"  retry INTERNAL Unset spangate.retry.reason=backend_reset\n"+
				"  GET CLIENT Unset link=2\n")

			received.Store(0)
			p = start(t, "PROBE_MODE=off", backends)
			resp, body := p.ask(t, "POST", "/", strings.NewReader("sum"))
			var problem struct{ Status int }
			if err := json.Unmarshal([]byte(body), &problem); err != nil || resp.StatusCode != http.StatusBadGateway || problem.Status != http.StatusBadGateway {
				t.Errorf("POST: status %d, body %q, want 502 and a problem that says so", resp.StatusCode, body)
			}
			if kind := resp.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("POST: Content-Type %q", kind)
			}
			if n := received.Load(); n != 1 {
				t.Errorf("POST was sent %d times", n)
			}
			check(p, "POST SERVER Error error.type=backend_reset spangate.retry.stop_reason=not_idempotent\n"+
				"  POST CLIENT Error error.type=backend_reset\n")
		})
	}
}

// TestEjectionOfABackendThatBreaksOff follows a backend whose responses break
// off amid their bodies. One that its client does not want to the end says
// nothing for it.
func TestEjectionOfABackendThatBreaksOff(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "20")
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		if r.URL.Path == "/long" {
			<-r.Context().Done()
			close(gone)
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(breaking.Close)
	p := start(t, "PROBE_MODE=off", "OUTLIER_FAILURES=2", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+breaking.URL)
	p.once(t.Context(), "GET", "/", nil)
	resp, err := p.send(t.Context(), "GET", "/long", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-gone
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	p.checkStates(t, "GET SERVER Error error.type=backend_reset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=backend_reset\n"+
		"GET SERVER Error error.type=client_disconnected spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Error error.type=backend_reset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=backend_reset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=6\n")
}

// TestRequestTimeoutIsNoSuccess checks that a request that ran out of time says
// nothing about its backend, but asks a probe to.
func TestRequestTimeoutIsNoSuccess(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=1h", "PROBE_TIMEOUT=1m", "RETRY_ATTEMPTS=0", "REQUEST_TIMEOUT=1s",
		"OUTLIER_FAILURES=2", "OUTLIER_MAX_PERCENT=100", "TRACE_PROBES=failed", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	p.once(t.Context(), "GET", "/hang", nil)
	backend.probed(200)
	for _, path := range []string{"/", "/hang", "/"} {
		if path == "/" {
			backend.statuses <- 503
		}
		p.once(t.Context(), "GET", path, nil)
	}
	backend.probed(200) // so that none is under way at the end
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"GET SERVER Error error.type=timeout spangate.retry.stop_reason=deadline\n"+
		"  GET CLIENT Error error.type=timeout\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Error error.type=timeout spangate.retry.stop_reason=deadline\n"+
		"  GET CLIENT Error error.type=timeout\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=ejected spangate.backend.reason=outlier link=7 link=11\n")
}

// TestTryTimeout checks that RETRY_TRY_TIMEOUT is the backend's time, not the
// client's.
func TestTryTimeout(t *testing.T) {
	t.Parallel()
	const limit, longer = 300 * time.Millisecond, 500 * time.Millisecond
	atOnce := func() io.Reader { return strings.NewReader("first, last") }
	slowly := func() io.Reader {
		body, client := io.Pipe()
		go func() {
			io.WriteString(client, "first, ")
			time.Sleep(longer) // what such a client does
			io.WriteString(client, "last")
			client.Close()
		}()
		return body
	}
	tests := map[string]struct {
		method     string
		body       func() io.Reader
		hangs      bool // the first of two backends, else there is one that answers
		wantStatus int
		want       string
	}{
		"a slow client": {
			method: "POST", body: slowly, wantStatus: 200,
			want: "POST SERVER Unset spangate.retry.stop_reason=success\n" +
				"  POST CLIENT Unset\n",
		},
		"a backend that hangs": {
			method: "PUT", body: atOnce, hangs: true, wantStatus: 200,
			want: "PUT SERVER Unset spangate.retry.stop_reason=success\n" +
				"  PUT CLIENT Error error.type=response_timeout\n" +
				"  retry INTERNAL Unset spangate.retry.reason=response_timeout\n" +
				"  PUT CLIENT Unset link=2\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
		"a slow client and a backend that hangs": {
			method: "PUT", body: slowly, hangs: true, wantStatus: 200,
			want: "PUT SERVER Unset spangate.retry.stop_reason=success\n" +
				"  PUT CLIENT Error error.type=response_timeout\n" +
				"  retry INTERNAL Unset spangate.retry.reason=response_timeout\n" +
				"  PUT CLIENT Unset link=2\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
		"not idempotent": {
			method: "POST", body: atOnce, hangs: true, wantStatus: 504,
			want: "POST SERVER Error error.type=response_timeout spangate.retry.stop_reason=not_idempotent\n" +
				"  POST CLIENT Error error.type=response_timeout\n" +
				"backend_state_change INTERNAL Unset spangate.backend.state=ejected link=2\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fit := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Write(body)
			}))
			t.Cleanup(fit.Close)
			backends := fit.URL
			if test.hangs {
				backends = "http://" + saying(t, "") + "," + backends
			}
			// BACKEND_RESPONSE_TIMEOUT=0: nothing but the limit ends the wait for a backend.
			p := start(t, "PROBE_MODE=off", "BACKEND_RESPONSE_TIMEOUT=0", "RETRY_TRY_TIMEOUT="+limit.String(),
				"OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+backends)
			resp, body := p.ask(t, test.method, "/", test.body())
			if resp.StatusCode != test.wantStatus || resp.StatusCode == 200 && body != "first, last" {
				t.Errorf("status %d, body %q, want %d", resp.StatusCode, body, test.wantStatus)
			}
			p.stop()
			tree := otlptest.Tree(p.collector.Spans(), "error.type", "spangate.retry.stop_reason", "spangate.retry.reason", "spangate.backend.state")
			if diff := cmp.Diff(test.want, tree); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHealthOfGRPCServers follows two servers of gRPC that say themselves
// whether they serve, and calls through the program to them.
func TestHealthOfGRPCServers(t *testing.T) {
	t.Parallel()
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	backends, services := map[string]string{}, map[string]*health.Server{}
	for _, name := range []string{"a", "b"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, call any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			grpc.SetHeader(ctx, metadata.Pairs("name", name))
			return next(ctx, call)
		}))
		services[name] = health.NewServer()
		services[name].SetServingStatus("called", serving)
		grpc_health_v1.RegisterHealthServer(server, services[name])
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server.Serve(ln)
		}()
		t.Cleanup(func() { server.Stop(); <-ended })
		backends[name] = "h2c://" + ln.Addr().String()
	}
	p := start(t, "PROBE_TYPE=grpc", "PROBE_INTERVAL=10ms", "BACKENDS="+backends["a"]+","+backends["b"])
	changes := func(name, from, to string) {
		p.await(fmt.Sprintf(`"spangate.backend":%q,"spangate.backend.state":%q,"spangate.backend.previous_state":%q`, backends[name], to, from))
	}
	conn, err := grpc.NewClient("passthrough:///"+p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// answered checks who answers several calls, or with what code they fail.
	answered := func(want ...string) {
		t.Helper()
		var got []string
		for range 4 {
			var header metadata.MD
			answer, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "called"}, grpc.Header(&header))
			switch {
			case err != nil:
				got = append(got, status.Code(err).String())
			case answer.GetStatus() != serving:
				t.Errorf("answer %v", answer)
			default:
				got = append(got, header.Get("name")...)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("answered by (-want +got):\n%s", diff)
		}
	}

	changes("a", "unknown", "ready")
	changes("b", "unknown", "ready")
	answered("a", "b")
	services["a"].SetServingStatus("", not)
	changes("a", "ready", "down")
	answered("b")
	services["b"].SetServingStatus("", not)
	changes("b", "ready", "down")
	answered(codes.Unavailable.String())
	services["a"].SetServingStatus("", serving)
	changes("a", "down", "ready")
	answered("a")
	conn.Close()
	p.stop()

	said := map[string]any{} // by span
	for _, span := range p.collector.Spans() {
		if span.Name == "probe" {
			said[span.SpanID] = fmt.Sprint(span.Attributes["spangate.probe.type"], " ", span.Attributes["error.type"])
		}
	}
	var causes []any
	for _, span := range p.collector.Spans() {
		if span.Name == "backend_state_change" && span.Attributes["spangate.backend.state"] == "down" {
			for _, link := range span.Links {
				causes = append(causes, said[link.SpanID])
			}
		}
	}
	if diff := cmp.Diff([]any{"grpc not_serving"}, slices.Compact(causes)); diff != "" {
		t.Errorf("probes that led to down (-want +got):\n%s", diff)
	}
}

// TestBackendsThatDNSNames checks what the program makes of a name whose
// addresses change while it runs. It replaces the resolver of the whole
// process, for which no other test may run beside it.
func TestBackendsThatDNSNames(t *testing.T) {
	dns, usual := dnstest.NewServer(t), net.DefaultResolver
	net.DefaultResolver = dns.Resolver()
	t.Cleanup(func() { net.DefaultResolver = usual })
	begin := func(t *testing.T, name string, port int, environ ...string) *program {
		return start(t, append(environ, fmt.Sprintf("BACKENDS=dns+http://%s:%d", name, port),
			"BALANCER_DNS_REFRESH=1s", "ACCESS_LOG=off")...)
	}
	servfail := dnstest.Reply{Code: dnsmessage.RCodeServerFailure}

	t.Run("members come and go", func(t *testing.T) {
		t.Parallel()
		hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
		var asked [3]atomic.Int64
		var probed [3]chan struct{}
		release := make(chan struct{})
		listeners := alike(t, hosts...)
		for i, ln := range listeners {
			probed[i] = make(chan struct{})
			once := sync.OnceFunc(func() { close(probed[i]) })
			answering(t, ln, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("From", hosts[i])
				switch r.URL.Path {
				case "/healthz":
					once()
				case "/long":
					io.WriteString(w, "first, ")
					w.(http.Flusher).Flush()
					if i == 0 {
						select {
						case <-release:
						case <-r.Context().Done():
						}
					}
					io.WriteString(w, "last")
				default:
					asked[i].Add(1)
				}
			})
		}
		dns.Update(dnstest.Zone{"go.test. A": dnstest.Addresses(hosts[0], hosts[1])})
		p := begin(t, "go.test.", listeners[0].Addr().(*net.TCPAddr).Port, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms")
		p.await(`"joined":2`)
		<-probed[0]
		<-probed[1]

		var long *http.Response // from the one that is about to leave
		for long == nil || long.Header.Get("From") != hosts[0] {
			if long != nil {
				long.Body.Close()
			}
			var err error
			if long, err = p.send(t.Context(), "GET", "/long", nil); err != nil {
				t.Fatal(err)
			}
		}
		defer long.Body.Close()
		var traffic sync.WaitGroup
		var enough atomic.Bool
		for range 2 {
			traffic.Go(func() {
				transport := &http.Transport{}
				defer transport.CloseIdleConnections()
				for !enough.Load() {
					r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+p.addr, nil)
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := transport.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						t.Errorf("status %d amid the change", resp.StatusCode)
					}
				}
			})
		}
		dns.Update(dnstest.Zone{"go.test. A": dnstest.Addresses(hosts[1], hosts[2])})
		p.await(`"joined":1,"left":1`)
		enough.Store(true)
		traffic.Wait()

		before := asked[0].Load()
		var from []string
		for range 6 {
			resp, _ := p.ask(t, "GET", "/", nil)
			from = append(from, resp.Header.Get("From"))
		}
		slices.Sort(from)
		if diff := cmp.Diff(hosts[1:], slices.Compact(from)); diff != "" {
			t.Errorf("answered by (-want +got):\n%s", diff)
		}
		if before == 0 || asked[0].Load() != before {
			t.Errorf("the member that left got %d requests before, %d since", before, asked[0].Load()-before)
		}
		<-probed[2]
		close(release)
		if body, err := io.ReadAll(long.Body); err != nil || string(body) != "first, last" {
			t.Errorf("the response of the member that left is %q, %v", body, err)
		}
	})

	t.Run("a lookup that fails", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "127.0.0.1")[0]
		answering(t, ln, func(http.ResponseWriter, *http.Request) {})
		dns.Update(dnstest.Zone{"fail.test. A": dnstest.Addresses("127.0.0.1")})
		p := begin(t, "fail.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await(`"joined":1`)
		dns.Update(dnstest.Zone{"fail.test. A": servfail, "fail.test. AAAA": servfail})
		p.await("could not be looked up")
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d of a name that was known before", resp.StatusCode)
		}
	})

	t.Run("a name that is there late", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "127.0.0.1")[0]
		answering(t, ln, func(http.ResponseWriter, *http.Request) {})
		p := begin(t, "late.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await("could not be looked up")
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q of a name that nobody knows", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		dns.Update(dnstest.Zone{"late.test. A": dnstest.Addresses("127.0.0.1")})
		p.await(`"joined":1`)
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d of a name that is known by now", resp.StatusCode)
		}
	})

	t.Run("IPv6 only", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "::1")[0]
		answering(t, ln, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		})
		dns.Update(dnstest.Zone{"six.test. AAAA": dnstest.Addresses("::1")})
		p := begin(t, "six.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await(`"joined":1`)
		if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK || body != ln.Addr().String() {
			t.Errorf("status %d, answered by %q, want %s", resp.StatusCode, body, ln.Addr())
		}
	})
}

// alike returns listeners on one port of several addresses of this host.
func alike(t *testing.T, hosts ...string) []net.Listener {
	t.Helper()
	for {
		var listeners []net.Listener
		port := "0"
		for _, host := range hosts {
			ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skipf("this host has no %s", host)
			}
			if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatal(err)
			}
			if err != nil {
				break // somebody else has it there
			}
			_, port, _ = net.SplitHostPort(ln.Addr().String())
			listeners = append(listeners, ln)
		}
		if len(listeners) == len(hosts) {
			return listeners
		}
		for _, ln := range listeners {
			ln.Close()
		}
	}
}

// answering serves on ln until the test ends.
func answering(t *testing.T, ln net.Listener, handle http.HandlerFunc) {
	server := httptest.NewUnstartedServer(handle)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	t.Cleanup(server.Close)
}

// TestRetriesAvoidTheBusy checks that a further attempt goes where the algorithm
// would send it, too.
func TestRetriesAvoidTheBusy(t *testing.T) {
	t.Parallel()
	var busy, asked atomic.Int64 // which backend holds a request, and how many others it got
	held, end := make(chan struct{}), make(chan struct{})
	var urls []string
	for i := range int64(3) {
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/hold":
				busy.Store(i)
				close(held)
				<-end
			case i == busy.Load():
				asked.Add(1)
			case i == (busy.Load()+1)%3:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(backend.Close)
		urls = append(urls, backend.URL)
	}
	t.Cleanup(func() { close(end) })
	p := start(t, "PROBE_MODE=off", "BALANCER=least-requests", "RETRY_BUDGET=100%", "OUTLIER_FAILURES=0",
		"ACCESS_LOG=off", "OTEL_SDK_DISABLED=true", "BACKENDS="+strings.Join(urls, ","))
	var holding sync.WaitGroup
	holding.Go(func() { p.once(t.Context(), "GET", "/hold", nil) })
	<-held
	for range 40 {
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	end <- struct{}{}
	holding.Wait()
	if n := asked.Load(); n > 0 {
		t.Errorf("the busy one got %d further attempts", n)
	}
}

// TestFullOutage counts what reaches backends that all fail: retries must not
// multiply the load on them.
func TestFullOutage(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int64
	failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	var urls []string
	for range 3 {
		backend := httptest.NewServer(failing)
		defer backend.Close()
		urls = append(urls, backend.URL)
	}
	p := start(t, "BACKENDS="+strings.Join(urls, ","), "ACCESS_LOG=off", "OTEL_SDK_DISABLED=true")
	// Each fails, and up to the budget is tried again: a share of 20 %, and the
	// 100 retries that are saved up, which are 5 % of so many requests.
	const requests, clients = 2000, 4
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for range requests / clients {
				r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+p.addr, nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
	asking.Wait()
	if n := attempts.Load(); n > requests*125/100 {
		t.Errorf("%d attempts at %d requests", n, requests)
	}
}

// TestNobodyIsLeft checks what clients are told when no backend may be used.
func TestNobodyIsLeft(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_FALL=1", "BACKENDS=http://"+refusing(t))
	p.await("backend state changed")
	resp, err := http.Get("http://" + p.addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

// TestTraceContext checks whose child a request's span becomes, and that
// nothing a client sent reaches the backend beside the attempt's own context.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	const remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tests := map[string]struct {
		environ    []string
		wantParent string
		wantLinks  int
	}{
		"from a stranger: a new trace, linked":  {wantLinks: 1},
		"from a stranger, ignored":              {environ: []string{"TRACE_TRUST=ignore"}},
		"from a stranger, trusted all the same": {environ: []string{"TRACE_TRUST=trust"}, wantParent: "b7ad6b7169203331"},
		"from a trusted proxy":                  {environ: []string{"TRUSTED_PROXIES=127.0.0.0/8"}, wantParent: "b7ad6b7169203331"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received := make(chan http.Header, 1)
			backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.Header }))
			defer backend.Close()
			p := start(t, append(test.environ, "BACKENDS="+backend.URL)...)
			p.once(t.Context(), "GET", "/", nil, "traceparent: "+remote, "b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
				"x-b3-traceid: 0af7651916cd43dd8448eb211c80319c", "uber-trace-id: 1:2:3:1", "x-amzn-trace-id: Root=1", "x-cloud-trace-context: 1/2")
			p.stop()
			var server, client otlptest.Span
			for _, span := range p.collector.Spans() {
				switch span.Kind {
				case "SERVER":
					server = span
				case "CLIENT":
					client = span
				}
			}
			if server.ParentID != test.wantParent || len(server.Links) != test.wantLinks {
				t.Errorf("SERVER span has parent %q and links %v, want %q and %d", server.ParentID, server.Links, test.wantParent, test.wantLinks)
			}
			if (server.TraceID == "0af7651916cd43dd8448eb211c80319c") != (test.wantParent != "") {
				t.Errorf("SERVER span is in trace %s", server.TraceID)
			}
			header := <-received
			if want := "00-" + client.TraceID + "-" + client.SpanID + "-01"; header.Get("Traceparent") != want {
				t.Errorf("backend received traceparent %q, want the CLIENT span's, %q", header.Get("Traceparent"), want)
			}
			for _, name := range []string{"B3", "X-B3-Traceid", "Uber-Trace-Id", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context"} {
				if header[name] != nil {
					t.Errorf("backend received %s: %q", name, header[name])
				}
			}
		})
	}
}

// Without propagators no trace context is taken up, not even from who is
// believed: what becomes of it is TestWhoIsNoParticipant's.
func TestNoPropagators(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "OTEL_PROPAGATORS=none", "TRUSTED_PROXIES=127.0.0.0/8")
	p.once(t.Context(), "GET", "/", nil, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"x-cloud-trace-context: 0af7651916cd43dd8448eb211c80319c/1;o=1")
	p.stop()
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" && (span.ParentID != "" || len(span.Links) != 0) {
			t.Errorf("SERVER span has parent %q and links %v", span.ParentID, span.Links)
		}
	}
}

// front is a backend of the program behind its policies. It answers with what
// policies have done to a request, in the field Got, and below /own with fields
// that are theirs; below /wait it does so once the test ends.
type front struct {
	*httptest.Server
	reached atomic.Int64

	mu       sync.Mutex
	received []http.Header // without what is of the attempt alone
}

func newFront(t *testing.T) *front {
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.reached.Add(1)
		got := r.Header.Clone()
		got.Del("Traceparent")
		f.mu.Lock()
		f.received = append(f.received, got)
		f.mu.Unlock()
		words := []string{r.Method}
		for _, name := range []string{"X-Auth-Principal", "X_auth_principal", "X-Auth-Method", "X-Api-Key", "Authorization", "X-Request-Id"} {
			for _, value := range got[name] {
				if name == "Authorization" {
					value, _, _ = strings.Cut(value, " ")
				}
				words = append(words, name+"="+value)
			}
		}
		w.Header().Set("Got", strings.Join(words, " "))
		if r.URL.Path == "/own" {
			for _, field := range []string{"Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", "Ratelimit: backend", "Ratelimit-Policy: backend", "X-Request-Id: backend", "Vary: Accept", "Www-Authenticate: backend"} {
				name, value, _ := strings.Cut(field, ": ")
				w.Header().Set(name, value)
			}
		}
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
		}
		io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(f.Close)
	return f
}

// all returns the headers of the requests so far.
func (f *front) all() []http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.received)
}

// knock is a request at the program's door.
type knock struct {
	method, target string // GET / unless given
	header         []string
	body           io.Reader
	times          int // 1 unless given
}

// policyFields are those of a response that policies write, and what [front]
// answers.
var policyFields = []string{
	"Retry-After", "Www-Authenticate", "Ratelimit-Policy", "Ratelimit", "Vary", "X-Request-Id",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Private-Network", "Got",
}

var (
	secondsLeft = regexp.MustCompile(`;t=(\d+)`)
	madeID      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

// knock returns the response as text: its status, what its body says of that,
// and the fields of policies. Times and the ids that are made are left out.
// It also returns the trace id that the body names.
func (p *program) knock(t *testing.T, k knock) (text, traceID string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), k.method, "http://"+p.addr+"/"+strings.TrimPrefix(k.target, "/"), k.body)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range k.header {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header[name] = append(r.Header[name], value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Sprintln(resp.StatusCode)
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var problem struct {
			Title, Detail string
			Status        int
			TraceID       string `json:"trace_id"`
		}
		if err := json.Unmarshal(body, &problem); err != nil {
			t.Fatalf("body %q: %v", body, err)
		}
		if problem.Status != resp.StatusCode || problem.Title != http.StatusText(resp.StatusCode) || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("status %d, Cache-Control %q and body %q", resp.StatusCode, resp.Header.Get("Cache-Control"), body)
		}
		text, traceID = fmt.Sprintf("%d %s\n", resp.StatusCode, problem.Detail), problem.TraceID
	}
	until := ""
	for _, name := range policyFields {
		for _, value := range resp.Header[name] {
			if name == "Ratelimit" && resp.StatusCode == http.StatusTooManyRequests {
				if left := secondsLeft.FindStringSubmatch(value); left == nil || left[1] != resp.Header.Get("Retry-After") {
					t.Errorf("RateLimit is %q, Retry-After %q: they must agree", value, resp.Header.Get("Retry-After"))
				}
			}
			if name == "Retry-After" && resp.StatusCode == http.StatusTooManyRequests {
				until, value = value, "T"
			}
			value = madeID.ReplaceAllString(secondsLeft.ReplaceAllString(value, ";t=T"), "made")
			text += fmt.Sprintf("  %s: %s\n", name, value)
		}
	}
	if until == "0" {
		t.Error("Retry-After is 0")
	}
	return text, traceID
}

// knocks makes the requests one after the other and returns all responses, and
// the trace id that the last one names.
func (p *program) knocks(t *testing.T, all []knock) (text, traceID string) {
	t.Helper()
	for _, k := range all {
		if k.method == "" {
			k.method = "GET"
		}
		for range max(k.times, 1) {
			var one string
			one, traceID = p.knock(t, k)
			text += one
		}
	}
	return text, traceID
}

// policyTree is the spans with what policies have to do with them.
func (p *program) policyTree() string {
	return madeID.ReplaceAllString(otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type",
		"spangate.policy.rejection", "spangate.policy.reason", "enduser.id", "spangate.auth.method", "spangate.request.id",
		"spangate.rate_limit.result", "spangate.rate_limit.policy", "spangate.rate_limit.limit", "spangate.rate_limit.remaining",
		"spangate.rate_limit.store", "spangate.rate_limit.key_source"), "made")
}

// decisions are the counters of policies. What their attributes' names begin
// with is left out.
func (p *program) decisions() (text string) {
	for _, m := range p.collector.Metrics() {
		if m.Name != "spangate.policy.rejections" && m.Name != "spangate.rate_limit.decisions" {
			continue
		}
		for _, point := range m.Points {
			namespace := m.Name[:strings.LastIndexByte(m.Name, '.')+1]
			text += fmt.Sprintf("%s %s %v\n", strings.TrimPrefix(m.Name, "spangate."),
				strings.ReplaceAll(fmt.Sprint(point.Attributes), namespace, ""), point.Value)
		}
	}
	return text
}

// doorLine is what a line of the access log says of policies.
func doorLine(line map[string]any) string {
	words := []string{fmt.Sprint(line["status"])}
	for _, name := range []string{"policy", "reason", "principal", "auth", "request_id", "error_type"} {
		if value, ok := line[name]; ok {
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return madeID.ReplaceAllString(strings.Join(words, " "), "made")
}

const (
	apiKey   = "0123456789abcdef"
	basicMe  = "Authorization: Basic bWU6b3BlbiBzZXNhbWU=" // me:open sesame
	basicNot = "Authorization: Basic bWU6YWJyYWNhZGFicmE="
	aPage    = "Origin: https://app.test"
)

// preflightOf asks whether a page may send a request of the method.
func preflightOf(method string) knock {
	return knock{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: " + method}}
}

// TestPolicies shows each policy at the program's door: what clients are told,
// what a trace, the metrics and the log say, and that nothing which is refused
// reaches a backend.
func TestPolicies(t *testing.T) {
	t.Parallel()
	bcrypted, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	basicUsers := "AUTH_BASIC_USERS=me:" + string(bcrypted)
	const cors = "CORS_ALLOWED_ORIGINS=https://app.test"
	const keys = "AUTH_API_KEYS=ci:" + apiKey
	keyFile := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keyFile, []byte("\nci:"+apiKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	issuer := newTokenIssuer(t)
	tests := map[string]struct {
		environ  []string
		await    string // in the log, before the first request
		requests []knock
		want     string // the responses
		tree     string
		counted  string
		log      string // a line for each request
	}{
		"nothing on": {
			requests: []knock{{target: "/own", header: []string{aPage, "X-Request-Id: mine", "X-Auth-Principal: admin"}}, {method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT"}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET X-Auth-Principal=admin X-Request-Id=mine\n" +
				"200\n" +
				"  Got: OPTIONS\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"OPTIONS SERVER Unset http.response.status_code=200\n" +
				"  OPTIONS CLIENT Unset http.response.status_code=200\n",
			log: "200\n" +
				"200\n",
		},
		"access: let in": {
			environ:  []string{"ALLOW_CIDRS=127.0.0.0/8", "DENY_CIDRS=10.0.0.0/8"},
			requests: []knock{{}},
			want: "200\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"access: denied, though allowed": {
			environ:  []string{"ALLOW_CIDRS=all", "DENY_CIDRS=127.0.0.1"},
			requests: []knock{{}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=denied\n",
			counted:  "policy.rejections map[reason:denied rejection:access] 1\n",
			log:      "403 policy=access reason=denied\n",
		},
		"access: not allowed": {
			environ:  []string{"ALLOW_CIDRS=10.0.0.0/8"},
			requests: []knock{{}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=not_allowed\n",
			counted:  "policy.rejections map[reason:not_allowed rejection:access] 1\n",
			log:      "403 policy=access reason=not_allowed\n",
		},
		"access: no address": {
			environ:  []string{"TRUSTED_PROXIES=127.0.0.0/8", "DENY_CIDRS=10.0.0.0/8"},
			requests: []knock{{header: []string{"X-Forwarded-For: unknown"}}},
			want:     "403 Requests from this address are not accepted.\n",
			tree:     "GET SERVER Unset http.response.status_code=403 spangate.policy.rejection=access spangate.policy.reason=no_address\n",
			counted:  "policy.rejections map[reason:no_address rejection:access] 1\n",
			log:      "403 policy=access reason=no_address\n",
		},
		"cors: a page that may": {
			environ:  []string{cors, "CORS_ALLOW_CREDENTIALS=true", "CORS_EXPOSED_HEADERS=Got"},
			requests: []knock{{target: "/own", header: []string{aPage}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Origin\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Access-Control-Expose-Headers: got\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: any page": {
			environ:  []string{"CORS_ALLOWED_ORIGINS=*"},
			requests: []knock{{target: "/own", header: []string{aPage}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: a page that may not": {
			environ:  []string{cors},
			requests: []knock{{target: "/own", header: []string{"Origin: https://evil.test"}}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Origin\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: no page": {
			environ:  []string{cors},
			requests: []knock{{}},
			want: "200\n" +
				"  Vary: Origin\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"cors: a preflight": {
			environ:  []string{cors, "CORS_ALLOWED_HEADERS=X-A,X-B"},
			requests: []knock{{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a"}}},
			want: "204\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
				"  Access-Control-Allow-Headers: x-a,x-b\n" +
				"  Access-Control-Max-Age: 7200\n",
			tree: "OPTIONS SERVER Unset http.response.status_code=204\n",
			log:  "204\n",
		},
		"cors: a preflight of another page": {
			environ:  []string{cors},
			requests: []knock{{method: "OPTIONS", header: []string{"Origin: https://evil.test", "Access-Control-Request-Method: PUT"}}},
			want: "403 Pages of this origin may not send such requests here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=origin\n",
			counted: "policy.rejections map[reason:origin rejection:cors] 1\n",
			log:     "403 policy=cors reason=origin\n",
		},
		"cors: a preflight of a method": {
			environ:  []string{cors},
			requests: []knock{preflightOf("PURGE")},
			want: "403 Pages of other origins may not use this method here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=method\n",
			counted: "policy.rejections map[reason:method rejection:cors] 1\n",
			log:     "403 policy=cors reason=method\n",
		},
		"cors: a preflight of a field": {
			environ:  []string{cors},
			requests: []knock{{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-other"}}},
			want: "403 Pages of other origins may not send one of these header fields here.\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n",
			tree:    "OPTIONS SERVER Unset http.response.status_code=403 spangate.policy.rejection=cors spangate.policy.reason=header\n",
			counted: "policy.rejections map[reason:header rejection:cors] 1\n",
			log:     "403 policy=cors reason=header\n",
		},
		"auth: an API key": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=ci auth=api_key\n",
		},
		"auth: a password": {
			environ:  []string{basicUsers},
			requests: []knock{{header: []string{basicMe}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=me X-Auth-Method=basic\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=me spangate.auth.method=basic\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=me auth=basic\n",
		},
		"auth: both, of which the password names the principal": {
			environ:  []string{keys, basicUsers},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey, basicMe}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=me X-Auth-Method=basic\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=me spangate.auth.method=basic\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=me auth=basic\n",
		},
		"auth: nothing": {
			environ:  []string{keys, basicUsers},
			requests: []knock{{}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: Basic realm=\"spangate\", charset=\"UTF-8\"\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing\n",
		},
		"auth: an unknown key": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: 0123456789abcdeF"}}},
			want: "401 The API key is not known.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=unknown_key\n",
			counted: "policy.rejections map[reason:unknown_key rejection:auth] 1\n",
			log:     "401 policy=auth reason=unknown_key\n",
		},
		"auth: two keys": {
			environ:  []string{keys},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey, "X-Api-Key: " + apiKey}}},
			want: "401 The credentials cannot be read.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=malformed\n",
			counted: "policy.rejections map[reason:malformed rejection:auth] 1\n",
			log:     "401 policy=auth reason=malformed\n",
		},
		"auth: a wrong password": {
			environ:  []string{basicUsers},
			requests: []knock{{header: []string{basicNot}}},
			want: "401 The user or the password is wrong.\n" +
				"  Www-Authenticate: Basic realm=\"spangate\", charset=\"UTF-8\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=bad_password\n",
			counted: "policy.rejections map[reason:bad_password rejection:auth] 1\n",
			log:     "401 policy=auth reason=bad_password\n",
		},
		"auth: a principal that is made up": {
			environ: []string{keys, "AUTH_EXEMPT_PATHS=/open"},
			requests: []knock{{target: "/open", header: []string{"X-Auth-Principal: admin", "X_auth_principal: admin", "X-Auth-Method: jwt"}},
				{header: []string{"X-Api-Key: " + apiKey, "X-Auth-Principal: admin", "X_auth_principal: admin", "Connection: X-Auth-Principal, X-Auth-Method"}},
				{target: "/open/", header: []string{"X-Auth-Principal: admin"}}},
			want: "200\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n" +
				"401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log: "200\n" +
				"200 principal=ci auth=api_key\n" +
				"401 policy=auth reason=missing\n",
		},
		"auth: a token": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil)}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=alice X-Auth-Method=jwt Authorization=Bearer\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=alice spangate.auth.method=jwt\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=alice auth=jwt\n",
		},
		"auth: a token of nobody": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(jwt.SigningMethodNone)}}},
			want: "401 The token is signed in a way that is not accepted.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed in a way that is not accepted.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_algorithm\n",
			counted: "policy.rejections map[reason:token_algorithm rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_algorithm\n",
		},
		"auth: a token signed with the public key": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(jwt.SigningMethodHS256)}}},
			want: "401 The token is signed in a way that is not accepted.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed in a way that is not accepted.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_algorithm\n",
			counted: "policy.rejections map[reason:token_algorithm rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_algorithm\n",
		},
		"auth: a token of yesterday": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "exp", time.Now().Add(-24*time.Hour).Unix())}}},
			want: "401 The token has expired.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token has expired.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_expired\n",
			counted: "policy.rejections map[reason:token_expired rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_expired\n",
		},
		"auth: a token of another issuer": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "iss", "https://evil.test/")}}},
			want: "401 The token is from another issuer.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is from another issuer.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_issuer\n",
			counted: "policy.rejections map[reason:token_issuer rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_issuer\n",
		},
		"auth: a token for others": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "aud", "others")}}},
			want: "401 The token is for another audience.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is for another audience.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_audience\n",
			counted: "policy.rejections map[reason:token_audience rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_audience\n",
		},
		"auth: a token of an unknown key": {
			environ:  issuer.environ(),
			await:    "keys of tokens fetched",
			requests: []knock{{header: []string{issuer.bearer(nil, "kid", "other")}}},
			want: "401 The token is signed with an unknown key.\n" +
				"  Www-Authenticate: Bearer realm=\"spangate\", error=\"invalid_token\", error_description=\"The token is signed with an unknown key.\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=token_unknown_key\n",
			counted: "policy.rejections map[reason:token_unknown_key rejection:auth] 1\n",
			log:     "401 policy=auth reason=token_unknown_key\n",
		},
		"auth: a token where there are none": {
			environ:  []string{keys},
			requests: []knock{{header: []string{issuer.bearer(nil)}}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing\n",
		},
		"rate limit: let in": {
			environ:  []string{"RATE_LIMIT=10/h"},
			requests: []knock{{target: "/own"}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: \"10/h\";q=10;w=3600\n" +
				"  Ratelimit: \"10/h\";r=9;t=T\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: backend\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=10/h spangate.rate_limit.limit=10 spangate.rate_limit.remaining=9 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:10/h result:allowed store:memory] 1\n",
			log:     "200\n",
		},
		"rate limit: several": {
			environ:  []string{"RATE_LIMIT=2/h,1000/d", "RATE_LIMIT_BURST=5", "RATE_LIMIT_KEY=global"},
			requests: []knock{{}},
			want: "200\n" +
				"  Ratelimit-Policy: \"2/h\";q=2;w=3600;spangate-burst=5, \"1000/d\";q=1000;w=86400\n" +
				"  Ratelimit: \"2/h\";r=4;t=T\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=2/h spangate.rate_limit.limit=2 spangate.rate_limit.remaining=4 spangate.rate_limit.store=memory spangate.rate_limit.key_source=global\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:2/h result:allowed store:memory] 1\n",
			log:     "200\n",
		},
		"rate limit: refused": {
			environ:  []string{"RATE_LIMIT=1/h"},
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:memory] 1\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:memory] 1\n",
			log: "200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: of tenants": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_KEY=header:X-Tenant"},
			requests: []knock{{header: []string{"X-Tenant: a"}}, {header: []string{"X-Tenant: b"}}, {header: []string{"X-Tenant: a"}}, {}, {header: []string{"X-Tenant: a", "X-Tenant: c"}}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=header\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 2\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:memory] 3\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:memory] 2\n",
			log: "200\n" +
				"200\n" +
				"429 policy=rate_limit reason=limited\n" +
				"200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: in a dry run": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_DRY_RUN=true"},
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T;spangate-dry-run\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T;spangate-dry-run\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Unset spangate.rate_limit.result=dry_run spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=memory spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[policy:1/h result:allowed store:memory] 1\n" +
				"rate_limit.decisions map[policy:1/h result:dry_run store:memory] 1\n",
			log: "200\n" +
				"200\n",
		},
		"rate limit: without its store, by its share": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n" +
				"  Got: GET\n" +
				"429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
				"  Retry-After: T\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Ratelimit: \"1/h\";r=0;t=T\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=allowed spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=local spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=denied spangate.rate_limit.policy=1/h spangate.rate_limit.limit=1 spangate.rate_limit.remaining=0 spangate.rate_limit.store=local spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[policy:1/h result:allowed store:local] 1\n" +
				"rate_limit.decisions map[policy:1/h result:denied store:local] 1\n",
			log: "200\n" +
				"429 policy=rate_limit reason=limited\n",
		},
		"rate limit: without its store, let in": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_ON_STORE_ERROR=allow", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}, {}},
			want: "200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Got: GET\n" +
				"200\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			counted: "rate_limit.decisions map[result:store_error] 2\n",
			log: "200\n" +
				"200\n",
		},
		"rate limit: without its store, refused": {
			environ:  []string{"RATE_LIMIT=1/h", "RATE_LIMIT_ON_STORE_ERROR=deny", "RATE_LIMIT_REDIS_URL=redis://:s3cret@" + refusing(t)},
			await:    "rate limits are not shared",
			requests: []knock{{}},
			want: "503 Whether the request may come in cannot be told at the moment.\n" +
				"  Retry-After: 1\n" +
				"  Ratelimit-Policy: \"1/h\";q=1;w=3600\n",
			tree: "GET SERVER Error http.response.status_code=503 error.type=503 spangate.policy.rejection=rate_limit spangate.policy.reason=store_error\n" +
				"  rate_limit INTERNAL Error error.type=connection_refused spangate.rate_limit.result=store_error spangate.rate_limit.key_source=client-ip\n",
			counted: "policy.rejections map[reason:store_error rejection:rate_limit] 1\n" +
				"rate_limit.decisions map[result:store_error] 1\n",
			log: "503 policy=rate_limit reason=store_error\n",
		},
		"rate limit: a preflight": {
			environ:  []string{cors, "RATE_LIMIT=1/h"},
			requests: []knock{preflightOf("PUT")},
			want: "204\n" +
				"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n" +
				"  Access-Control-Allow-Origin: https://app.test\n" +
				"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
				"  Access-Control-Allow-Headers: content-type\n" +
				"  Access-Control-Max-Age: 7200\n",
			tree: "OPTIONS SERVER Unset http.response.status_code=204\n",
			log:  "204\n",
		},
		"body: let in": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: strings.NewReader("abc")}},
			want: "200\n" +
				"  Got: POST\n",
			tree: "POST SERVER Unset http.response.status_code=200\n" +
				"  POST CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"body: too large": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: strings.NewReader("four")}},
			want:     "413 The request's body is larger than is accepted here.\n",
			tree:     "POST SERVER Unset http.response.status_code=413 spangate.policy.rejection=body spangate.policy.reason=too_large\n",
			counted:  "policy.rejections map[reason:too_large rejection:body] 1\n",
			log:      "413 policy=body reason=too_large error_type=body_too_large\n",
		},
		"body: too large, as it turns out": {
			environ:  []string{"MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: io.MultiReader(strings.NewReader("four"))}},
			want:     "413 The request's body is larger than is accepted here.\n",
			tree: "POST SERVER Unset http.response.status_code=413 spangate.policy.rejection=body spangate.policy.reason=too_large\n" +
				"  POST CLIENT Unset\n",
			counted: "policy.rejections map[reason:too_large rejection:body] 1\n",
			log:     "413 policy=body reason=too_large error_type=body_too_large\n",
		},
		"auth: a key of a file": {
			environ:  []string{"AUTH_API_KEYS_FILE=" + keyFile},
			requests: []knock{{header: []string{"X-Api-Key: " + apiKey}}},
			want: "200\n" +
				"  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n",
			tree: "GET SERVER Unset http.response.status_code=200 enduser.id=ci spangate.auth.method=api_key\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 principal=ci auth=api_key\n",
		},
		"request id: made": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{target: "/own"}},
			want: "200\n" +
				"  Www-Authenticate: backend\n" +
				"  Ratelimit-Policy: backend\n" +
				"  Ratelimit: backend\n" +
				"  Vary: Accept\n" +
				"  X-Request-Id: made\n" +
				"  Access-Control-Allow-Origin: *\n" +
				"  Access-Control-Allow-Credentials: true\n" +
				"  Got: GET X-Request-Id=made\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=made\n",
		},
		"request id: kept": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{header: []string{"X-Request-Id: mine"}}},
			want: "200\n" +
				"  X-Request-Id: mine\n" +
				"  Got: GET X-Request-Id=mine\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=mine\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=mine\n",
		},
		"request id: malformed": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id"},
			requests: []knock{{header: []string{"X-Request-Id: <mine>"}}, {header: []string{"X-Request-Id: a", "X-Request-Id: b"}}},
			want: "200\n" +
				"  X-Request-Id: made\n" +
				"  Got: GET X-Request-Id=made\n" +
				"200\n" +
				"  X-Request-Id: made\n" +
				"  Got: GET X-Request-Id=made\n",
			tree: "GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Unset http.response.status_code=200 spangate.request.id=made\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200 request_id=made\n" +
				"200 request_id=made\n",
		},
		"request id: of what is refused, and named by Connection": {
			environ:  []string{"REQUEST_ID_HEADER=X-Request-Id", keys},
			requests: []knock{{header: []string{"X-Request-Id: mine", "Connection: X-Request-Id"}}},
			want: "401 Credentials are required.\n" +
				"  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n" +
				"  X-Request-Id: mine\n",
			tree:    "GET SERVER Unset http.response.status_code=401 spangate.policy.rejection=auth spangate.policy.reason=missing spangate.request.id=mine\n",
			counted: "policy.rejections map[reason:missing rejection:auth] 1\n",
			log:     "401 policy=auth reason=missing request_id=mine\n",
		},
		"timeout: in time": {
			environ:  []string{"REQUEST_TIMEOUT=1h"},
			requests: []knock{{}},
			want: "200\n" +
				"  Got: GET\n",
			tree: "GET SERVER Unset http.response.status_code=200\n" +
				"  GET CLIENT Unset http.response.status_code=200\n",
			log: "200\n",
		},
		"timeout: too late": {
			environ:  []string{"REQUEST_TIMEOUT=50ms"},
			requests: []knock{{target: "/wait"}},
			want:     "504 The server behind the gateway did not answer in time.\n",
			tree: "GET SERVER Error http.response.status_code=504 error.type=timeout\n" +
				"  GET CLIENT Error error.type=timeout\n",
			log: "504 error_type=timeout\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newFront(t)
			p := start(t, append([]string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "REQUEST_ID_HEADER=off"}, test.environ...)...)
			if test.await != "" {
				p.await(test.await)
			}
			got, traceID := p.knocks(t, test.requests)
			p.stop()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("responses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.tree, p.policyTree()); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.counted, p.decisions()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			lines, last := "", ""
			for _, line := range p.log.requests(t) {
				lines += doorLine(line) + "\n"
				last = fmt.Sprint(line["trace_id"])
			}
			if diff := cmp.Diff(test.log, lines); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
			if traceID != "" && traceID != last {
				t.Errorf("the last response names trace %s, the log %s", traceID, last)
			}
			served := 0
			for _, span := range p.collector.Spans() {
				if span.Kind == "CLIENT" {
					served++
				}
				if span.Kind == "SERVER" && traceID == span.TraceID {
					last = ""
				}
			}
			if traceID != "" && last != "" {
				t.Errorf("no SERVER span is in trace %s, which the last response names", traceID)
			}
			if n := int(backend.reached.Load()); n > served || strings.Count(got, "  Got: ") > n {
				t.Errorf("the backend was reached %d times, %d CLIENT spans say", n, served)
			}
		})
	}
}

// tokenIssuer is a server of the key that its tokens are signed with.
type tokenIssuer struct {
	*httptest.Server
	key  ed25519.PrivateKey
	down atomic.Bool // it breaks connections off
}

func newTokenIssuer(t *testing.T) *tokenIssuer {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &tokenIssuer{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if i.down.Load() {
			panic(http.ErrAbortHandler)
		}
		x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","alg":"EdDSA","x":%q}]}`, x)
	}))
	t.Cleanup(i.Close)
	return i
}

// environ lets in what the issuer says.
func (i *tokenIssuer) environ() []string {
	return []string{"AUTH_JWT_JWKS_URL=" + i.URL, "AUTH_JWT_ISSUER=https://issuer.test/", "AUTH_JWT_AUDIENCE=shop"}
}

// bearer returns the field with a token that is right but for the claims, or
// the kid, that are given, by name and value. A method other than nil is what
// somebody signs it with who knows the public key alone.
func (i *tokenIssuer) bearer(method jwt.SigningMethod, changes ...any) string {
	claims := jwt.MapClaims{"iss": "https://issuer.test/", "aud": "shop", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	var key any = i.key
	switch method {
	case nil:
		method = jwt.SigningMethodEdDSA
	case jwt.SigningMethodNone:
		key = jwt.UnsafeAllowNoneSignatureType
	case jwt.SigningMethodHS256:
		key = []byte(i.key.Public().(ed25519.PublicKey))
	}
	token := jwt.New(method)
	token.Header["kid"] = "one"
	for n := 0; n < len(changes); n += 2 {
		if name := changes[n].(string); name == "kid" {
			token.Header["kid"] = changes[n+1]
		} else {
			claims[name] = changes[n+1]
		}
	}
	token.Claims = claims
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return "Authorization: Bearer " + text
}

// TestTokensWithoutKeys starts while the issuer cannot be reached: nobody can
// tell whether a token is right until it can.
func TestTokensWithoutKeys(t *testing.T) {
	t.Parallel()
	backend, issuer := newFront(t), newTokenIssuer(t)
	issuer.down.Store(true)
	p := start(t, append(issuer.environ(), "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off")...)
	p.await("the keys of tokens could not be fetched")
	token := []knock{{header: []string{issuer.bearer(nil)}}}
	before, _ := p.knocks(t, token)
	issuer.down.Store(false)
	p.await("keys of tokens fetched")
	after, _ := p.knocks(t, token)
	p.stop()
	want := "503 The token cannot be verified at the moment.\n" +
		"  Retry-After: 5\n" +
		"200\n" +
		"  Got: GET X-Auth-Principal=alice X-Auth-Method=jwt Authorization=Bearer\n"
	if diff := cmp.Diff(want, before+after); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	want = "GET SERVER Error http.response.status_code=503 error.type=503 spangate.policy.rejection=auth spangate.policy.reason=keys_unavailable\n" +
		"GET SERVER Unset http.response.status_code=200 enduser.id=alice spangate.auth.method=jwt\n" +
		"  GET CLIENT Unset http.response.status_code=200\n"
	if diff := cmp.Diff(want, p.policyTree()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("policy.rejections map[reason:keys_unavailable rejection:auth] 1\n", p.decisions()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// TestLimitOfTwoInstances has two programs keep one limit between them.
func TestLimitOfTwoInstances(t *testing.T) {
	t.Parallel()
	redis, backend := miniredis.RunT(t), newFront(t)
	var both []*program
	for range 2 {
		p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off",
			"RATE_LIMIT=3/h", "RATE_LIMIT_REDIS_URL=redis://"+redis.Addr(), "RATE_LIMIT_STORE_TIMEOUT=1m")
		p.await("rate limits are shared")
		both = append(both, p)
	}
	var got strings.Builder
	for i := range 5 {
		text, _ := both[i%2].knock(t, knock{method: "GET"})
		got.WriteString(text)
	}
	const terms = "  Ratelimit-Policy: \"3/h\";q=3;w=3600\n"
	letIn := func(left int) string {
		return fmt.Sprintf("200\n%s  Ratelimit: \"3/h\";r=%d;t=T\n  Got: GET\n", terms, left)
	}
	limited := "429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
		"  Retry-After: T\n" + terms + "  Ratelimit: \"3/h\";r=0;t=T\n"
	if diff := cmp.Diff(letIn(2)+letIn(1)+letIn(0)+limited+limited, got.String()); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	if store := both[0].status(t).RateLimit.Store; store != "redis" {
		t.Errorf("status says that the counts are in %s", store)
	}
	both[1].stop()
	want := "GET SERVER Unset http.response.status_code=200\n" +
		"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=3/h spangate.rate_limit.limit=3 spangate.rate_limit.remaining=1 spangate.rate_limit.store=redis spangate.rate_limit.key_source=client-ip\n" +
		"  GET CLIENT Unset http.response.status_code=200\n" +
		"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
		"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=3/h spangate.rate_limit.limit=3 spangate.rate_limit.remaining=0 spangate.rate_limit.store=redis spangate.rate_limit.key_source=client-ip\n"
	if diff := cmp.Diff(want, both[1].policyTree()); diff != "" {
		t.Errorf("spans of the second (-want +got):\n%s", diff)
	}
	want = "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
		"rate_limit.decisions map[policy:3/h result:allowed store:redis] 1\n" +
		"rate_limit.decisions map[policy:3/h result:denied store:redis] 1\n"
	if diff := cmp.Diff(want, both[1].decisions()); diff != "" {
		t.Errorf("counters of the second (-want +got):\n%s", diff)
	}
}

// status returns what the status endpoint says.
func (p *program) status(t *testing.T) (s instance) {
	t.Helper()
	resp, body := p.ask(t, "GET", "/.spangate/status", nil)
	if err := json.Unmarshal([]byte(body), &s); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, body %q: %v", resp.StatusCode, body, err)
	}
	return s
}

// TestStatusOfTelemetry asks the program how delivery does, to a collector and
// to an address where nobody is.
func TestStatusOfTelemetry(t *testing.T) {
	t.Parallel()
	const brief = "OTEL_BSP_SCHEDULE_DELAY=10"
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=none", brief)
	p.once(t.Context(), "GET", "/", nil)
	p.collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 2 })
	var traces setup.Status
	for traces.Items == nil || traces.Exported < 2 { // the collector had them before its answer
		all := p.status(t).Telemetry
		if len(all) != 2 || all[1].Signal != "metrics" {
			t.Fatalf("status of telemetry: %+v", all)
		}
		traces = all[0]
	}
	if traces.Delivered == nil {
		t.Error("nothing says when it was delivered")
	}
	traces.Delivered = nil
	want := setup.Status{Signal: "traces", Endpoint: p.collector.URL() + "/v1/traces", Items: &setup.Items{Capacity: 2048, Exported: 2}}
	if diff := cmp.Diff(want, traces); diff != "" {
		t.Errorf("of traces (-want +got):\n%s", diff)
	}

	away := "http://" + refusing(t)
	p = start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=none", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+away, brief)
	p.once(t.Context(), "GET", "/", nil)
	p.await("telemetry is not delivered")
	traces = p.status(t).Telemetry[0]
	if traces.Endpoint != away+"/" || traces.FailingSince == nil || !strings.Contains(traces.Error, "refused") || traces.Exported != 0 {
		t.Errorf("of traces that go nowhere: %+v", traces)
	}
}

// TestLoad fills the only slot of a program and knocks at its door.
func TestLoad(t *testing.T) {
	t.Parallel()
	const refused = "503 Too many requests are being handled at the moment.\n  Retry-After: 1\n"
	const held = "GET SERVER Unset http.response.status_code=200\n  GET CLIENT Unset http.response.status_code=200\n"
	tests := map[string]struct {
		environ []string
		// knock is called while the slot is taken, which free ends. It returns the
		// responses.
		knock    func(t *testing.T, p *program, free func()) string
		want     string
		tree     string
		counted  string
		waits    uint64 // that were measured
		log      string // of the requests beside the one that took the slot
		withWait bool   // the last one waited
	}{
		"no queue": {
			knock: func(t *testing.T, p *program, _ func()) string {
				text, _ := p.knocks(t, []knock{{}})
				return text
			},
			want: refused,
			tree: held +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_full\n",
			counted: "policy.rejections map[reason:queue_full rejection:concurrency] 1\n",
			log:     "503 policy=concurrency reason=queue_full error_type=overloaded\n",
		},
		"too long in the queue": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1ms"},
			knock: func(t *testing.T, p *program, _ func()) string {
				text, _ := p.knocks(t, []knock{{}})
				return text
			},
			want: refused,
			tree: held +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_timeout\n",
			counted:  "policy.rejections map[reason:queue_timeout rejection:concurrency] 1\n",
			waits:    1,
			log:      "503 policy=concurrency reason=queue_timeout error_type=overloaded\n",
			withWait: true,
		},
		"its turn comes": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h"},
			knock: func(t *testing.T, p *program, free func()) string {
				text := make(chan string, 1)
				go func() {
					one, _ := p.knock(t, knock{method: "GET"})
					text <- one
				}()
				for p.status(t).Concurrency.Queued == 0 {
				}
				full, _ := p.knock(t, knock{method: "GET"})
				free()
				return full + <-text
			},
			want: refused + "200\n  Got: GET\n",
			tree: held +
				"GET SERVER Unset http.response.status_code=200\n  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_full\n",
			counted:  "policy.rejections map[reason:queue_full rejection:concurrency] 1\n",
			waits:    1,
			log:      "503 policy=concurrency reason=queue_full error_type=overloaded\n200\n",
			withWait: true,
		},
		"it goes away": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h"},
			knock: func(t *testing.T, p *program, _ func()) string {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); p.once(ctx, "GET", "/", nil) }()
				for p.status(t).Concurrency.Queued == 0 {
				}
				cancel()
				<-ended
				for p.status(t).Concurrency.Queued == 1 {
				}
				return ""
			},
			tree: held +
				"GET SERVER Error http.response.status_code=499 error.type=client_disconnected\n",
			waits:    1,
			log:      "499 error_type=client_disconnected\n",
			withWait: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, release := make(chan struct{}), make(chan struct{})
			free := sync.OnceFunc(func() { close(release) })
			defer free()
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Got", r.Method)
				if r.URL.Path == "/hold" {
					close(taken)
					<-release
				}
			}))
			defer backend.Close()
			defer free()
			p := start(t, append(test.environ, "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "MAX_CONCURRENT_REQUESTS=1")...)
			var first sync.WaitGroup
			first.Go(func() { p.once(t.Context(), "GET", "/hold", nil) })
			<-taken
			if got := *p.status(t).Concurrency; got != (concurrencyStatus{Active: 1}) {
				t.Errorf("status shows %+v, want one that is active", got)
			}
			got := test.knock(t, p, free)
			free()
			first.Wait()
			p.stop()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("responses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.tree, p.policyTree()); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.counted, p.decisions()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			log, waited := "", false
			for _, line := range p.log.requests(t) {
				if line["path"] != "/hold" {
					log += doorLine(line) + "\n"
					waited = line["queued"] != nil
				}
			}
			if diff := cmp.Diff(test.log, log); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
			spans := 0
			for _, span := range p.collector.Spans() {
				if span.Attributes["spangate.concurrency.wait"] != nil {
					spans++
				}
			}
			if waited != test.withWait || uint64(spans) != test.waits {
				t.Errorf("the log has a wait: %t, want %t; so have %d spans, want %d", waited, test.withWait, spans, test.waits)
			}
			for _, m := range p.collector.Metrics() {
				switch m.Name {
				case "spangate.concurrency.wait":
					if m.Points[0].Count != test.waits {
						t.Errorf("%d waits were measured, want %d", m.Points[0].Count, test.waits)
					}
				case "spangate.concurrency.active", "spangate.concurrency.queued":
					if m.Points[0].Value != 0 {
						t.Errorf("%s is %v in the end", m.Name, m.Points[0].Value)
					}
				}
			}
		})
	}
}

// TestOrderOfPolicies has several policies that would say something of a
// request, and shows which one does, and what the others add.
func TestOrderOfPolicies(t *testing.T) {
	t.Parallel()
	const (
		keys      = "AUTH_API_KEYS=ci:" + apiKey
		cors      = "CORS_ALLOWED_ORIGINS=https://app.test"
		limit     = "RATE_LIMIT=1/h"
		preflight = "  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n"
		permitted = "204\n" + preflight +
			"  Access-Control-Allow-Origin: https://app.test\n" +
			"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
			"  Access-Control-Allow-Headers: content-type\n" +
			"  Access-Control-Max-Age: 7200\n"
		noAccess   = "403 Requests from this address are not accepted.\n"
		noKey      = "401 Credentials are required.\n  Www-Authenticate: ApiKey realm=\"spangate\", header=\"X-Api-Key\"\n"
		limited    = "429 There were more requests than are let in; Retry-After says when the next one may come.\n  Retry-After: T\n"
		terms      = "  Ratelimit-Policy: \"1/h\";q=1;w=3600\n"
		spent      = "  Ratelimit: \"1/h\";r=0;t=T\n"
		shared     = "  Vary: Origin\n  Access-Control-Allow-Origin: https://app.test\n"
		badGateway = "502 The server behind the gateway gave no valid answer.\n"
		letIn      = "  Got: GET X-Auth-Principal=ci X-Auth-Method=api_key\n"
	)
	key := "X-Api-Key: " + apiKey
	tests := map[string]struct {
		environ  []string
		requests []knock
		want     string
	}{
		"CORS before access, access before auth": {
			environ:  []string{"DENY_CIDRS=127.0.0.1", cors, keys, limit},
			requests: []knock{preflightOf("PUT"), {header: []string{aPage}}},
			want:     permitted + noAccess + shared,
		},
		"CORS before auth": {
			environ:  []string{cors, keys},
			requests: []knock{preflightOf("PUT"), preflightOf("PURGE")},
			want:     permitted + "403 Pages of other origins may not use this method here.\n" + preflight,
		},
		"auth before the rate limit": {
			environ:  []string{keys, limit},
			requests: []knock{{times: 3}, {header: []string{key}}, {header: []string{key}}, {}},
			want:     noKey + noKey + noKey + "200\n" + terms + spent + letIn + limited + terms + spent + noKey,
		},
		"the rate limit before the body": {
			environ:  []string{limit, "MAX_REQUEST_BODY=3"},
			requests: []knock{{method: "POST", body: strings.NewReader("four")}, {method: "POST", body: strings.NewReader("five")}},
			want:     "413 The request's body is larger than is accepted here.\n" + terms + spent + limited + terms + spent,
		},
		"preflights are not counted": {
			environ:  []string{cors, limit},
			requests: []knock{preflightOf("GET"), preflightOf("PUT"), preflightOf("PURGE"), {header: []string{aPage}}, preflightOf("PUT")},
			want: permitted + permitted + "403 Pages of other origins may not use this method here.\n" + preflight +
				"200\n" + terms + spent + shared + "  Got: GET\n" + permitted,
		},
		"preflights that are the backend's to answer are not either": {
			environ:  []string{limit},
			requests: []knock{preflightOf("GET"), preflightOf("PUT"), {}, {}, preflightOf("PUT")},
			want:     "200\n  Got: OPTIONS\n200\n  Got: OPTIONS\n200\n" + terms + spent + "  Got: GET\n" + limited + terms + spent + "200\n  Got: OPTIONS\n",
		},
		"a page is shown what is refused": {
			environ:  []string{cors, keys, limit},
			requests: []knock{{header: []string{aPage}}, {header: []string{aPage, key}}, {header: []string{aPage, key}}},
			want: noKey + shared +
				"200\n" + terms + spent + shared + letIn +
				limited + terms + spent + shared,
		},
		"another page is not": {
			environ:  []string{cors, keys, limit},
			requests: []knock{{header: []string{"Origin: https://evil.test"}}, {header: []string{"Origin: https://evil.test", key}, times: 2}},
			want: noKey + "  Vary: Origin\n" +
				"200\n" + terms + spent + "  Vary: Origin\n" + letIn +
				limited + terms + spent + "  Vary: Origin\n",
		},
		"a page is shown what failed": {
			environ:  []string{cors, keys, limit, "BACKENDS=http://" + refusing(t)},
			requests: []knock{{header: []string{aPage, key}}, {header: []string{aPage, key}}},
			want:     badGateway + terms + spent + shared + limited + terms + spent + shared,
		},
		"nothing before the own endpoints": {
			environ:  []string{"DENY_CIDRS=all", keys, limit, "MAX_REQUEST_BODY=3", "AUTH_EXEMPT_PATHS=/x", cors},
			requests: []knock{{target: "/.spangate/live", times: 3, header: []string{aPage}}, {target: "/.spangate/other", times: 2}, {target: "/.spangatex"}},
			want:     "200\n200\n200\n404\n404\n" + noAccess + "  Vary: Origin\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newFront(t)
			p := start(t, append([]string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "REQUEST_ID_HEADER=off", "OTEL_SDK_DISABLED=true"}, test.environ...)...)
			got, _ := p.knocks(t, test.requests)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("responses (-want +got):\n%s", diff)
			}
			if n := backend.reached.Load(); int(n) != strings.Count(got, "  Got: ") {
				t.Errorf("the backend was reached %d times", n)
			}
		})
	}
}

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
		want := instance{
			Backends:    []backendStatus{{Name: "echo:a", State: "unknown", Serves: true}},
			RateLimit:   &rateLimitStatus{Keys: 1, Store: "local", Instances: 1},
			Concurrency: &concurrencyStatus{},
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

func first(text, _ string) string { return text }

// spoofed are attempts of a client to be somebody else, as it writes them.
var spoofed = [][]string{
	{"X-Forwarded-For: 6.6.6.6"},
	{"X-Forwarded-For: 6.6.6.6, 127.0.0.9, ::1"},
	{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 127.0.0.9"},
	{"X-Forwarded-For: [::1]:80, 6.6.6.6:80, fe80::1%lo"},
	{"X-Forwarded-For: [2001:db8::6]"},
	{"X-Forwarded-For: ,"},
	{"X-Forwarded-For: "},
	{"X-Forwarded-For: unknown, _hidden, nonsense"},
	{"X-Forwarded-For: " + strings.Repeat("6.6.6.6,", 3000)},
	{"x-forwarded-for: 6.6.6.6"},
	{"X_Forwarded_For: 6.6.6.6"},
	{"X-Forwarded_For: 6.6.6.6"},
	{"Forwarded: for=6.6.6.6;host=evil.test;proto=https;by=127.0.0.1"},
	{`Forwarded: for="6.6.6.6`, `Forwarded: for="`},
	{`Forwarded: for="[::1]:80", for=127.0.0.9`},
	{"Forwarded: for=_hidden, for=unknown, ;;,="},
	{"forwarded: for=6.6.6.6"},
	{"X-Real-Ip: 6.6.6.6"},
	{"X_Real_Ip: 6.6.6.6"},
	{"X-Real-Ip: 6.6.6.6", "X-Real-Ip: 127.0.0.9"},
	{"Fly-Client-Ip: 6.6.6.6"},
	{"Fly-Client-IP: [::1]:80"},
	{"Fly_Client_Ip: 6.6.6.6"},
	{"True-Client-Ip: 6.6.6.6", "Cf-Connecting-Ip: 6.6.6.6", "X-Client-Ip: 6.6.6.6"},
	{"X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1"},
	{"Connection: X-Forwarded-For, Forwarded, X-Real-Ip, X-Own-Client", "X-Forwarded-For: 6.6.6.6"},
	{"Connection: X-Forwarded-For"},
}

// who is what span and log say of where the requests came from, once for all
// who are alike.
func (p *program) who(t *testing.T) (all []string) {
	t.Helper()
	clients := map[any]string{} // by span
	for _, line := range p.log.requests(t) {
		clients[line["span_id"]] = fmt.Sprint(line["client"], " ", line["host"])
	}
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" {
			all = append(all, fmt.Sprint("span ", span.Attributes["client.address"], " ", span.Attributes["server.address"], " ", span.Attributes["url.scheme"], ", log ", clients[span.SpanID]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestSpoofedAddresses has a peer that is not trusted claim to be others:
// limit, lists, log, span and backend take none of it.
func TestSpoofedAddresses(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Fly-Client-IP", "X-Own-Client"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			attempts := append(slices.Clone(spoofed), []string{header + ": 6.6.6.6"}, []string{header + ": 6.6.6.6", header + ": 127.0.0.9"}, []string{strings.ReplaceAll(header, "-", "_") + ": 6.6.6.6"})
			backend := newFront(t)
			environ := []string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "CLIENT_IP_HEADER=" + header, "TRUSTED_PROXIES=10.0.0.0/8,127.0.0.9,::1"}

			p := start(t, append(environ, "RATE_LIMIT=1000/d", "ALLOW_CIDRS=127.0.0.1", "DENY_CIDRS=6.6.6.6,127.0.0.9,::1,2001:db8::/32")...)
			p.once(t.Context(), "GET", "/", nil)
			for i, attempt := range attempts {
				want := fmt.Sprintf("200\n  Ratelimit-Policy: \"1000/d\";q=1000;w=86400\n  Ratelimit: \"1000/d\";r=%d;t=T\n  Got: GET\n", 998-i)
				if diff := cmp.Diff(want, first(p.knock(t, knock{method: "GET", header: attempt}))); diff != "" {
					t.Errorf("%.100q (-want +got):\n%s", attempt, diff)
				}
				if received := backend.all(); len(received) != i+2 {
					t.Fatalf("%.100q: the backend was reached %d times, want %d", attempt, len(received), i+2)
				} else if diff := cmp.Diff(received[0], received[i+1]); diff != "" {
					t.Errorf("%.100q changes what the backend gets (-without +with):\n%s", attempt, diff)
				}
			}
			if got := backend.all()[0].Get("X-Forwarded-For"); got != "127.0.0.1" {
				t.Errorf("the backend gets X-Forwarded-For %q", got)
			}
			if keys := p.status(t).RateLimit.Keys; keys != 1 {
				t.Errorf("the rate limit has %d keys", keys)
			}
			p.stop()
			if diff := cmp.Diff([]string{"span 127.0.0.1 127.0.0.1 http, log 127.0.0.1 " + p.addr}, p.who(t)); diff != "" {
				t.Errorf("clients (-want +got):\n%s", diff)
			}

			for _, closed := range []string{"DENY_CIDRS=127.0.0.1", "ALLOW_CIDRS=6.6.6.6,127.0.0.9,::1,2001:db8::/32"} {
				before := backend.reached.Load()
				p := start(t, append(environ, closed)...)
				for _, attempt := range attempts {
					if got := first(p.knock(t, knock{method: "GET", header: attempt})); got != "403 Requests from this address are not accepted.\n" {
						t.Errorf("%s, %.100q: answered %q", closed, attempt, got)
					}
				}
				p.stop()
				if diff := cmp.Diff([]string{"span 127.0.0.1 127.0.0.1 http, log 127.0.0.1 " + p.addr}, p.who(t)); diff != "" {
					t.Errorf("%s: clients (-want +got):\n%s", closed, diff)
				}
				if backend.reached.Load() != before {
					t.Errorf("%s: the backend was reached", closed)
				}
			}
		})
	}
}

// TestAddressesOfTrustedPeers has a peer that is trusted name a client, before
// which that client has written what it likes: limit, lists, log and span take
// the same address from it, the last one that is not trusted.
func TestAddressesOfTrustedPeers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header string
		fields []string
		again  []string // the same client, by the rate limit
		other  []string // another one
		client string
		want   string // X-Forwarded-For as the backend gets it of the first
	}{
		"a list": {
			fields: []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.5"},
			again:  []string{"X-Forwarded-For: 7.7.7.7,127.0.0.6, 203.0.113.9"},
			other:  []string{"X-Forwarded-For: 203.0.113.9, 203.0.113.10"},
			client: "203.0.113.9", want: "6.6.6.6, 203.0.113.9, 127.0.0.5, 127.0.0.1",
		},
		"lines": {
			fields: []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9:4711", "X-Forwarded-For: 127.0.0.5"},
			again:  []string{"X-Forwarded-For: nonsense, \"", "X-Forwarded-For: ::ffff:203.0.113.9"},
			other:  []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 6.6.6.6"},
			client: "203.0.113.9", want: "6.6.6.6, 203.0.113.9:4711, 127.0.0.5, 127.0.0.1",
		},
		"IPv6": {
			fields: []string{"X-Forwarded-For: [2001:db8::9]:80"},
			again:  []string{"X-Forwarded-For: 6.6.6.6, 2001:db8::9%eth0"},
			other:  []string{"X-Forwarded-For: 2001:db8:0:1::9"},
			client: "2001:db8::9", want: "[2001:db8::9]:80, 127.0.0.1",
		},
		"other fields do not count": {
			fields: []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6", "X_Forwarded_For: 6.6.6.6"},
			again:  []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=7.7.7.7", "Fly-Client-Ip: 6.6.6.6"},
			other:  []string{"X-Forwarded-For: 6.6.6.6", "Forwarded: for=203.0.113.9"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.1",
		},
		"Forwarded": {
			header: "Forwarded",
			fields: []string{`Forwarded: for=6.6.6.6, for="203.0.113.9:80", for=127.0.0.5`, "X-Forwarded-For: 6.6.6.6"},
			again:  []string{`Forwarded: for="`, "Forwarded: for=203.0.113.9"},
			other:  []string{"Forwarded: for=203.0.113.9, for=6.6.6.6"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.5, 127.0.0.1", // what is believed, in the other dialect too
		},
		"a field with one address": {
			header: "X-Own-Client",
			fields: []string{"X-Own-Client: 203.0.113.9", "X-Forwarded-For: 6.6.6.6"},
			again:  []string{"X-Own-Client: 203.0.113.9:80", "X-Forwarded-For: 7.7.7.7"},
			other:  []string{"X-Own-Client: 6.6.6.6", "X-Forwarded-For: 203.0.113.9"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newFront(t)
			environ := []string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "RATE_LIMIT=1/h", "CLIENT_IP_HEADER=" + test.header}
			ask := func(p *program, fields []string) string {
				text, _, _ := strings.Cut(first(p.knock(t, knock{method: "GET", header: fields})), "\n")
				status, _, _ := strings.Cut(text, " ")
				return status
			}
			p := start(t, append(environ, "ALLOW_CIDRS="+test.client)...)
			got := []string{ask(p, test.fields), ask(p, test.again), ask(p, test.other)}
			p.stop()
			if diff := cmp.Diff([]string{"200", "429", "403"}, got); diff != "" {
				t.Errorf("with the client alone let in: the client, again, another one (-want +got):\n%s", diff)
			}
			if who := p.who(t); len(who) != 2 || !slices.Contains(who, "span "+test.client+" 127.0.0.1 http, log "+test.client+" "+p.addr) {
				t.Errorf("clients are %q, want %s and another", who, test.client)
			}
			if diff := cmp.Diff(test.want, backend.all()[0].Get("X-Forwarded-For")); diff != "" {
				t.Errorf("X-Forwarded-For (-want +got):\n%s", diff)
			}
			p = start(t, environ...)
			got = []string{ask(p, test.fields), ask(p, test.other), ask(p, test.again)}
			if diff := cmp.Diff([]string{"200", "200", "429"}, got); diff != "" {
				t.Errorf("with all let in: the client, another one, the client again (-want +got):\n%s", diff)
			}
			p = start(t, append(environ, "DENY_CIDRS="+test.client)...)
			got = []string{ask(p, test.fields), ask(p, test.again), ask(p, test.other), ask(p, test.other)}
			if diff := cmp.Diff([]string{"403", "403", "200", "429"}, got); diff != "" {
				t.Errorf("with the client denied: the client, again, another one, again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPoliciesAtFault holds what a start says of policies that are not right:
// all of it at once, by the names of the variables, and never a secret.
func TestPoliciesAtFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		environ []string
		want    []string
	}{
		"the rate limit": {
			environ: []string{"RATE_LIMIT=0/s,5/s,6/s,ten,1/fortnight", "RATE_LIMIT_KEY=cookie:a", "RATE_LIMIT_MAX_KEYS=0", "RATE_LIMIT_DRY_RUN=maybe", "RATE_LIMIT_BURST=-1"},
			want: []string{
				`RATE_LIMIT: "0/s": must let at least one request in`,
				`RATE_LIMIT: "6/s": there is another limit per s`,
				`RATE_LIMIT: "ten": must be a number of requests and a unit, such as 100/s`,
				`RATE_LIMIT: "1/fortnight": unit must be s, m, h or d`,
				`RATE_LIMIT_BURST="-1": must be at least 0`,
				`RATE_LIMIT_KEY="cookie:a": must be client-ip, header:NAME or global, or several joined with +`,
				`RATE_LIMIT_MAX_KEYS="0": must be at least 1`,
				`RATE_LIMIT_DRY_RUN="maybe": must be true or false`,
			},
		},
		"a single limit":             {environ: []string{"RATE_LIMIT=100/fortnight"}, want: []string{`RATE_LIMIT="100/fortnight": unit must be s, m, h or d`}},
		"a burst of over a year":     {environ: []string{"RATE_LIMIT=1/d", "RATE_LIMIT_BURST=400"}, want: []string{`RATE_LIMIT_BURST="400": must be at most 366 with 1/d: more take over a year to come back`}},
		"a header that cannot be":    {environ: []string{"RATE_LIMIT_KEY=header:a b"}, want: []string{`RATE_LIMIT_KEY="header:a b": must name a header, such as header:X-Tenant; "a b" cannot be one`}},
		"a misspelling of our own":   {environ: []string{"RATE_LIMTI=1/s", "CORS_ORIGINS=*"}, want: []string{"CORS_ORIGINS: unknown; did you mean CORS_ALLOWED_ORIGINS?", "RATE_LIMTI: unknown; did you mean RATE_LIMIT?"}},
		"a store of another kind":    {environ: []string{"RATE_LIMIT_REDIS_URL=http://me:s3cret@redis"}, want: []string{"RATE_LIMIT_REDIS_URL: must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"}},
		"a store's password":         {environ: []string{"RATE_LIMIT_REDIS_URL=redis://:s3cret/word@redis"}, want: []string{"RATE_LIMIT_REDIS_URL: must be a URL; if a user or password has one of / ? # @ : % in it, write that as %2F %3F %23 %40 %3A %25"}},
		"a store's port":             {environ: []string{"RATE_LIMIT_REDIS_URL=redis://me:s3cret@redis:99999"}, want: []string{"RATE_LIMIT_REDIS_URL: must have ports from 1 to 65535"}},
		"a store without TLS":        {environ: []string{"RATE_LIMIT_REDIS_URL=redis://redis", "RATE_LIMIT_REDIS_CA_FILE=/no.ca"}, want: []string{"RATE_LIMIT_REDIS_CA_FILE, RATE_LIMIT_REDIS_CERT_FILE, RATE_LIMIT_REDIS_KEY_FILE: need a RATE_LIMIT_REDIS_URL with TLS, such as rediss://host", "RATE_LIMIT_REDIS_URL: is of no use without RATE_LIMIT"}},
		"a store that is not waited": {environ: []string{"RATE_LIMIT_ON_STORE_ERROR=panic", "RATE_LIMIT_STORE_TIMEOUT=1ms"}, want: []string{`RATE_LIMIT_ON_STORE_ERROR="panic": must be local, allow or deny`, `RATE_LIMIT_STORE_TIMEOUT="1ms": must be at least 2ms`}},
		"CORS": {
			environ: []string{"CORS_ALLOWED_ORIGINS=app.example.com,https://*.com,https://a.test/path", "CORS_ALLOWED_METHODS=GET;POST", "CORS_ALLOWED_HEADERS=Cookie", "CORS_MAX_AGE=25h"},
			want: []string{
				`CORS_ALLOWED_ORIGINS: "app.example.com": must be scheme://host or scheme://host:port, such as https://app.example.com`,
				`CORS_ALLOWED_ORIGINS: "https://*.com": anybody can have a name below com`,
				`CORS_ALLOWED_ORIGINS: "https://a.test/path": an origin ends with its host or port: no slash, path or query`,
				`CORS_ALLOWED_METHODS="GET;POST": "GET;POST": must be a name of letters, digits and -`,
				`CORS_ALLOWED_HEADERS="Cookie": "Cookie": browsers do not let pages set this field`,
				`CORS_MAX_AGE="25h0m0s": must be whole seconds, up to 24h`,
			},
		},
		"CORS for anybody's credentials": {
			environ: []string{"CORS_ALLOWED_ORIGINS=*", "CORS_ALLOW_CREDENTIALS=true", "CORS_EXPOSED_HEADERS=*"},
			want: []string{
				`CORS_ALLOWED_ORIGINS="*": not with CORS_ALLOW_CREDENTIALS: any page could act for its visitors; list the origins that may`,
				"CORS_EXPOSED_HEADERS: * means nothing to browsers with CORS_ALLOW_CREDENTIALS: list the names",
			},
		},
		"CORS for credentials without TLS": {
			environ: []string{"CORS_ALLOWED_ORIGINS=http://a.test", "CORS_ALLOW_CREDENTIALS=true"},
			want:    []string{`CORS_ALLOWED_ORIGINS: "http://a.test": not with CORS_ALLOW_CREDENTIALS: whoever is on the way to a page without TLS can change it; use https`},
		},
		"CORS for no origin": {environ: []string{"CORS_ALLOWED_METHODS=PUT"}, want: []string{"CORS_ALLOWED_METHODS: is of no use without CORS_ALLOWED_ORIGINS"}},
		"credentials": {
			environ: []string{
				"AUTH_API_KEYS=s3cretkeywithoutaname,ci:s3cret,ci:s3cret-s3cret-s3cret,:s3cret-s3cret-s3cret,a:sha256:s3cret,b:s3cret s3cret s3cret",
				"AUTH_BASIC_USERS=me:s3cret,you:$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			},
			want: []string{
				"AUTH_API_KEYS: item 1: must be a name, a colon and a secret",
				"AUTH_API_KEYS: item 2: its key must have 16 to 256 characters",
				"AUTH_API_KEYS: item 3: must have a name of its own",
				"AUTH_API_KEYS: item 4: its name must have 1 to 255 characters, none of them a space",
				"AUTH_API_KEYS: item 5: behind sha256: must be 64 hexadecimal digits",
				"AUTH_API_KEYS: item 6: its key must be visible ASCII characters",
				"AUTH_BASIC_USERS: item 1: must have a bcrypt hash, as htpasswd -nB prints it; in a compose file each $ of it is written $$",
				"AUTH_BASIC_USERS: item 2: its bcrypt cost must be 4 to 14",
			},
		},
		"credentials in no file": {environ: []string{"AUTH_API_KEYS_FILE=/no.keys"}, want: []string{`AUTH_API_KEYS_FILE="/no.keys": no such file or directory`}},
		"fields of credentials": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_API_KEY_HEADER=Authorization", "AUTH_PRINCIPAL_HEADER=X_Principal", "AUTH_EXEMPT_PATHS=/*,healthz,/a/../b"},
			want: []string{
				`AUTH_API_KEY_HEADER="Authorization": must be a field that has no meaning of its own`,
				`AUTH_PRINCIPAL_HEADER="X_Principal": must be letters and digits, with single hyphens between them`,
				`AUTH_EXEMPT_PATHS: "/*" exempts everything`,
				`AUTH_EXEMPT_PATHS: "healthz" must begin with /`,
				`AUTH_EXEMPT_PATHS: "/a/../b" must be letters, digits and -._~!$&'()+=:@, without . and .. or nothing between slashes`,
			},
		},
		"a field for two": {environ: []string{"AUTH_PRINCIPAL_HEADER=x-api-key"}, want: []string{`AUTH_PRINCIPAL_HEADER="x-api-key": must be another one than AUTH_API_KEY_HEADER`}},
		"tokens": {
			environ: []string{"AUTH_JWT_JWKS_URL=http://me:s3cret@issuer.test/jwks", "AUTH_JWT_LEEWAY=11m", "AUTH_JWT_JWKS_REFRESH=1s"},
			want: []string{
				`AUTH_JWT_LEEWAY="11m": must be at most 10m`,
				`AUTH_JWT_JWKS_REFRESH="1s": must be at least 10s`,
				`AUTH_JWT_JWKS_URL: must be https, or http on localhost`,
				"AUTH_JWT_ISSUER: required by AUTH_JWT_JWKS_URL, e.g. https://issuer.example/",
				"AUTH_JWT_AUDIENCE: required by AUTH_JWT_JWKS_URL, or else tokens made for others let in; * if that is meant",
			},
		},
		"tokens of anybody": {
			environ: []string{"AUTH_JWT_JWKS_URL=https://issuer.test/", "AUTH_JWT_ISSUER=*", "AUTH_JWT_AUDIENCE=*,a"},
			want: []string{
				"AUTH_JWT_ISSUER: must name issuers, as a sub is somebody only together with its issuer",
				"AUTH_JWT_AUDIENCE: * must stand alone",
			},
		},
		"what nothing uses": {
			environ: []string{"MAX_QUEUE=1", "RATE_LIMIT_BURST=1"},
			want: []string{
				"RATE_LIMIT_BURST: is of no use without RATE_LIMIT",
				"MAX_QUEUE: is of no use without MAX_CONCURRENT_REQUESTS",
			},
		},
		"exempt from nothing": {
			environ: []string{"AUTH_EXEMPT_PATHS=/health"},
			want:    []string{"AUTH_EXEMPT_PATHS: is of no use without AUTH_API_KEYS, AUTH_BASIC_USERS or AUTH_JWT_JWKS_URL: anybody is let in"},
		},
		"a key that is gone by then": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "RATE_LIMIT=1/s", "RATE_LIMIT_KEY=client-ip+header:x-api-key"},
			want:    []string{"RATE_LIMIT_KEY: header:X-Api-Key is not there any more when requests are counted; header:X-Auth-Principal+header:X-Auth-Method says whom it let in"},
		},
		"another key that is gone by then": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "BALANCER=hash", "BALANCER_HASH_KEY=header:x-api-key"},
			want:    []string{`BALANCER_HASH_KEY="header:X-Api-Key": is not there any more when a backend is chosen`},
		},
		"an id that is a credential": {
			environ: []string{"AUTH_API_KEYS=ci:" + apiKey, "REQUEST_ID_HEADER=x-api-key"},
			want:    []string{`REQUEST_ID_HEADER="X-Api-Key": must be a field that has no other meaning`},
		},
		"slips at the door": {
			environ: []string{"ALLOW_CIDR=10.0.0.0/8", "AUTH_API_KEY=a"},
			want:    []string{"ALLOW_CIDR: unknown; did you mean ALLOW_CIDRS?", "AUTH_API_KEY: unknown; did you mean AUTH_API_KEYS?"},
		},
		"a store of nothing": {
			environ: []string{"RATE_LIMIT_REDIS_URL=redis://localhost"},
			want:    []string{"RATE_LIMIT_REDIS_URL: is of no use without RATE_LIMIT"},
		},
		"tokens without keys": {environ: []string{"AUTH_JWT_ISSUER=a"}, want: []string{"AUTH_JWT_ISSUER: is of no use without AUTH_JWT_JWKS_URL"}},
		"access": {
			environ: []string{"ALLOW_CIDRS=10.0.0.0/33", "DENY_CIDRS=localhost,10.0.0.1", "TRUSTED_PROXIES=me", "CLIENT_IP_HEADER=Host"},
			want: []string{
				`ALLOW_CIDRS="10.0.0.0/33": "10.0.0.0/33" must be a network such as 10.0.0.0/8 or an address`,
				`DENY_CIDRS="localhost,10.0.0.1": "localhost" must be a network such as 10.0.0.0/8 or an address`,
				`TRUSTED_PROXIES="me": "me" must be a network such as 10.0.0.0/8 or an address`,
				`CLIENT_IP_HEADER="Host": must be the name of a header field that holds an address, such as X-Forwarded-For, Forwarded or Fly-Client-IP`,
			},
		},
		"the own endpoints":         {environ: []string{"ADMIN_PORT=8080", "ADMIN_PREFIX=status"}, want: []string{`ADMIN_PREFIX="status": must be a path such as /.spangate, of letters, digits, dots, dashes and underscores`, `ADMIN_PORT="8080": must not be that of PORT; leave it empty to have both on one`}},
		"load":                      {environ: []string{"MAX_CONCURRENT_REQUESTS=-1", "MAX_QUEUE=x", "MAX_QUEUE_WAIT=0"}, want: []string{`MAX_CONCURRENT_REQUESTS="-1": must be at least 0`, `MAX_QUEUE="x": must be a whole number`, `MAX_QUEUE_WAIT="0": must be at least 1ms`}},
		"sizes":                     {environ: []string{"MAX_REQUEST_BODY=10 apples", "MAX_HEADER_BYTES=1"}, want: []string{`MAX_REQUEST_BODY="10 apples": unit " apples" must be B, KB, MB, GB, KiB, MiB or GiB`, `MAX_HEADER_BYTES="1": must be at least 1KiB`}},
		"a request's time and name": {environ: []string{"REQUEST_TIMEOUT=-1s", "REQUEST_ID_HEADER=Host"}, want: []string{`REQUEST_TIMEOUT="-1s": must be at least 0`, `REQUEST_ID_HEADER="Host": must be the name of a header field such as X-Request-Id, or off`}},
		"one of each": {
			environ: []string{
				"RATE_LIMIT=x", "RATE_LIMIT_REDIS_URL=s3cret", "CORS_ALLOWED_ORIGINS=x", "AUTH_API_KEYS=s3cret", "ALLOW_CIDRS=x", "MAX_QUEUE=x",
				"MAX_REQUEST_BODY=x", "REQUEST_ID_HEADER=x y", "REQUEST_TIMEOUT=x", "ADMIN_PORT=x", "AUTH_APIKEYS=s3cret",
			},
			want: []string{
				`REQUEST_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`,
				`MAX_REQUEST_BODY="x": must be a whole number of bytes, such as 65536 or 64KiB`,
				`REQUEST_ID_HEADER="x y": must be the name of a header field such as X-Request-Id, or off`,
				`ALLOW_CIDRS="x": "x" must be a network such as 10.0.0.0/8 or an address`,
				`CORS_ALLOWED_ORIGINS="x": "x": must be scheme://host or scheme://host:port, such as https://app.example.com`,
				`RATE_LIMIT="x": must be a number of requests and a unit, such as 100/s`,
				`MAX_QUEUE="x": must be a whole number`,
				`ADMIN_PORT="x": must be a whole number from 0 to 65535`,
				"AUTH_API_KEYS: item 1: must be a name, a colon and a secret",
				"RATE_LIMIT_REDIS_URL: must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://",
				"AUTH_APIKEYS: unknown; did you mean AUTH_API_KEYS?",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{}, {"config"}} {
				var stdout, stderr strings.Builder
				err := command(t.Context(), args, append([]string{backends}, test.environ...), &stdout)
				if code := report(&stderr, err); code != 64 || stdout.Len() > 0 {
					t.Errorf("%q: exit code is %d, stdout %q", args, code, &stdout)
				}
				if diff := cmp.Diff(test.want, strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")); diff != "" {
					t.Errorf("%q: faults (-want +got):\n%s", args, diff)
				}
				if strings.Contains(stderr.String(), "s3cret") {
					t.Errorf("%q: shows a secret:\n%s", args, &stderr)
				}
			}
		})
	}
}

// TestPoliciesShowNoSecret looks for secrets that are right where a program
// tells of its configuration, and of requests that use them.
func TestPoliciesShowNoSecret(t *testing.T) {
	t.Parallel()
	bcrypted, err := bcrypt.GenerateFromPassword([]byte("open s3cret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const key, password = "s3cret-0123456789", "Authorization: Basic bWU6b3BlbiBzM2NyZXQ=" // me:open s3cret
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("ci:"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := []string{
		"AUTH_API_KEYS_FILE=" + file, "AUTH_BASIC_USERS=me:" + string(bcrypted), "AUTH_JWT_JWKS_URL=http://me:s3cret@" + refusing(t),
		"AUTH_JWT_ISSUER=a", "AUTH_JWT_AUDIENCE=b", "RATE_LIMIT=9/h", "RATE_LIMIT_KEY=header:X-Auth-Principal+header:X-Auth-Method", "RATE_LIMIT_REDIS_URL=redis://me:s3cret@" + refusing(t),
	}
	var stdout strings.Builder
	if err := command(t.Context(), []string{"config"}, append([]string{backends}, given...), &stdout); err != nil {
		t.Fatal(err)
	}
	backend := newFront(t)
	p := start(t, append(given, "BACKENDS="+backend.URL, "PROBE_MODE=off", "LOG_LEVEL=debug", "OTEL_LOGS_EXPORTER=otlp")...)
	p.await("rate limits are not shared")
	p.await("keys of tokens could not be fetched")
	for _, header := range [][]string{{"X-Api-Key: " + key}, {password}, {"X-Api-Key: x" + key}, {"Authorization: Bearer s3cret"}, {"Authorization: Basic s3cret"}, {"Authorization: s3cret s3cret"}} {
		text, _ := p.knock(t, knock{method: "GET", header: header})
		if strings.Contains(text, "s3cret") {
			t.Errorf("the response to %q is %s", header, text)
		}
	}
	_, status := p.ask(t, "GET", "/.spangate/status", nil)
	p.stop()
	for what, text := range map[string]string{
		"config": stdout.String(), "log": p.log.text.String(), "status": status,
		"spans": fmt.Sprint(p.collector.Spans()), "metrics": fmt.Sprint(p.collector.Metrics()), "logs": fmt.Sprint(p.collector.Logs()),
		"backend": fmt.Sprint(backend.all()),
	} {
		for _, secret := range []string{"s3cret", string(bcrypted), "bWU6b3BlbiBzM2NyZXQ"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q:\n%s", what, secret, text)
			}
		}
	}
	if n := backend.reached.Load(); n != 2 {
		t.Errorf("the backend was reached %d times, want by the key and by the password", n)
	}
}

// TestSeriesDoNotGrowByPolicies throws what clients can choose at policies:
// keys, tenants, principals, origins, ids and addresses. None of it may become
// a metric's attribute.
func TestSeriesDoNotGrowByPolicies(t *testing.T) {
	t.Parallel()
	issuer := newTokenIssuer(t)
	series := func(rounds int) map[string]int {
		p := start(t, append(issuer.environ(), "BACKENDS=echo:a", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none", "PROBE_MODE=off",
			"AUTH_API_KEYS=ci:"+apiKey, "CORS_ALLOWED_ORIGINS=https://*.app.test", "RATE_LIMIT=1/h,2/d", "RATE_LIMIT_KEY=header:X-Tenant",
			"RATE_LIMIT_MAX_KEYS=100", "DENY_CIDRS=203.0.113.0/25", "TRUSTED_PROXIES=127.0.0.0/8", "MAX_CONCURRENT_REQUESTS=5", "MAX_REQUEST_BODY=3")...)
		p.await("keys of tokens fetched")
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for i := range rounds {
			tenant, id := fmt.Sprintf("X-Tenant: %d", i), fmt.Sprintf("X-Request-Id: id-%d", i)
			from := fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i%256)
			token := issuer.bearer(nil, "sub", fmt.Sprintf("user-%d", i))
			for _, ask := range []struct {
				method string
				header []string
				want   int
			}{
				{"GET", []string{tenant, id, from, token, fmt.Sprintf("Origin: https://o%d.app.test", i)}, http.StatusOK},
				{"GET", []string{tenant, id, from, token}, http.StatusTooManyRequests},
				{"GET", []string{tenant + "x", id, from, "X-Api-Key: " + apiKey, fmt.Sprintf("Origin: https://o%d.test", i)}, http.StatusOK},
				{"GET", []string{tenant, fmt.Sprintf("X-Api-Key: 0123456789-%d", i)}, http.StatusUnauthorized},
				{"GET", []string{tenant, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i%128)}, http.StatusForbidden},
				{"OPTIONS", []string{fmt.Sprintf("Origin: https://o%d.app.test", i), "Access-Control-Request-Method: GET"}, http.StatusNoContent},
				{"OPTIONS", []string{fmt.Sprintf("Origin: https://o%d.test", i), fmt.Sprintf("Access-Control-Request-Method: M%d", i)}, http.StatusForbidden},
			} {
				r, err := http.NewRequestWithContext(t.Context(), ask.method, "http://"+p.addr, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, field := range ask.header {
					name, value, _ := strings.Cut(field, ": ")
					r.Header.Set(name, value)
				}
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != ask.want {
					t.Errorf("%q: status %d, want %d", ask.header, resp.StatusCode, ask.want)
				}
			}
		}
		p.stop()
		count := map[string]int{}
		for _, m := range p.collector.Metrics() {
			if m.Name == "http.client.connection.duration" {
				continue // has a series once a connection is closed
			}
			if strings.HasPrefix(m.Name, "http.") || strings.HasPrefix(m.Name, "spangate.") {
				count[m.Name] = len(m.Points)
			}
			if m.Name == "spangate.rate_limit.keys" && m.Points[0].Value > 128 {
				t.Errorf("%v keys are kept", m.Points[0].Value)
			}
		}
		return count
	}
	few, many := series(1), series(150)
	if diff := cmp.Diff(few, many); diff != "" || few["spangate.policy.rejections"] == 0 {
		t.Errorf("series after 7 requests and after 1050 (-7 +1050):\n%s", diff)
	}
}

// TestSeriesDoNotGrow throws all that clients can choose at the program: none of
// it may become a metric's attribute. The series are those of what the program
// itself knows: methods, schemes, versions and outcomes.
func TestSeriesDoNotGrow(t *testing.T) {
	t.Parallel()
	var kinds []anyRequest
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "unknown"} {
		for _, scheme := range []string{"http", "https"} {
			for outcome := range outcomesOfAny {
				kinds = append(kinds, anyRequest{method, scheme, outcome, false}, anyRequest{method, scheme, outcome, true})
			}
		}
	}
	few, many := seriesOf(t, kinds, len(kinds)), seriesOf(t, kinds, 2000)
	if diff := cmp.Diff(few, many); diff != "" || len(few) < 15 {
		t.Errorf("series after %d requests and after 2000 (-few +many):\n%s", len(kinds), diff)
	}
}

// anyRequest is one of the kinds of requests that have series of their own.
type anyRequest struct {
	method, scheme, outcome string
	http2                   bool
}

// outcomesOfAny are the statuses by what leads to them.
var outcomesOfAny = map[string]int{"let in": 200, "no key": 401, "wrong key": 401, "denied": 403, "limited": 429}

// send makes a request of the kind, and draws everything else.
func (a anyRequest) send(ctx context.Context, random *rand.Rand, client http.RoundTripper, addr string) (*http.Response, error) {
	word := func() string { return fmt.Sprintf("%x", random.Uint64()) }
	method, tenant, from := a.method, word(), "198.51.100."
	if method == "unknown" {
		method = "M" + strings.ToUpper(word())
	}
	switch a.outcome {
	case "limited":
		tenant = "limited"
	case "denied":
		from = "203.0.113."
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+addr+"/"+word()+"?"+word()+"="+word(), nil)
	if err != nil {
		return nil, err
	}
	r.Host = word() + ".test"
	for name, value := range map[string]string{
		"User-Agent": word(), "Accept": word(), "Cookie": word() + "=" + word(), "Referer": "https://" + word() + ".test/",
		"Origin": "https://" + word() + ".test", "X-Request-Id": word(), "X-Tenant": tenant,
		"X-Forwarded-For": from + fmt.Sprint(random.IntN(256)), "X-Forwarded-Proto": a.scheme, "X-Forwarded-Host": word(),
		"Forwarded": "for=" + word(), "Via": "1.1 " + word(), "X-Real-Ip": word(), "X-" + word(): word(),
		"Traceparent": fmt.Sprintf("00-%016x%016x-%016x-%02x", random.Uint64(), random.Uint64(), random.Uint64(), random.IntN(4)),
		"Tracestate":  word()[:1] + "=" + word(), "Baggage": word() + "=" + word(), "B3": word(),
	} {
		r.Header.Set(name, value)
	}
	switch a.outcome {
	case "no key":
	case "wrong key":
		r.Header.Set("X-Api-Key", word()+word())
	default:
		r.Header.Set("X-Api-Key", apiKey)
	}
	return client.RoundTrip(r)
}

// seriesOf returns how many series each metric has after so many requests, of
// each kind in turn.
func seriesOf(t *testing.T, kinds []anyRequest, requests int) map[string]int {
	p := start(t, "BACKENDS=echo:a", "ACCESS_LOG=off", "OTEL_TRACES_SAMPLER=always_off", "RETRY_ATTEMPTS=0", "TRUSTED_PROXIES=127.0.0.0/8",
		"AUTH_API_KEYS=ci:"+apiKey, "RATE_LIMIT=1/d", "RATE_LIMIT_KEY=header:X-Tenant", "DENY_CIDRS=203.0.113.0/24",
		"CORS_ALLOWED_ORIGINS=https://app.test", "MAX_CONCURRENT_REQUESTS=100")
	p.once(t.Context(), "GET", "/", nil, "X-Tenant: limited", "X-Api-Key: "+apiKey)

	const clients = 4
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), uint64(requests)))
			http1, http2 := &http.Transport{}, &http.Transport{Protocols: new(http.Protocols)}
			http2.Protocols.SetUnencryptedHTTP2(true)
			defer http1.CloseIdleConnections()
			defer http2.CloseIdleConnections()
			for i := client; i < requests; i += clients {
				kind, transport := kinds[i%len(kinds)], http1
				if kind.http2 {
					transport = http2
				}
				resp, err := kind.send(t.Context(), random, transport, p.addr)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if want := outcomesOfAny[kind.outcome]; resp.StatusCode != want {
					t.Errorf("%+v: status %d, want %d", kind, resp.StatusCode, want)
				}
			}
		})
	}
	all.Wait()
	p.stop()
	count := map[string]int{}
	for _, m := range p.collector.Metrics() {
		if m.Name == "http.client.connection.duration" {
			continue // has a series for each backend that has closed a connection by then
		}
		if strings.HasPrefix(m.Name, "http.") || strings.HasPrefix(m.Name, "spangate.") {
			count[m.Name] = len(m.Points)
		}
	}
	return count
}

// TestHostileTraceContext sends the program what is no trace context, or too
// much of it, as a stranger. The request is answered, its span has no parent,
// and the backend gets the context of the attempt and nothing else.
func TestHostileTraceContext(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got http.Header
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header
	}))
	t.Cleanup(backend.Close)
	p := start(t, "BACKENDS="+backend.URL, "MAX_HEADER_BYTES=512KiB", "TRACE_BAGGAGE=k")
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, header := range map[string][]string{
		"all is well":            {"Traceparent: " + parent, "Tracestate: a=b"},
		"version ff":             {"Traceparent: ff" + parent[2:]},
		"no trace":               {"Traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01"},
		"no span":                {"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"},
		"capitals":               {"Traceparent: " + strings.ToUpper(parent)},
		"very long":              {"Traceparent: " + parent + strings.Repeat("-00", 10_000)},
		"from the future":        {"Traceparent: 42" + parent[2:] + "-x"},
		"odd spelling":           {"tRACEPARENT: " + parent},
		"100 KiB of state":       {"Traceparent: " + parent, "Tracestate: a=" + strings.Repeat("b", 100<<10)},
		"500 states":             {"Traceparent: " + parent, "Tracestate: " + strings.Repeat("a=b,", 500)},
		"states without a trace": {"Tracestate: a=b"},
		"100 KiB of baggage":     {"Baggage: k=" + strings.Repeat("v", 100<<10)},
		"5000 pieces of it":      {"Baggage: " + strings.Repeat("a=b,", 5000)},
		"garbage":                {"Baggage: k%zz=%zz;;=,,", "B3: x", "X-Cloud-Trace-Context: 1/2/3;o=4", "Uber-Trace-Id: ::::"},
		"all formats":            {"Traceparent: " + parent, "B3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "Uberctx-K: v", "Ot-Baggage-K: v"},
	} {
		resp, err := p.send(t.Context(), "GET", "/", nil, header...)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", name, resp, err)
			continue
		}
		resp.Body.Close()
		mu.Lock()
		parents := got["Traceparent"]
		for field := range got {
			switch field {
			case "Accept-Encoding", "User-Agent", "Via", "X-Request-Id", "Traceparent":
			default:
				if !strings.HasPrefix(field, "X-Forwarded-") && field != "Forwarded" {
					t.Errorf("%s: the backend got %s: %.50q", name, field, got[field])
				}
			}
		}
		mu.Unlock()
		if len(parents) != 1 || strings.Contains(parents[0], parent[3:35]) {
			t.Errorf("%s: the backend got the contexts %q", name, parents)
		}
	}
	p.stop()
	if log := p.log.text.String(); strings.Contains(log, "baggage") {
		t.Errorf("strangers write to the log: %.500s", log)
	}
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" && (span.ParentID != "" || span.TraceState != "") {
			t.Errorf("a stranger's context was adopted: %+v", span)
		}
	}
}

// TestTraceContextInTrailers sends context behind the body, announced or not.
func TestTraceContextInTrailers(t *testing.T) {
	t.Parallel()
	trailers := make(chan http.Header, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		trailers <- r.Trailer
	}))
	t.Cleanup(backend.Close)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, test := range map[string]struct {
		environ []string
		http2   bool
		early   bool // announced before the body
		want    http.Header
	}{
		"announced":            {early: true, want: http.Header{"X-Sum": {"3"}}},
		"announced by HTTP/2":  {early: true, http2: true, want: http.Header{"X-Sum": {"3"}}},
		"by surprise":          {want: http.Header{"X-Sum": {"3"}}},
		"no trace of our own":  {environ: []string{"OTEL_PROPAGATORS=none"}, want: http.Header{"X-Sum": {"3"}}},
		"nothing is done here": {environ: []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, want: http.Header{"X-Sum": {"3"}}},
		"a believed peer's": {
			environ: []string{"OTEL_SDK_DISABLED=true", "TRUSTED_PROXIES=127.0.0.1"}, early: true,
			want: http.Header{"X-Sum": {"3"}}, // which is for the header alone, whoever sends it
		},
	} {
		p := start(t, append([]string{"BACKENDS=" + backend.URL}, test.environ...)...)
		trailer := http.Header{"X-Sum": nil}
		if test.early {
			trailer["Traceparent"], trailer["Uberctx-K"] = nil, nil
		}
		body := &atEnd{Reader: strings.NewReader("body"), do: func() {
			trailer["X-Sum"], trailer["Traceparent"], trailer["Uberctx-K"] = []string{"3"}, []string{parent}, []string{"v"}
		}}
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+p.addr, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Trailer = trailer
		transport := &http.Transport{DisableKeepAlives: true, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!test.http2)
		transport.Protocols.SetUnencryptedHTTP2(test.http2)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if diff := cmp.Diff(test.want, <-trailers); diff != "" {
			t.Errorf("%s: the backend's trailers (-want +got):\n%s", name, diff)
		}
		p.stop()
	}
}

// atEnd does something once all has been read.
type atEnd struct {
	io.Reader
	do func()
}

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err == io.EOF {
		a.do()
	}
	return n, err
}

// Cloud Run's front end starts a trace for each request and samples next to
// none: its word is heard, but does not decide.
func TestUnsampledParentOfAPlatform(t *testing.T) {
	t.Parallel()
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	for platform, want := range map[string]int{"none": 0, "cloudrun": 2} {
		p := start(t, "PLATFORM="+platform, "BACKENDS=echo:a", "TRUSTED_PROXIES=127.0.0.0/8")
		p.once(t.Context(), "GET", "/", nil, "Traceparent: 00-"+traceID+"-b7ad6b7169203331-00")
		p.stop()
		got := slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool { return s.TraceID != traceID })
		if len(got) != want {
			t.Errorf("%s: %d spans of the caller's trace, want %d", platform, len(got), want)
		}
	}
}

// TestKeptRequests samples nothing: what is exported of requests is of those
// that went wrong, and the program's own spans.
func TestKeptRequests(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "BACKENDS="+backend.URL, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0", "RETRY_ATTEMPTS=1", "RETRY_BACKOFF=1ms", "TRACE_KEEP=error,retry")
	for _, statuses := range [][]int{{200}, {503, 200}, {200}, {503, 503}, {500}} {
		go func() {
			for _, status := range statuses {
				backend.statuses <- status
			}
		}()
		p.once(t.Context(), "GET", "/", nil)
	}
	p.stop()
	got := otlptest.Tree(slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool {
		return s.Name == "probe" || s.Name == "backend_state_change"
	}), "spangate.sampling.reason", "http.response.status_code")
	want := "GET SERVER Unset spangate.sampling.reason=retry http.response.status_code=200\n" +
		"  GET CLIENT Error http.response.status_code=503\n  retry INTERNAL Unset\n  GET CLIENT Unset http.response.status_code=200 link=2\n" +
		"GET SERVER Error spangate.sampling.reason=error http.response.status_code=503\n" +
		"  GET CLIENT Error http.response.status_code=503\n  retry INTERNAL Unset\n  GET CLIENT Error http.response.status_code=503 link=6\n" +
		"GET SERVER Error spangate.sampling.reason=error http.response.status_code=500\n" +
		"  GET CLIENT Error http.response.status_code=500\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestServerTiming(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server-Timing", "db;dur=1")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(backend.Close)
	const ours = `traceparent;desc="00-TRACE-01", spangate;dur=0.0`
	for name, test := range map[string]struct {
		environ []string
		want    []string // with identifiers and digits replaced
	}{
		"off":           {nil, []string{"db;dur=1"}},
		"forwarded":     {[]string{"SERVER_TIMING=true"}, []string{"db;dur=1", ours + ", backend;dur=0.0"}},
		"refused":       {[]string{"SERVER_TIMING=true", "DENY_CIDRS=127.0.0.1"}, []string{ours}},
		"nobody there":  {[]string{"SERVER_TIMING=true", "BACKENDS=http://" + refusing(t), "PROBE_MODE=off"}, []string{ours + ", backend;dur=0.0"}},
		"disabled":      {[]string{"SERVER_TIMING=true", "OTEL_SDK_DISABLED=true", "DENY_CIDRS=127.0.0.1"}, []string{"spangate;dur=0.0"}},
		"not a sampled": {[]string{"SERVER_TIMING=true", "OTEL_TRACES_SAMPLER=always_off", "DENY_CIDRS=127.0.0.1"}, []string{strings.Replace(ours, "TRACE-01", "TRACE-00", 1)}},
	} {
		p := start(t, append([]string{"BACKENDS=" + backend.URL}, test.environ...)...)
		resp, _ := p.ask(t, "GET", "/", nil)
		p.stop()
		got := slices.Clone(resp.Header["Server-Timing"])
		for _, span := range p.collector.Spans() {
			if span.Kind == "SERVER" {
				for i := range got {
					got[i] = strings.Replace(got[i], span.TraceID+"-"+span.SpanID, "TRACE", 1)
				}
			}
		}
		for i := range got {
			if strings.Contains(got[i], "spangate") {
				got[i] = regexp.MustCompile(`dur=[0-9]+\.[0-9]{3}`).ReplaceAllString(got[i], "dur=0.0")
				got[i] = regexp.MustCompile(`00-[0-9a-f]{32}-[0-9a-f]{16}-00`).ReplaceAllString(got[i], "00-TRACE-00")
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestResources starts the program as each platform does, and looks at who it
// says sends.
func TestResources(t *testing.T) {
	t.Parallel()
	for platform, test := range map[string]struct {
		environ []string
		want    map[string]any
	}{
		"cloudrun": {
			[]string{"K_SERVICE=shop", "K_REVISION=shop-00007", "GOOGLE_CLOUD_PROJECT=acme"},
			map[string]any{"cloud.provider": "gcp", "cloud.platform": "gcp_cloud_run", "faas.name": "shop", "faas.version": "shop-00007", "cloud.account.id": "acme"},
		},
		"fly": {
			[]string{"FLY_APP_NAME=shop", "FLY_REGION=ams", "FLY_MACHINE_ID=e286", "FLY_MACHINE_VERSION=01H", "FLY_IMAGE_REF=registry/shop:1"},
			map[string]any{"faas.name": "shop", "faas.version": "01H", "faas.instance": "e286", "cloud.region": "ams", "container.image.name": "registry/shop:1"},
		},
		"azure": {
			[]string{"CONTAINER_APP_NAME=shop", "CONTAINER_APP_REVISION=shop--1", "CONTAINER_APP_REPLICA_NAME=shop--1-x"},
			map[string]any{"cloud.provider": "azure", "cloud.platform": "azure.container_apps", "faas.name": "shop", "faas.version": "shop--1", "faas.instance": "shop--1-x"},
		},
		"ecs": {
			[]string{"ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/x", "AWS_REGION=eu-west-1"},
			map[string]any{"cloud.provider": "aws", "cloud.platform": "aws_ecs", "cloud.region": "eu-west-1"},
		},
		"kubernetes": {
			[]string{
				"KUBERNETES_SERVICE_HOST=10.0.0.1", "K8S_CLUSTER_NAME=c", "K8S_NAMESPACE_NAME=ns", "K8S_NODE_NAME=n", "K8S_DEPLOYMENT_NAME=d",
				"K8S_POD_NAME=p", "K8S_POD_UID=u", "K8S_CONTAINER_NAME=spangate",
			},
			map[string]any{
				"k8s.cluster.name": "c", "k8s.namespace.name": "ns", "k8s.node.name": "n", "k8s.deployment.name": "d",
				"k8s.pod.name": "p", "k8s.pod.uid": "u", "k8s.container.name": "spangate",
			},
		},
		"none": {[]string{"AWS_REGION=eu-west-1", "K8S_POD_NAME=p"}, map[string]any{}},
	} {
		p := start(t, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off", "SHUTDOWN_DELAY=0s"}, test.environ...)...)
		p.once(t.Context(), "GET", "/", nil)
		p.stop()
		spans := p.collector.Spans()
		if len(spans) == 0 {
			t.Errorf("%s: no spans", platform)
			continue
		}
		got := map[string]any{}
		for name, value := range spans[0].Resource {
			for _, of := range []string{"cloud.", "faas.", "k8s.", "container."} {
				if strings.HasPrefix(name, of) {
					got[name] = value
				}
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", platform, diff)
		}
	}
	p := start(t, "BACKENDS=echo:a", "PLATFORM=cloudrun", "K_SERVICE=shop", "OTEL_SERVICE_NAME=front", "OTEL_RESOURCE_ATTRIBUTES=faas.name=other")
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	if r := p.collector.Spans()[0].Resource; r["service.name"] != "front" || r["faas.name"] != "other" {
		t.Errorf("what is said explicitly does not count: %v", r)
	}
}

// TestLogOfGoogleCloud reads the lines of a request and of a change as Google
// Cloud Logging does.
func TestLogOfGoogleCloud(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=http://"+refusing(t), "PLATFORM=cloudrun", "GOOGLE_CLOUD_PROJECT=acme", "PROBE_MODE=active", "RETRY_ATTEMPTS=0")
	p.await(`"spangate.backend.state":"down"`)
	p.once(t.Context(), "GET", "/a%20b?token=s3cret", nil, "User-Agent: test")
	p.stop()
	lines := map[any]map[string]any{}
	for line := range strings.Lines(p.log.text.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if _, err := time.Parse(time.RFC3339Nano, fields["time"].(string)); err != nil {
			t.Error(err)
		}
		lines[fields["message"]] = fields
	}
	change, request := lines["backend state changed"], lines["request"]
	if change["severity"] != "WARNING" || request["severity"] != "ERROR" {
		t.Errorf("severities %v of a backend that is lost, %v of a request", change["severity"], request["severity"])
	}
	about := request["httpRequest"].(map[string]any)
	latency, _ := about["latency"].(string)
	if d, err := time.ParseDuration(latency); err != nil || d <= 0 {
		t.Errorf("latency %q: %v", latency, err)
	}
	delete(about, "latency")
	want := map[string]any{
		"requestMethod": "GET", "requestUrl": "http://" + p.addr + "/a%20b?token=REDACTED", "status": 503.0, "responseSize": about["responseSize"],
		"protocol": "HTTP/1.1", "remoteIp": "127.0.0.1", "userAgent": "test",
	}
	if diff := cmp.Diff(want, about); diff != "" {
		t.Errorf("httpRequest (-want +got):\n%s", diff)
	}
	for _, span := range p.collector.Spans() {
		if span.Kind != "SERVER" {
			continue
		}
		got := []any{request["logging.googleapis.com/trace"], request["logging.googleapis.com/spanId"], request["logging.googleapis.com/trace_sampled"]}
		if diff := cmp.Diff([]any{"projects/acme/traces/" + span.TraceID, span.SpanID, true}, got); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
		if size, _ := about["responseSize"].(string); size != fmt.Sprint(span.Attributes["http.response.body.size"]) {
			t.Errorf("responseSize %q, want %v", size, span.Attributes["http.response.body.size"])
		}
	}
}

// A text that is not UTF-8 cannot be sent, and neither could the batch with it.
func TestTextsThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "RATE_LIMIT=2/h", "RATE_LIMIT_KEY=global")
	for range 3 { // the last is denied, which is an event
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /?\xff HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b\xff\r\nUser-Agent: c\xff\r\nConnection: close\r\n\r\n")
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
	got := map[string]int{}
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" {
			got[fmt.Sprintf("%v %v %v", span.Attributes["url.query"], span.Attributes["server.address"], span.Attributes["user_agent.original"])]++
		}
	}
	// A host that is none is not believed, whoever says so.
	if diff := cmp.Diff(map[string]int{"\uFFFD a c\uFFFD": 3}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, m := range p.collector.Metrics() {
		for _, point := range m.Points {
			if m.Name == "spangate.telemetry.spans" && point.Attributes["spangate.telemetry.result"] != "exported" && point.Value > 0 {
				t.Errorf("%v spans were %v", point.Value, point.Attributes)
			}
		}
	}
}

// Nobody reads what the console exporters write: the program serves, delivers
// what it can, and leaves.
func TestConsoleThatNobodyReads(t *testing.T) {
	t.Parallel()
	collector := otlptest.NewServer(t)
	unread, stdout := io.Pipe()
	defer stdout.Close()
	first := make(chan string, 1)
	go func() { // the line that says where it listens, and no more
		for lines := bufio.NewScanner(unread); lines.Scan(); {
			if _, rest, ok := strings.Cut(lines.Text(), `"address":"`); ok {
				address, _, _ := strings.Cut(rest, `"`)
				first <- address
				return
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"BACKENDS=echo:a", "HOST=127.0.0.1", "PORT=0", "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL(),
			"OTEL_TRACES_EXPORTER=otlp,console", "OTEL_METRICS_EXPORTER=otlp,console", "OTEL_LOGS_EXPORTER=otlp,console",
		}, stdout)
	}()
	p := &program{addr: <-first}
	for range 100 {
		p.once(t.Context(), "GET", "/", nil)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if n := len(collector.Spans()); n != 200 {
		t.Errorf("the collector received %d spans, want 200", n)
	}
	if len(collector.Metrics()) == 0 {
		t.Error("the collector received no metrics")
	}
}

func TestKnownMethods(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=GET, PURGE")
	for _, method := range []string{"GET", "PURGE", "POST"} {
		p.once(t.Context(), method, "/", nil)
	}
	p.stop()
	want := "GET SERVER Unset http.request.method=GET\n  GET CLIENT Unset http.request.method=GET\n" +
		"PURGE SERVER Unset http.request.method=PURGE\n  PURGE CLIENT Unset http.request.method=PURGE\n" +
		"HTTP SERVER Unset http.request.method=_OTHER http.request.method_original=POST\n  HTTP CLIENT Unset http.request.method=_OTHER http.request.method_original=POST\n"
	if diff := cmp.Diff(want, otlptest.Tree(p.collector.Spans(), "http.request.method", "http.request.method_original")); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestSecretsInAQueryAreNotShown(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a")
	p.once(t.Context(), "GET", "/path?a=1&token=s3cret", nil)
	p.stop()
	want := "GET SERVER Unset url.query=a=1&token=REDACTED\n" +
		"  GET CLIENT Unset url.full=" + "http://" // and the port of the built-in backend
	got := otlptest.Tree(p.collector.Spans(), "url.query", "url.full")
	if !strings.Contains(got, want) || !strings.Contains(got, "/path?a=1&token=REDACTED\n") {
		t.Errorf("spans are\n%s", got)
	}
	if log := p.log.text.String(); strings.Contains(log, "s3cret") {
		t.Errorf("the log shows it: %s", log)
	}
}

// An exemplar leads from a duration to a trace: to one that was exported.
func TestExemplarsLeadToExportedTraces(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_PATH=/", "TRACE_TRUST=trust")
	const sampled, unsampled = "0af7651916cd43dd8448eb211c80319c", "11111111111111112222222222222222"
	for range 3 {
		p.once(t.Context(), "GET", "/", nil, "Traceparent: 00-"+sampled+"-b7ad6b7169203331-01")
		p.once(t.Context(), "GET", "/", nil, "Traceparent: 00-"+unsampled+"-b7ad6b7169203331-00")
	}
	p.stop()
	exported := map[string]bool{}
	for _, span := range p.collector.Spans() {
		exported[span.TraceID+span.SpanID] = true
	}
	found := map[string]bool{}
	for _, m := range p.collector.Metrics() {
		for _, point := range m.Points {
			for _, e := range point.Exemplars {
				if found[m.Name] = true; !exported[e.TraceID+e.SpanID] {
					t.Errorf("%s: trace %s, span %s were not exported", m.Name, e.TraceID, e.SpanID)
				}
			}
		}
	}
	for _, name := range []string{
		"http.server.request.duration", "http.client.request.duration", "spangate.forward.duration", "spangate.time_to_first_byte",
	} {
		if !found[name] {
			t.Errorf("%s has no exemplar", name)
		}
	}
}

func TestDurationBuckets(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a")
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	want := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	found := 0
	for _, m := range p.collector.Metrics() {
		if m.Name != "http.server.request.duration" && m.Name != "http.client.request.duration" {
			continue
		}
		found++
		if diff := cmp.Diff(want, m.Points[0].Bounds); diff != "" || m.Unit != "s" || m.Points[0].Count != 1 {
			t.Errorf("%s: unit %s, count %d, bounds (-want +got):\n%s", m.Name, m.Unit, m.Points[0].Count, diff)
		}
	}
	if found != 2 {
		t.Errorf("found %d of the two histograms", found)
	}
}

func TestAPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	err = run(t.Context(), []string{"BACKENDS=echo:a", "HOST=127.0.0.1", "PORT=" + port, "OTEL_SDK_DISABLED=true"}, io.Discard)
	if _, bad := errors.AsType[faults](err); err == nil || bad || !strings.Contains(err.Error(), "PORT") {
		t.Errorf("a port in use: %v, want an error that names PORT and is no fault of the configuration", err)
	}
}

// addressOf announces the address that the program listens on, and drops what
// it writes beside.
type addressOf chan string

func (a addressOf) Write(p []byte) (int, error) {
	if _, rest, ok := bytes.Cut(p, []byte(`"address":"`)); ok {
		address, _, _ := bytes.Cut(rest, []byte(`"`))
		a <- string(address)
	}
	return len(p), nil
}

// skipHead reads a message up to its body.
func skipHead(r *bufio.Reader) error {
	for {
		if line, err := r.ReadSlice('\n'); err != nil || len(line) == len("\r\n") {
			return err
		}
	}
}

// repeating returns the address of a server that answers each request with
// text, and allocates nothing for it.
func repeating(b *testing.B, text string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	answer := []byte(text)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); skipHead(r) == nil; {
					conn.Write(answer)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// BenchmarkForward is the whole program between a client and a backend that
// keep their connections. Only the program allocates.
func BenchmarkForward(b *testing.B) {
	const size = 1 << 10
	header := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n", size)
	backend := repeating(b, header+strings.Repeat("x", size))
	request := []byte("GET /a/path?with=query HTTP/1.1\r\nHost: example.com\r\nUser-Agent: benchmark\r\n" +
		"Accept: */*\r\nAccept-Language: en\r\nCookie: session=0123456789\r\n\r\n")
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	b.Cleanup(collector.Close)

	for name, environ := range map[string][]string{
		"bare":                   {"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"},
		"with a log":             {"OTEL_SDK_DISABLED=true"},
		"unsampled":              {"OTEL_TRACES_SAMPLER=always_off", "ACCESS_LOG=off"},
		"sampled":                {"ACCESS_LOG=off"},
		"sampled and with a log": {},
	} {
		b.Run(name, func(b *testing.B) {
			environ := append([]string{"HOST=127.0.0.1", "PORT=0", "BACKENDS=http://" + backend, "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL}, environ...)
			address, ended := make(addressOf, 1), make(chan struct{})
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				defer close(ended)
				if err := run(ctx, environ, address); err != nil {
					b.Errorf("run: %v", err)
				}
			}()
			b.Cleanup(func() { cancel(); <-ended })
			var addr string
			select {
			case addr = <-address:
			case <-ended:
				b.FailNow()
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				conn.Write(request)
				if err := skipHead(r); err != nil {
					b.Fatal(err)
				}
				r.Discard(size)
			}
		})
	}
}

// A platform's proxy that starts a trace for each request and samples next to
// none must not decide what is recorded, though its word is believed.
func TestCloudRunRecordsWhatItsProxyDoesNot(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PLATFORM=cloudrun", "TRUSTED_PROXIES=127.0.0.0/8")
	p.once(t.Context(), "GET", "/", nil, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	p.stop()
	for _, span := range p.collector.Spans() {
		if span.Kind == "SERVER" && span.TraceID == "0af7651916cd43dd8448eb211c80319c" && span.ParentID == "b7ad6b7169203331" {
			return
		}
	}
	t.Errorf("no SERVER span in the proxy's trace among %v", p.collector.Spans())
}
