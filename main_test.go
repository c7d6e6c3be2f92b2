package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/environ"
	"spangate/telemetry/otlptest"
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
				if _, _, err := environ.Load(&config{}, []string{backends, v.Name + "=" + text}); err != nil {
					t.Errorf("default or min: %v", err)
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
		if err := os.WriteFile("README.md", []byte(before+begin+environ.Table(&config{})+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(environ.Table(&config{}), got); diff != "" {
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
		"help":              {args: []string{"help"}, wantOut: []string{"spangate healthcheck", "| `PORT` | `8080` | TCP port", "kubernetes: `25s`"}},
		"version":           {args: []string{"version"}, wantOut: []string{"spangate ", " go1."}},
		"unknown argument":  {args: []string{"serve"}, wantCode: 64, wantErr: `unknown argument "serve": there are config, healthcheck, version and help`},
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
		"a delay that leaves some":   {environ: []string{backends, "SHUTDOWN_DELAY=2999ms", "SHUTDOWN_TIMEOUT=4s"}},
		"a platform's delay":         {environ: []string{backends, "PLATFORM=kubernetes", "SHUTDOWN_TIMEOUT=3s"}},
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
	{"spangate/telemetry", []string{"spangate", "spangate/telemetry"}},
	{"spangate/handler/environ", []string{"spangate"}},
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
var standalone = []string{"spangate/balancer/framing", "spangate/policy/size", "spangate/handler/environ"}

func TestImports(t *testing.T) {
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
		if strings.HasSuffix(stray, "_FILE") {
			t.Skip("reads a file")
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
		var line struct{ Msg, Address string }
		if json.Unmarshal(text, &line) == nil && line.Msg == "listening" {
			l.address <- line.Address
		}
	}
	defer l.written.Broadcast()
	return l.text.Write(p)
}

// has reports whether a line with text in it has been written.
func (l *logLines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
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
	p := &program{collector: otlptest.NewServer(t), log: &logLines{address: make(chan string, 1)}}
	p.log.written.L = &p.log.mu
	environ = append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_EXPORTER_OTLP_ENDPOINT=" + p.collector.URL()}, environ...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx, environ, p.log); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	p.stop = func() { cancel(); <-ended }
	t.Cleanup(p.stop)
	select {
	case p.addr = <-p.log.address:
	case <-ended:
		t.FailNow()
	}
	return p
}

// await returns when a line with text in it has been written.
func (p *program) await(text string) {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	for !strings.Contains(p.log.text.String(), text) {
		p.log.written.Wait()
	}
}

// once makes a request on a connection of its own and reads all of the
// response, as far as there is one.
func (p *program) once(ctx context.Context, method, target string, body io.Reader, header ...string) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+target, body)
	if err != nil {
		panic(err)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
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
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended); ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				if text == "" {
					<-ended
				}
				io.WriteString(conn, text)
			}()
		}
	}()
	return ln.Addr().String()
}

// TestOutcomes holds the table of telemetry's contract: what happened, and what
// spans, metrics and log say of it.
func TestOutcomes(t *testing.T) {
	status := func(code int) string {
		return saying(t, fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", code))
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
			backends: "http://" + saying(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
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

func TestOutcomeOfAClientThatWentAway(t *testing.T) {
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
	answers := func(text string) string { return "http://" + saying(t, text) }
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	const unavailable = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
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

// TestEjectionAndReturn follows a backend that fails one request, is left out,
// and comes back.
func TestEjectionAndReturn(t *testing.T) {
	p := start(t, "PROBE_MODE=off", "OUTLIER_FAILURES=1", "OUTLIER_EJECTION=50ms", "RETRY_ATTEMPTS=1", "RETRY_ON=503",
		"BACKENDS=http://"+saying(t, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")+",echo:b")
	for !p.log.has("ejection_ended") {
		p.once(t.Context(), "GET", "/", nil)
	}
	p.stop()
	var states []string
	for _, span := range p.collector.Spans() {
		if span.Name == "backend_state_change" {
			states = append(states, fmt.Sprint(span.Attributes["spangate.backend.previous_state"], ">", span.Attributes["spangate.backend.state"], " links ", len(span.Links)))
		}
	}
	if diff := cmp.Diff([]string{"unknown>ejected links 1", "ejected>unknown links 0"}, states[:2]); diff != "" {
		t.Errorf("state changes (-want +got):\n%s", diff)
	}
}

// TestFullOutage counts what reaches backends that all fail: retries must not
// multiply the load on them.
func TestFullOutage(t *testing.T) {
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
	const requests, clients = 6000, 4
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
				if span.Kind == "SERVER" {
					server = span
				} else {
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

// TestSeriesDoNotGrow throws what clients can choose at the program: none of it
// may become a metric's attribute.
func TestSeriesDoNotGrow(t *testing.T) {
	series := func(requests int) map[string]int {
		p := start(t, "BACKENDS=echo:a,echo:b", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none", "RETRY_ATTEMPTS=0")
		transport := &http.Transport{}
		for i := range requests {
			r, err := http.NewRequestWithContext(t.Context(), fmt.Sprintf("M%d", i), fmt.Sprintf("http://%s/%d?q=%d", p.addr, i, i), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = fmt.Sprintf("host-%d.test", i)
			r.Header.Set("User-Agent", fmt.Sprint("agent", i))
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d", i%256))
			r.Header.Set("X-Forwarded-Proto", fmt.Sprint("proto", i))
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
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
	few, many := series(4), series(400)
	if diff := cmp.Diff(few, many); diff != "" || len(few) == 0 {
		t.Errorf("series after 4 requests and after 400 (-4 +400):\n%s", diff)
	}
}

func TestDurationBuckets(t *testing.T) {
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
