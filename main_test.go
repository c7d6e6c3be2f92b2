package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"spangate/handler"
	"spangate/handler/admin"
	"spangate/handler/config"
	"spangate/handler/supervise"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

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
		"unknown argument":  {args: []string{"serve"}, wantCode: 64, wantErr: `unknown argument "serve": there are config, healthcheck, route, status, version and help`},
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

func TestRunReturnsFaults(t *testing.T) {
	err := run(t.Context(), []string{"BACKENDS=nonsense", "PORT=x"}, io.Discard)
	if faults, ok := errors.AsType[config.Faults](err); !ok || len(faults) != 2 {
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
		"configuration": {err: config.Faults{"A: b", "C: d"}, want: 64, wantLine: "A: b\nC: d\n"},
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
			ctx := supervise.Interruptible(t.Context(), signals, func(n int) { code <- n })
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
			err := admin.Ask(t.Context(), wire.Config{Host: wire.Host(test.host), Port: uint16(port)}, admin.Config{Prefix: "/.spangate"}, handler.Origin{}, "healthcheck", io.Discard)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestHealthcheckOfNobody(t *testing.T) {
	var stderr strings.Builder
	code := report(&stderr, command(t.Context(), []string{"healthcheck"}, []string{"PORT=" + wiretest.FreePort(t)}, io.Discard))
	if code != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "connection refused") {
		t.Errorf("exit code is %d, stderr %q, want 1 and why", code, &stderr)
	}
}
