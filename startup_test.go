package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

func TestWhatIsSaidOfThePlatform(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ        []string
		platform, mark string
	}{
		"none":            {nil, "none", "no mark"},
		"found":           {[]string{"FLY_APP_NAME=app"}, "fly", "FLY_APP_NAME"},
		"first of two":    {[]string{"K_SERVICE=s", "KUBERNETES_SERVICE_HOST=10.0.0.1"}, "kubernetes", "KUBERNETES_SERVICE_HOST"},
		"set":             {[]string{"PLATFORM=ecs", "FLY_APP_NAME=app"}, "ecs", "PLATFORM"},
		"set to none":     {[]string{"PLATFORM=none", "FLY_APP_NAME=app"}, "none", "PLATFORM"},
		"set to be found": {[]string{"PLATFORM=auto", "CONTAINER_APP_NAME=app"}, "azure", "CONTAINER_APP_NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=echo:a"}, test.environ...)...)
			line := p.line(t, "starting")
			if version, _ := line["version"].(string); version == "" {
				t.Error("no version is said")
			}
			delete(line, "version")
			if diff := cmp.Diff(map[string]any{"level": "INFO", "platform": test.platform, "platform_found_by": test.mark}, line); diff != "" {
				t.Errorf("starting (-want +got):\n%s", diff)
			}
			if first := p.log.all(t)[0]["msg"]; first != "starting" {
				t.Errorf("what is said first is %q", first)
			}
		})
	}
}

func TestWhatIsSaidOfTelemetry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ               []string
		traces, metrics, logs string // COLLECTOR stands for its URL
	}{
		"by default": {nil, "COLLECTOR/v1/traces", "COLLECTOR/v1/metrics", "COLLECTOR/v1/logs"},
		"per signal": {
			[]string{"OTEL_TRACES_EXPORTER=console,otlp", "OTEL_METRICS_EXPORTER=none", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://127.0.0.1:9/mine"},
			"console, COLLECTOR/v1/traces", "none", "http://127.0.0.1:9/mine",
		},
		"disabled": {[]string{"OTEL_SDK_DISABLED=true"}, "none", "none", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off"}, test.environ...)...)
			line := p.line(t, "telemetry")
			got := strings.ReplaceAll(fmt.Sprint(line["traces"], "; ", line["metrics"], "; ", line["logs"]), p.collector.URL(), "COLLECTOR")
			if want := test.traces + "; " + test.metrics + "; " + test.logs; got != want {
				t.Errorf("telemetry goes to %s, want %s", got, want)
			}
		})
	}
}

func TestWhatIsSaidOfDoors(t *testing.T) {
	t.Parallel()
	hash := hashed(t, "open sesame")
	open := map[string]any{
		"level": "INFO", "authentication": "off", "exempt_paths": "none", "allow_cidrs": "all", "deny_cidrs": "none",
		"rate_limit": "off", "max_concurrent_requests": "off", "max_request_body": "off",
	}
	for name, test := range map[string]struct {
		environ []string
		want    map[string]any // what differs from open
	}{
		"none": {},
		"all": {
			append(newTokenIssuer(t).environ(), "AUTH_API_KEYS=a:"+apiKey, "AUTH_BASIC_USERS=me:"+hash, "ALLOW_CIDRS=127.0.0.0/8,::1", "DENY_CIDRS=127.0.0.9",
				"RATE_LIMIT=10/s,1000/h", "MAX_CONCURRENT_REQUESTS=7", "MAX_REQUEST_BODY=10MiB"),
			map[string]any{
				"authentication": "api_key,basic,jwt", "allow_cidrs": "127.0.0.0/8,::1/128", "deny_cidrs": "127.0.0.9/32",
				"rate_limit": "10/s,1000/h", "max_concurrent_requests": "7", "max_request_body": "10MiB",
			},
		},
		"a dry run":  {[]string{"RATE_LIMIT=10/s", "RATE_LIMIT_DRY_RUN=true"}, map[string]any{"rate_limit": "10/s, dry run"}},
		"exemptions": {[]string{"AUTH_API_KEYS=a:" + apiKey, "AUTH_EXEMPT_PATHS=/open,/below/*"}, map[string]any{"authentication": "api_key", "exempt_paths": "/open,/below/*"}},
		"routes": {
			[]string{"AUTH_BASIC_USERS=me:" + hash, "ALLOW_CIDRS=127.0.0.0/8", "ROUTES=same,keys,public", "ROUTE_SAME_MATCH=/same", "ROUTE_KEYS_MATCH=/keys", "ROUTE_KEYS_AUTH_API_KEYS=a:" + apiKey,
				"ROUTE_PUBLIC_MATCH=/public", "ROUTE_PUBLIC_AUTH_BASIC_USERS=off", "ROUTE_PUBLIC_ALLOW_CIDRS=off"},
			map[string]any{"authentication": "basic", "allow_cidrs": "127.0.0.0/8", "routes": "public: authentication=off allow_cidrs=all; keys: authentication=api_key"},
		},
		"a long list": {[]string{"DENY_CIDRS=" + strings.Repeat("10.0.0.1,", 8) + "10.0.0.2"}, map[string]any{"deny_cidrs": "9 networks"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off"}, test.environ...)...)
			want := map[string]any{}
			for _, from := range []map[string]any{open, test.want} {
				maps.Copy(want, from)
			}
			if diff := cmp.Diff(want, p.line(t, "doors")); diff != "" {
				t.Errorf("doors (-want +got):\n%s", diff)
			}
			p.stop()
			if log := p.log.text.String(); strings.Contains(log, apiKey) || strings.Contains(log, hash) {
				t.Error("the log shows a secret")
			}
		})
	}
}

