package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spangate/handler/config"
	"spangate/telemetry/otlptest"
)

func TestURLCredentialsAreNotShown(t *testing.T) {
	_, _, err := config.Load(&Config{}, []string{"BACKENDS=http://me:s3cret@a:3000", "TRUSTED_PROXIES=http://me:s3cret@b"})
	got := lines(err)
	if len(got) != 2 || !strings.HasPrefix(got[0], `BACKENDS="http://***@a:3000": `) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("faults are %q, want two without the password", got)
	}
}

// TestPoliciesShowNoSecret looks for secrets that are right where a program
// tells of its configuration, and of requests that use them.
func TestPoliciesShowNoSecret(t *testing.T) {
	t.Parallel()
	bcrypted := hashed(t, "open s3cret")
	const key, password = "s3cret-0123456789", "Authorization: Basic bWU6b3BlbiBzM2NyZXQ=" // me:open s3cret
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("ci:"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := []string{
		"AUTH_API_KEYS_FILE=" + file, "AUTH_BASIC_USERS=me:" + bcrypted, "AUTH_JWT_JWKS_URL=http://me:s3cret@" + refusing(t),
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
		for _, secret := range []string{"s3cret", bcrypted, "bWU6b3BlbiBzM2NyZXQ"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q:\n%s", what, secret, text)
			}
		}
	}
	if n := backend.reached.Load(); n != 2 {
		t.Errorf("the backend was reached %d times, want by the key and by the password", n)
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
