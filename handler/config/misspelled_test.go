package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMisspelled(t *testing.T) {
	known := []string{
		"BACKENDS", "BALANCER", "BACKEND_HOST", "BACKEND_IDLE_TIMEOUT", "RETRY_ATTEMPTS", "RETRY_ON", "RETRY_TRY_TIMEOUT", "HOST", "PORT", "PLATFORM",
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
		"unheard of, ours":              {given: "RETRY_FOREVER_AND_EVER", want: "RETRY_TRY_TIMEOUT"},
		"no file for what is no secret": {given: "BACKENDS_FILE", want: "BACKENDS"},
		"one for all":                   {given: "BACKEND", want: "BACKENDS", warn: true},
		"slip in the prefix":            {given: "RETYR_ATTEMPTS", want: "RETRY_ATTEMPTS", warn: true},
		"underscore missing, a door":    {given: "RATELIMIT", want: "RATE_LIMIT"},
		"prefix of everybody":           {given: "LOG_LEVLE", want: "LOG_LEVEL", warn: true},
		"lower case":                    {given: "backends", want: "BACKENDS", warn: true},
		"secret's file":                 {given: "AUTH_API_KEY_FILE", want: "AUTH_API_KEYS_FILE"},
		"OpenTelemetry, near":           {given: "OTEL_EXPORTER_OTLP_ENDPONIT", want: "OTEL_EXPORTER_OTLP_ENDPOINT", warn: true},
		"OpenTelemetry, other":          {given: "OTEL_EXPORTER_JAEGER_ENDPOINT"},
		"ours, and no slip":             {given: "AUTH_SECRET", want: "AUTH_API_KEYS"},
		"nearer to another group":       {given: "AUTH_TRUST_HOST", want: "AUTH_API_KEYS"},
		"begun with our name":           {given: "SPANGATE_PORT", want: "PORT"},
		"that, and a slip":              {given: "SPANGATE_BACKEND", want: "BACKENDS"},
		"our name, and nothing of ours": {given: "SPANGATE_VERSION"},
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
			wrong, warnings := misspelled(map[string]string{test.given: "x"}, known)
			if diff := cmp.Diff([][]string{want, wantWarnings}, [][]string{wrong, warnings}); diff != "" {
				t.Errorf("faults, warnings (-want +got):\n%s", diff)
			}
		})
	}
}
