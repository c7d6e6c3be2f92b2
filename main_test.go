package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"spangate/handler"
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

func TestLoadNamesAllFaults(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"none": {environ: []string{backends}},
		"several at once": {
			environ: []string{backends, "RETRY_ATTEMPTS=some", "IDLE_TIMEOUT=10", "PORT=70000"},
			want: []string{
				`RETRY_ATTEMPTS="some": must be a whole number`,
				`PORT="70000": must be a whole number from 0 to 65535`,
				`IDLE_TIMEOUT="10": must be a duration such as 500ms, 10s or 1m30s`,
			},
		},
		"same field of two structs": {
			environ: []string{backends, "BACKEND_IDLE_TIMEOUT=x", "IDLE_TIMEOUT=y"},
			want: []string{
				`BACKEND_IDLE_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`,
				`IDLE_TIMEOUT="y": must be a duration such as 500ms, 10s or 1m30s`,
			},
		},
		"empty is not set": {environ: []string{backends, "PORT=", "RETRY_ATTEMPTS=", "RETRY_ATEMPTS="}},
		"not a level": {
			environ: []string{backends, "LOG_LEVEL=loud"},
			want:    []string{`LOG_LEVEL="loud": must be debug, info, warn or error`},
		},
		"not a bool": {
			environ: []string{backends, "OTEL_SDK_DISABLED=perhaps"},
			want:    []string{`OTEL_SDK_DISABLED="perhaps": must be true or false`},
		},
		"out of range": {
			environ: []string{backends, "RETRY_ATTEMPTS=9999999999"},
			want:    []string{`RETRY_ATTEMPTS="9999999999": is out of range`},
		},
		"a type's own reason": {
			environ: []string{backends, "MAX_HEADER_BYTES=64QB"},
			want:    []string{`MAX_HEADER_BYTES="64QB": must be a whole number of bytes, such as 65536 or 64KiB`},
		},
		"negative": {
			environ: []string{backends, "RETRY_ATTEMPTS=-1", "RETRY_BACKOFF=-1s"},
			want: []string{
				`RETRY_ATTEMPTS="-1": must be at least 0`,
				`RETRY_BACKOFF="-1s": must be at least 0`,
			},
		},
		"below the least": {
			environ: []string{backends, "PROBE_TIMEOUT=1us", "MAX_HEADER_BYTES=1023"},
			want: []string{
				`PROBE_TIMEOUT="1us": must be at least 1ms`,
				`MAX_HEADER_BYTES="1023": must be at least 1KiB`,
			},
		},
		"a prefix in a struct's tag": {
			environ: []string{backends, "OTEL_BSP_MAX_QUEUE_SIZE=0", "OTEL_BLRP_MAX_QUEUE_SIZE=x"},
			want: []string{
				`OTEL_BSP_MAX_QUEUE_SIZE="0": must be at least 1`,
				`OTEL_BLRP_MAX_QUEUE_SIZE="x": must be a whole number`,
			},
		},
		"a platform that is none": {
			environ: []string{backends, "PLATFORM=heroku"},
			want:    []string{`PLATFORM="heroku": must be one of auto, fly, azure, ecs, kubernetes, cloudrun, none`},
		},
		"a secret's value stays secret": {
			environ: []string{backends, "OTEL_EXPORTER_OTLP_HEADERS=s3cret"},
			want:    []string{"OTEL_EXPORTER_OTLP_HEADERS: malformed; expected: comma list of key=value, percent-encoded, sent with every export"},
		},
		"line breaks do not break the line": {
			environ: []string{backends, "PORT=80\n80", "RETRY_BACKOF\n=1"},
			want: []string{
				`PORT="80\n80": must be a whole number from 0 to 65535`,
				"RETRY_BACKOF\uFFFD: unknown; did you mean RETRY_BACKOFF?",
			},
		},
		"a warning goes with the faults": {
			environ: []string{backends, "LOG_LEVLE=debug", "PORT=x"},
			want: []string{
				`PORT="x": must be a whole number from 0 to 65535`,
				"LOG_LEVLE: unknown; did you mean LOG_LEVEL?",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := load(test.environ)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRequiresBackends(t *testing.T) {
	for name, environ := range map[string][]string{
		"not set": nil,
		"empty":   {"BACKENDS="},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := load(environ)
			if got := lines(err); len(got) != 1 || !strings.HasPrefix(got[0], "BACKENDS: required") {
				t.Errorf("faults are %q, want that BACKENDS is required", got)
			}
		})
	}
}

// Loading variable by variable must not mean anything else than package env's
// own way of reading a struct.
func TestLoadAgreesWithEnv(t *testing.T) {
	environ := []string{
		"BACKENDS=http://a:3000;weight=3,echo:b", "RETRY_BACKOFF=0.5s", "PLATFORM=none", "PORT=0", "LOG_LEVEL=WARN",
		"TRUSTED_PROXIES=10.0.0.0/8", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b,c=d", "OTEL_BSP_MAX_QUEUE_SIZE=7",
	}
	got, _, _, err := load(environ)
	if err != nil {
		t.Fatal(err)
	}
	var want config
	if err := env.ParseWithOptions(&want, env.Options{Environment: env.ToMap(environ)}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("load gives\n%+v\nenv gives\n%+v", got, want)
	}
}

func TestOrigins(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(secret, []byte("a=b\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const headers = "OTEL_EXPORTER_OTLP_HEADERS"
	for name, test := range map[string]struct {
		environ            []string
		variable           string
		wantText, wantFrom string
	}{
		"set":                      {[]string{"PORT=1"}, "PORT", "1", "set"},
		"set to the default":       {[]string{"PORT=8080"}, "PORT", "8080", "set"},
		"default":                  {nil, "PORT", "8080", "default"},
		"empty":                    {[]string{"PORT="}, "PORT", "8080", "default"},
		"no default":               {nil, "HOST", "", "default"},
		"secret set":               {[]string{headers + "=a=b"}, headers, "a=b", "set"},
		"secret in a file":         {[]string{headers + "_FILE=" + secret}, headers, "a=b", "file"},
		"secret empty, and a file": {[]string{headers + "=", headers + "_FILE=" + secret}, headers, "a=b", "file"},
		"nowhere":                  {nil, "PLATFORM", "none", "platform"},
		"auto":                     {[]string{"PLATFORM=auto"}, "PLATFORM", "none", "platform"},
		"platform named":           {[]string{"PLATFORM=fly"}, "PLATFORM", "fly", "set"},
		"its default":              {[]string{"PLATFORM=fly"}, "SHUTDOWN_TIMEOUT", "4500ms", "platform"},
		"its mark does not count":  {[]string{"PLATFORM=none", "K_SERVICE=x"}, "SHUTDOWN_TIMEOUT", "10s", "default"},
		"set goes first":           {[]string{"FLY_APP_NAME=x", "SHUTDOWN_TIMEOUT=1s"}, "SHUTDOWN_TIMEOUT", "1s", "set"},
		"fly":                      {[]string{"FLY_APP_NAME=x"}, "SHUTDOWN_TIMEOUT", "4500ms", "platform"},
		"azure":                    {[]string{"CONTAINER_APP_NAME=x", "KUBERNETES_SERVICE_HOST=x"}, "PLATFORM", "azure", "platform"},
		"ecs":                      {[]string{"ECS_CONTAINER_METADATA_URI_V4=x"}, "PLATFORM", "ecs", "platform"},
		"kubernetes":               {[]string{"KUBERNETES_SERVICE_HOST=x"}, "SHUTDOWN_DELAY", "5s", "platform"},
		"knative":                  {[]string{"KUBERNETES_SERVICE_HOST=x", "K_SERVICE=x"}, "PLATFORM", "kubernetes", "platform"},
		"cloudrun":                 {[]string{"K_SERVICE=x"}, "SHUTDOWN_TIMEOUT", "9s", "platform"},
	} {
		t.Run(name, func(t *testing.T) {
			_, variables, _, err := load(append(test.environ, backends))
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(variables, func(v variable) bool { return v.name == test.variable })
			if got := variables[i]; got.text != test.wantText || got.origin != test.wantFrom {
				t.Errorf("%s is %q (%s), want %q (%s)", got.name, got.text, got.origin, test.wantText, test.wantFrom)
			}
		})
	}
}

func TestSecretFileFaults(t *testing.T) {
	const headers = "OTEL_EXPORTER_OTLP_HEADERS"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		path, value string
		want        string // PATH stands for the path
	}{
		"missing":        {path: filepath.Join(dir, "none"), want: headers + `_FILE="PATH": no such file or directory`},
		"a directory":    {path: dir, want: headers + `_FILE="PATH": is a directory`},
		"empty":          {path: write("empty", "\n"), want: headers + `_FILE="PATH": is empty`},
		"too large":      {path: write("large", strings.Repeat("x", maxSecret+1)), want: headers + `_FILE="PATH": is larger than 64 KiB`},
		"set twice":      {path: write("twice", "a=b"), value: "c=d", want: headers + `_FILE="PATH": ` + headers + ` is set too`},
		"bad content":    {path: write("bad", "s3cret"), want: headers + ": malformed; expected: comma list of key=value, percent-encoded, sent with every export"},
		"nearly too big": {path: write("fits", "a="+strings.Repeat("x", maxSecret-2))},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := load([]string{backends, headers + "_FILE=" + test.path, headers + "=" + test.value})
			if diff := cmp.Diff(test.want, strings.ReplaceAll(strings.Join(lines(err), "\n"), test.path, "PATH")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestURLCredentialsAreNotShown(t *testing.T) {
	_, _, _, err := load([]string{"BACKENDS=http://me:s3cret@a:3000", "TRUSTED_PROXIES=http://me:s3cret@b"})
	got := lines(err)
	if len(got) != 2 || !strings.HasPrefix(got[0], `BACKENDS="http://***@a:3000": `) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("faults are %q, want two without the password", got)
	}
}

func TestStrays(t *testing.T) {
	known := []string{
		"BACKENDS", "BALANCER", "BACKEND_HOST", "BACKEND_IDLE_TIMEOUT", "RETRY_ATTEMPTS", "RETRY_ON", "HOST", "PORT", "PLATFORM",
		"SHUTDOWN_TIMEOUT", "RATE_LIMIT", "RATE_LIMIT_BURST", "CORS_ALLOWED_ORIGINS", "CORS_MAX_AGE", "LOG_LEVEL", "ADMIN_PORT",
		"TLS_CERT_FILE", "AUTH_API_KEYS", "AUTH_API_KEYS_FILE", "OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT",
	}
	for name, test := range map[string]struct {
		given string
		want  string // name of the nearest; none: not reported
		warn  bool
	}{
		"letters swapped":               {given: "RATE_LIMTI", want: "RATE_LIMIT"},
		"letter missing":                {given: "RETRY_ATEMPTS", want: "RETRY_ATTEMPTS"},
		"letter missing, far back":      {given: "SHUTDOWN_TIMOUT", want: "SHUTDOWN_TIMEOUT"},
		"letter too many":               {given: "BACKENDS_", want: "BACKENDS"},
		"word missing":                  {given: "CORS_ORIGINS", want: "CORS_ALLOWED_ORIGINS"},
		"word missing, ours":            {given: "BACKEND_TIMEOUT", want: "BACKEND_IDLE_TIMEOUT"},
		"unheard of, ours":              {given: "RETRY_FOREVER_AND_EVER", want: "RETRY_ON"},
		"no file for what is no secret": {given: "BACKENDS_FILE", want: "BACKENDS"},
		"one for all":                   {given: "BACKEND", want: "BACKENDS", warn: true},
		"slip in the prefix":            {given: "RETYR_ATTEMPTS", want: "RETRY_ATTEMPTS", warn: true},
		"underscore missing":            {given: "RATELIMIT", want: "RATE_LIMIT", warn: true},
		"prefix of everybody":           {given: "LOG_LEVLE", want: "LOG_LEVEL", warn: true},
		"lower case":                    {given: "backends", want: "BACKENDS", warn: true},
		"secret's file":                 {given: "AUTH_API_KEY_FILE", want: "AUTH_API_KEYS_FILE", warn: true},
		"OpenTelemetry, near":           {given: "OTEL_EXPORTER_OTLP_ENDPONIT", want: "OTEL_EXPORTER_OTLP_ENDPOINT", warn: true},
		"OpenTelemetry, other":          {given: "OTEL_EXPORTER_JAEGER_ENDPOINT"},
		"prefix of everybody, other":    {given: "AUTH_SECRET"},
		"no variable has that prefix":   {given: "PROBE_COUNT"},
		"certificates of OpenSSL":       {given: "SSL_CERT_FILE"},
		"HOME":                          {given: "HOME"},
		"PATH":                          {given: "PATH"},
		"HOSTNAME":                      {given: "HOSTNAME"},
		"HOSTTYPE":                      {given: "HOSTTYPE"},
		"PORTAGE":                       {given: "PORTAGE"},
		"PORTS":                         {given: "PORTS"},
		"POST":                          {given: "POST"},
		"LANGUAGE":                      {given: "LANGUAGE"},
		"known":                         {given: "RATE_LIMIT"},
	} {
		t.Run(name, func(t *testing.T) {
			var want, wantWarnings []string
			if test.want != "" {
				want = []string{test.given + ": unknown; did you mean " + test.want + "?"}
			}
			if test.warn {
				want, wantWarnings = nil, want
			}
			wrong, warnings := strays(map[string]string{test.given: "x"}, known)
			if diff := cmp.Diff([][]string{want, wantWarnings}, [][]string{wrong, warnings}); diff != "" {
				t.Errorf("faults, warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeighboursAreNotMisspellings(t *testing.T) {
	for name, environ := range map[string][]string{
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
			_, _, warnings, err := load(append(environ, backends))
			if err != nil || warnings != nil {
				t.Errorf("load gives the faults %q and the warnings %q, want none", lines(err), warnings)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	name := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	raw := regexp.MustCompile(`strconv|parse error|time: |slog|netip`)
	seen := map[string]bool{}
	for _, v := range variablesIn(reflect.ValueOf(&config{}).Elem(), "") {
		t.Run(v.name, func(t *testing.T) {
			if seen[v.name] || !name.MatchString(v.name) || v.tag("doc") == "" {
				t.Error("it must have a name of its own, of capitals, and a doc tag")
			}
			seen[v.name] = true
			if serviceLink.MatchString(v.name + "=") {
				t.Error("its name looks like a neighbour's")
			}
			values := []string{v.tag("envDefault")}
			for _, p := range platforms {
				values = append(values, p.defaults[v.name])
			}
			for _, v.text = range values {
				if err := v.set(); v.text != "" && err != nil {
					t.Errorf("default: %v", err)
				}
			}
			if least := v.tag("min"); least != "" {
				if _, err := v.parse(least); err != nil || !v.value.CanInt() {
					t.Errorf("min of %s: %v", v.value.Type(), err)
				}
			}
			if _, err := v.parse("\x01"); err != nil && raw.MatchString(err.Error()) {
				t.Errorf("reason %q is not for people", err)
			}
		})
	}
	for _, p := range platforms {
		for name := range p.defaults {
			if !seen[name] {
				t.Errorf("%s: default of %s, which is no variable", p.name, name)
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
		if err := os.WriteFile("README.md", []byte(before+begin+table()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table(), got); diff != "" {
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
			args: []string{"config"}, environ: []string{backends, "OTEL_EXPORTER_OTLP_HEADERS=a=s3cret", "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:s3cret@c"},
			wantOut: []string{"  set       ***\n", "  set       http://***@c\n"}, never: "s3cret",
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
			err := healthcheck(t.Context(), handler.Config{Host: test.host, Port: uint16(port), AdminPrefix: "/.spangate"})
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
	{"spangate/handler", []string{"spangate", "spangate/telemetry", "spangate/handler"}},
	{"spangate/balancer", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer"}},
	{"spangate/probe", []string{"spangate", "spangate/telemetry", "spangate/probe"}},
	{"spangate/policy", []string{"spangate", "spangate/telemetry", "spangate/policy"}},
	{"go.opentelemetry.io/otel/sdk", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io/otel/exporters", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io", []string{"spangate/telemetry"}},
	{"github.com/caarlos0/env", []string{"spangate"}},
	{"net/http/httputil", nil},
}

func TestImports(t *testing.T) {
	within := func(path, parent string) bool {
		return path == parent || parent != "spangate" && strings.HasPrefix(path, parent+"/")
	}
	for _, p := range goList(t, "./...") {
		for _, path := range p.Imports {
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
	names := variablesIn(reflect.ValueOf(&config{}).Elem(), "")
	for i, v := range names {
		f.Add(uint(i), v.tag("envDefault"), "RETRY_ATEMPTS")
		f.Add(uint(i), "\x01\n-1://@", "")
	}
	f.Fuzz(func(t *testing.T, i uint, text, stray string) {
		v := names[i%uint(len(names))]
		if strings.HasSuffix(stray, "_FILE") {
			t.Skip("reads a file")
		}
		_, _, warnings, err := load([]string{stray + "=" + text, backends, v.name + "=" + text})
		for _, line := range append(lines(err), warnings...) {
			name, _, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.Contains(line, "parse error on field") || strings.ContainsAny(line, "\r\n") {
				t.Errorf("fault %q", line)
			}
			if secret := strings.Trim(text, " ,="); v.secret && len(secret) > 8 && strings.HasPrefix(line, v.name) && strings.Contains(line, secret) {
				t.Errorf("fault %q shows a secret", line)
			}
		}
	})
}