func TestWhatIsSaidOfAddresses(t *testing.T) {
	t.Parallel()
	admin := wiretest.FreePort(t)
	p := start(t, "BACKENDS=echo:a,echo:b", "ADMIN_PORT="+admin, "ADMIN_PREFIX=/own")
	want := map[string]any{"level": "INFO", "address": p.addr, "url": "http://" + p.addr, "backends": []any{"echo:a", "echo:b"}}
	if diff := cmp.Diff(want, p.line(t, "listening")); diff != "" {
		t.Errorf("listening (-want +got):\n%s", diff)
	}
	p.await("own endpoints")
	want = map[string]any{"level": "INFO", "address": "127.0.0.1:" + admin, "url": "http://127.0.0.1:" + admin + "/own"}
	if diff := cmp.Diff(want, p.line(t, "listening for the proxy's own endpoints")); diff != "" {
		t.Errorf("listening (-want +got):\n%s", diff)
	}
}

// Where there are backends of routes alone, none are told as those of all.
func TestWhatIsSaidWithoutBackendsOfAll(t *testing.T) {
	t.Parallel()
	p := start(t, "ROUTES=ping", "ROUTE_PING_MATCH=/*", "ROUTE_PING_RESPOND=204", "OTEL_SDK_DISABLED=true")
	if told, ok := p.line(t, "listening")["backends"]; ok {
		t.Errorf("backends are told as %v", told)
	}
}

func TestWhatIsSaidLast(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a")
	p.stop()
	all := p.log.all(t)
	if last := all[len(all)-1]; last["msg"] != "stopped" || last["cause"] != context.Canceled.Error() {
		t.Errorf("what is said last is %v, want that it stopped, and why", last)
	}
}

// A port in use is found before anything is started, and nothing else is said.
func TestPortsInUse(t *testing.T) {
	t.Parallel()
	port, other := takenPort(t), wiretest.FreePort(t)
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"PORT":               {[]string{"PORT=" + port}, "HOST, PORT: "},
		"ADMIN_PORT":         {[]string{"PORT=" + other, "ADMIN_PORT=" + port}, "HOST, ADMIN_PORT: "},
		"that of scrapes":    {[]string{"PORT=" + other, "OTEL_METRICS_EXPORTER=prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1", "OTEL_EXPORTER_PROMETHEUS_PORT=" + port}, "OTEL_EXPORTER_PROMETHEUS_HOST, OTEL_EXPORTER_PROMETHEUS_PORT: "},
		"PORT, and warnings": {[]string{"PORT=" + port, "LOG_LEVLE=debug"}, "HOST, PORT: "},
	} {
		t.Run(name, func(t *testing.T) {
			collector := otlptest.NewServer(t)
			var stdout, stderr strings.Builder
			err := command(t.Context(), nil, append([]string{"BACKENDS=echo:a", "HOST=127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL()}, test.environ...), &stdout)
			if code := report(&stderr, err); code != 1 {
				t.Errorf("exit code is %d, want 1", code)
			}
			if got := stderr.String(); !strings.HasPrefix(got, "spangate: "+test.want) || !strings.Contains(got, "address already in use") || strings.Count(got, "\n") != 1 {
				t.Errorf("stderr is %q, want one line that begins with %q", got, test.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("it also says:\n%s", &stdout)
			}
			if asked := collector.Requests(); len(asked) > 0 {
				t.Errorf("the collector got %v", asked)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:"+other)
			if err != nil {
				t.Fatalf("the other port is kept: %v", err)
			}
			ln.Close()
		})
	}
}

func TestAPortInUse(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"BACKENDS=echo:a", "HOST=127.0.0.1", "PORT=" + takenPort(t), "OTEL_SDK_DISABLED=true"}, io.Discard)
	if _, bad := errors.AsType[config.Faults](err); err == nil || bad || !strings.Contains(err.Error(), "PORT") {
		t.Errorf("a port in use: %v, want an error that names PORT and is no fault of the configuration", err)
	}
}
