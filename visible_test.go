package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"unicode"

	"spangate/handler/admin"
	"spangate/handler/wire/wiretest"
)

// obeyed is what terminals do not show, but obey or hide: C1 controls, marks of
// direction, a soft hyphen, and tags beyond 16 bits.
const obeyed = "a\u0085b\u009b31mc\u202ed\u2066e\u200ef\u061cg\u00adh\U000e0041i"

// hidden returns the first of what is in text that a terminal would not show, or
// "".
func hidden(text string) string {
	at := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
	if at < 0 {
		return ""
	}
	return fmt.Sprintf("%.60q", text[max(0, at-20):])
}

// Whatever clients and backends write, a terminal shows the log as it is.
func TestLogIsVisible(t *testing.T) {
	t.Parallel()
	malformed := "http://" + saying(t, "HTTP/1.1 200 "+obeyed+"\r\n"+obeyed+": x\r\n\r\n")
	for name, environ := range map[string][]string{
		"json":    {"ACCESS_LOG=json"},
		"gcp":     {"LOG_FIELDS=gcp"},
		"console": {"OTEL_TRACES_EXPORTER=console", "OTEL_LOGS_EXPORTER=console"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=" + malformed, "PROBE_MODE=off", "RETRY_ATTEMPTS=0"}, environ...)...)
			for _, request := range []string{
				"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " + obeyed,
				"GET /" + obeyed + " HTTP/1.1\r\nHost: a",
				"GET /?" + obeyed + " HTTP/1.1\r\nHost: a",
				"GET / HTTP/1.1\r\nHost: " + obeyed,
				"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + obeyed + "\r\nX-Forwarded-For: " + obeyed + "\r\nTraceparent: " + obeyed + "\r\nBaggage: a=" + obeyed,
			} {
				conn := dial(t, p.addr)
				fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", request)
				io.Copy(io.Discard, conn)
				conn.Close()
			}
			p.stop()
			log := p.log.text.String()
			if !strings.Contains(log, "31mc") {
				t.Errorf("what was sent is not in the log:\n%s", log)
			}
			if hidden := hidden(log); hidden != "" {
				t.Errorf("the log hides %s", hidden)
			}
			if name != "json" {
				return
			}
			agents := 0
			for _, line := range p.log.requests(t) {
				if line["user_agent"] == obeyed {
					agents++
				}
			}
			if agents != 1 {
				t.Errorf("%d lines have the agent as it was sent", agents)
			}
		})
	}
}

// Nor do the configuration and its faults hide anything, nor what went wrong
// else.
func TestConfigurationIsVisible(t *testing.T) {
	for name, test := range map[string]struct {
		args, environ []string
		code          int
	}{
		"a value":      {[]string{"config"}, []string{backends, "OTEL_SERVICE_NAME=" + obeyed, "GOOGLE_CLOUD_PROJECT=" + obeyed}, 0},
		"a fault":      {[]string{"config"}, []string{backends, "PORT=" + obeyed, "BACKENDS=" + obeyed, "CORS_ALLOWED_ORIGINS=" + obeyed}, 64},
		"a name":       {[]string{"config"}, []string{backends, "RETRY_" + obeyed + "=1"}, 64},
		"a warning":    {[]string{"config"}, []string{backends, "LOG_LEVEL\u202e=x"}, 0},
		"an argument":  {[]string{obeyed}, []string{backends}, 64},
		"a start":      {nil, []string{backends, "RETRY_" + obeyed + "=1", "HOST=" + obeyed}, 64},
		"a file":       {[]string{"config"}, []string{backends, "BACKEND_CA_FILE=/" + obeyed, "AUTH_API_KEYS_FILE=/" + obeyed}, 64},
		"a host":       {[]string{"healthcheck"}, []string{"HOST=" + obeyed, "PORT=" + wiretest.FreePort(t)}, 1},
		"an odd error": {[]string{"status"}, []string{"PORT=" + odd(t)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			if code := report(&stderr, command(t.Context(), test.args, append([]string{"RATE_LIMIT=1/s"}, test.environ...), &stdout)); code != test.code {
				t.Errorf("exit code is %d, want %d:\n%s", code, test.code, &stderr)
			}
			if hidden := hidden(stdout.String() + stderr.String()); hidden != "" {
				t.Errorf("it hides %s", hidden)
			}
		})
	}
}

// odd returns the port of a server with an odd reason.
func odd(t *testing.T) string {
	_, port, _ := net.SplitHostPort(saying(t, "HTTP/1.1 500 "+obeyed+"\x1b[0m\r\nContent-Length: 0\r\n\r\n"))
	return port
}

// Nor does the status, of which the store's words are a part.
func TestStatusIsVisible(t *testing.T) {
	t.Parallel()
	store := "redis://" + saying(t, "-ERR "+obeyed+"\r\n")
	port := wiretest.FreePort(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "PORT="+port, "RATE_LIMIT=1/s", "OTEL_SDK_DISABLED=true", "RATE_LIMIT_REDIS_URL="+store)
	p.await("rate limits are not shared")
	var stdout strings.Builder
	if err := command(context.Background(), []string{"status"}, []string{"HOST=127.0.0.1", "PORT=" + port}, &stdout); err != nil {
		t.Fatal(err)
	}
	var status admin.Snapshot
	if err := json.Unmarshal([]byte(stdout.String()), &status); err != nil {
		t.Fatal(err)
	}
	if hidden := hidden(stdout.String()); hidden != "" {
		t.Errorf("it hides %s", hidden)
	}
}
