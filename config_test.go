package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

// faultsOf returns what a start and config, which say the same, find wrong
// beside BACKENDS, which is right unless given.
func faultsOf(t *testing.T, given ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a start without faults ends at once
	given = append([]string{backends, "PORT=0", "OTEL_SDK_DISABLED=true"}, given...)
	started := lines(command(ctx, nil, given, io.Discard))
	printed := lines(command(ctx, []string{"config"}, given, io.Discard))
	if diff := cmp.Diff(started, printed); diff != "" {
		t.Errorf("faults of a start and of config (-start +config):\n%s", diff)
	}
	return started
}

// complaints are the faults that Load finds beside BACKENDS, which is right
// unless given. It starts nothing, and is for what has none.
func complaints(given ...string) []string {
	var cfg Config
	_, _, err := config.Load(&cfg, append([]string{backends}, given...), cfg.check)
	return lines(err)
}

// A door must not be open because a variable was not set, or means nothing.
func TestDoorsFailClosed(t *testing.T) {
	t.Parallel()
	empty := func(name, how string) []string {
		return []string{name + ": is set but empty, which must not open the door by mistake; " + how}
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("ci:"+apiKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"AUTH_API_KEYS=":          {[]string{"AUTH_API_KEYS="}, empty("AUTH_API_KEYS", "leave it out if no keys are to let in")},
		"AUTH_API_KEYS_FILE=":     {[]string{"AUTH_API_KEYS_FILE="}, empty("AUTH_API_KEYS_FILE", "leave it out if no keys are to let in")},
		"AUTH_BASIC_USERS=":       {[]string{"AUTH_BASIC_USERS="}, empty("AUTH_BASIC_USERS", "leave it out if no users are to let in")},
		"AUTH_BASIC_USERS_FILE=":  {[]string{"AUTH_BASIC_USERS_FILE="}, empty("AUTH_BASIC_USERS_FILE", "leave it out if no users are to let in")},
		"AUTH_JWT_JWKS_URL=":      {[]string{"AUTH_JWT_JWKS_URL="}, empty("AUTH_JWT_JWKS_URL", "leave it out if no tokens are to let in")},
		"AUTH_JWT_JWKS_URL_FILE=": {[]string{"AUTH_JWT_JWKS_URL_FILE="}, empty("AUTH_JWT_JWKS_URL_FILE", "leave it out if no tokens are to let in")},
		"ALLOW_CIDRS=":            {[]string{"ALLOW_CIDRS="}, empty("ALLOW_CIDRS", "write all to let in from everywhere")},
		"DENY_CIDRS=":             {[]string{"DENY_CIDRS="}, empty("DENY_CIDRS", "write none to shut nobody out")},
		"RATE_LIMIT=":             {[]string{"RATE_LIMIT="}, empty("RATE_LIMIT", "write off to set no limit")},
		"blanks":                  {[]string{"DENY_CIDRS= \t"}, empty("DENY_CIDRS", "write none to shut nobody out")},
		"one of two is empty":     {[]string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_BASIC_USERS="}, empty("AUTH_BASIC_USERS", "leave it out if no users are to let in")},
		"both are empty":          {[]string{"AUTH_API_KEYS=", "AUTH_API_KEYS_FILE="}, empty("AUTH_API_KEYS", "leave it out if no keys are to let in")},
		"a file says it":          {[]string{"AUTH_API_KEYS=", "AUTH_API_KEYS_FILE=" + file}, nil},
		"the variable says it":    {[]string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_API_KEYS_FILE="}, nil},
		"opened on purpose":       {[]string{"RATE_LIMIT=off", "ALLOW_CIDRS=all", "DENY_CIDRS=none"}, nil},
		"no door":                 {[]string{"RETRY_ATTEMPTS=", "CORS_ALLOWED_ORIGINS=", "TRUSTED_PROXIES=", "AUTH_EXEMPT_PATHS=", "MAX_REQUEST_BODY="}, nil},

		"AUTH_JWKS_URL":            {[]string{"AUTH_JWKS_URL=https://issuer.example/jwks"}, []string{"AUTH_JWKS_URL: unknown; did you mean AUTH_JWT_JWKS_URL?"}},
		"AUTH_TOKEN":               {[]string{"AUTH_TOKEN=s3cret"}, []string{"AUTH_TOKEN: unknown; did you mean AUTH_API_KEYS?"}},
		"AUTH_ENABLED":             {[]string{"AUTH_ENABLED=true"}, []string{"AUTH_ENABLED: unknown; did you mean AUTH_API_KEYS?"}},
		"AUTH_ of whatever kind":   {[]string{"AUTH_LDAP_BIND=x"}, []string{"AUTH_LDAP_BIND: unknown; did you mean AUTH_API_KEYS?"}},
		"misspelled, and empty":    {[]string{"AUTH_API_KEY=", "ALLOW_CIDR="}, []string{"ALLOW_CIDR: unknown; did you mean ALLOW_CIDRS?", "AUTH_API_KEY: unknown; did you mean AUTH_API_KEYS?"}},
		"of another name, empty":   {[]string{"API_KEYS=", "ALLOW_IPS=", "JWT_ISSUER=", "UPSTREAM="}, []string{"ALLOW_IPS: unknown; did you mean ALLOW_CIDRS?", "API_KEYS: unknown; did you mean AUTH_API_KEYS?"}},
		"begun with our name":      {[]string{"SPANGATE_AUTH_API_KEYS=a", "SPANGATE_UPSTREAMS=b"}, []string{"SPANGATE_AUTH_API_KEYS: unknown; did you mean AUTH_API_KEYS?", "SPANGATE_UPSTREAMS: unknown; did you mean BACKENDS?"}},
		"in lower case":            {[]string{"auth_api_keys=a"}, []string{"auth_api_keys: unknown; did you mean AUTH_API_KEYS?"}},
		"a slip in the first word": {[]string{"ATUH_API_KEYS=a"}, []string{"ATUH_API_KEYS: unknown; did you mean AUTH_API_KEYS?"}},
		"API_KEYS":                 {[]string{"API_KEYS=a"}, []string{"API_KEYS: unknown; did you mean AUTH_API_KEYS?"}},
		"BASIC_AUTH":               {[]string{"BASIC_AUTH=me:pw"}, []string{"BASIC_AUTH: unknown; did you mean AUTH_BASIC_USERS?"}},
		"JWKS_URL":                 {[]string{"JWKS_URL=https://a"}, []string{"JWKS_URL: unknown; did you mean AUTH_JWT_JWKS_URL?"}},
		"ALLOW_IPS":                {[]string{"ALLOW_IPS=10.0.0.0/8"}, []string{"ALLOW_IPS: unknown; did you mean ALLOW_CIDRS?"}},
		"IP_BLACKLIST":             {[]string{"IP_BLACKLIST=10.0.0.0/8"}, []string{"IP_BLACKLIST: unknown; did you mean DENY_CIDRS?"}},
		"RATE_LIMIT_RPS":           {[]string{"RATE_LIMIT_RPS=10"}, []string{"RATE_LIMIT_RPS: unknown; did you mean RATE_LIMIT?"}},
		"RATELIMIT":                {[]string{"RATELIMIT=10/s"}, []string{"RATELIMIT: unknown; did you mean RATE_LIMIT?"}},
		"SSL_CERTIFICATE":          {[]string{"SSL_CERTIFICATE=/tls.crt"}, []string{"SSL_CERTIFICATE: unknown; did you mean TLS_CERT_FILE?"}},
		"MTLS":                     {[]string{"MTLS=on"}, []string{"MTLS: unknown; did you mean AUTH_CLIENT_CERT?"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faultsOf(t, test.given...)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// What a name means to users of other servers, or to an application, starts
// nothing and stops nothing: it is named in a warning. One that stands for a whole
// configuration stops the start, as does what seems to be one of ours.
func TestNamesByMeaning(t *testing.T) {
	for given, want := range map[string]string{
		"UPSTREAMS":        "unknown; did you mean BACKENDS?",
		"TARGET_URL":       "unknown; did you mean BACKENDS?",
		"PROXY_PASS":       "unknown; did you mean BACKENDS?",
		"LISTEN":           "unknown; did you mean HOST and PORT?",
		"HTTP_PORT":        "unknown; did you mean PORT?",
		"LOGLEVEL":         "unknown; did you mean LOG_LEVEL?",
		"LB_POLICY":        "unknown; did you mean BALANCER?",
		"HEALTHCHECK_PATH": "unknown; did you mean PROBE_PATH?",
		"MAX_RETRIES":      "unknown; did you mean RETRY_ATTEMPTS?",
		"ALLOWED_ORIGINS":  "unknown; did you mean CORS_ALLOWED_ORIGINS?",
		"TRUST_PROXY":      "unknown; did you mean TRUSTED_PROXIES?",
		"HTTPS_PORT":       "unknown; did you mean TLS_PORT?",
		"JWT_ISSUER":       "unknown; did you mean AUTH_JWT_ISSUER?",
		"PATH_PREFIX":      "unknown; did you mean ROUTES?",
	} {
		t.Run(given, func(t *testing.T) {
			_, warnings, err := config.Load(&Config{}, []string{backends, given + "=x"})
			if diff := cmp.Diff([]string{given + ": " + want}, warnings); err != nil || diff != "" {
				t.Errorf("faults are %v, warnings (-want +got):\n%s", err, diff)
			}
		})
	}
	const declarative = "declarative configuration is not supported; say what the file says with other OTEL_* variables"
	for _, given := range []string{"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE", "SPANGATE_OTEL_CONFIG_FILE"} {
		t.Run(given, func(t *testing.T) {
			if diff := cmp.Diff([]string{given + ": " + declarative}, faultsOf(t, given+"=/etc/otel.yaml")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if got := faultsOf(t, given+"="); len(got) != 0 {
				t.Errorf("of an empty one the faults are %q", got)
			}
		})
	}
	for given, want := range map[string]string{
		"PROBE_URL": "PROBE_PATH", "BACKEND_URL": "BACKENDS", "BALANCER_ALGORITHM": "BALANCER", "CORS_ORIGINS": "CORS_ALLOWED_ORIGINS",
		"BACKEND_TIMEOUT": "BACKEND_RESPONSE_TIMEOUT", "RETRY_COUNT": "RETRY_ATTEMPTS", "PROBE_PERIOD": "PROBE_INTERVAL", "CORS_METHODS": "CORS_ALLOWED_METHODS",
	} {
		t.Run(given, func(t *testing.T) {
			if diff := cmp.Diff([]string{given + ": unknown; did you mean " + want + "?"}, faultsOf(t, given+"=x")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Docker tells a container of those that it is linked to.
func TestLinksOfContainers(t *testing.T) {
	_, warnings, err := config.Load(&Config{}, []string{
		backends, "BACKEND_NAME=/web/backend", "BACKEND_ENV_NODE_VERSION=20", "AUTH_NAME=/web/auth", "AUTH_ENV_TOKEN=s3cret",
		"AUTH_SERVICE_HOST=10.0.0.1", "AUTH_SERVICE_PORT=80", "AUTH_PORT=tcp://172.17.0.2:80", "AUTH_PORT_80_TCP=tcp://172.17.0.2:80", "AUTH_PORT_80_TCP_ADDR=172.17.0.2",
	})
	if err != nil || warnings != nil {
		t.Errorf("Load gives the faults %q and the warnings %q, want none", lines(err), warnings)
	}
	if got := faultsOf(t, "AUTH_NAME=me"); len(got) != 1 {
		t.Errorf("of a name that is no link the faults are %q, want one", got)
	}
	var cfg Config
	if _, _, err := config.Load(&cfg, []string{backends, "OTEL_SERVICE_NAME=/shop/proxy"}); err != nil || cfg.Telemetry.Export.ServiceName != "/shop/proxy" {
		t.Errorf("the service is called %q, %v: a variable of ours is no link", cfg.Telemetry.Export.ServiceName, err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"of two groups": {
			[]string{"MAX_QUEUE=10", "RATE_LIMIT_REDIS_URL=redis://x"},
			[]string{"MAX_QUEUE: is of no use without MAX_CONCURRENT_REQUESTS", "RATE_LIMIT_REDIS_URL: is of no use without RATE_LIMIT"},
		},
		"two words of a list": {
			[]string{"RETRY_ON=5xx,gateway-error"},
			[]string{`RETRY_ON: "5xx" must be connect, reset, timeout, a status code or grpc:NAME`, `RETRY_ON: "gateway-error" must be connect, reset, timeout, a status code or grpc:NAME`},
		},
		"three parts of a URL": {
			[]string{"BACKENDS=http://u:p@b:3000/x?y=1#z"},
			[]string{
				`BACKENDS: backend "http://***@b:3000/x?y=1#z": must not carry credentials`,
				`BACKENDS: backend "http://***@b:3000/x?y=1#z": must not have a query`,
				`BACKENDS: backend "http://***@b:3000/x?y=1#z": must not have a fragment`,
			},
		},
		"a URL and its options": {
			[]string{"BACKENDS=http://a:0;weight=0;cost=1"},
			[]string{
				`BACKENDS: backend "http://a:0;weight=0;cost=1": port "0" must be 1 to 65535`,
				`BACKENDS: backend "http://a:0;weight=0;cost=1": weight "0" must be a whole number from 1 to 1000`,
				`BACKENDS: backend "http://a:0;weight=0;cost=1": option "cost=1" is none of weight=N, host=RULE, service=NAME, proxy-protocol=v1|v2, auth=KIND, audience=URL, server-name=NAME, ca-file=PATH, cert-file=PATH, key-file=PATH, fingerprint=sha256:HEX and tls-verify=off`,
			},
		},
		"statuses": {
			[]string{"PROBE_PATH=/up", "PROBE_STATUS=99,300-200,ok"},
			[]string{
				`PROBE_STATUS: "99" must be a status from 100 to 599, or a range such as 200-399`,
				`PROBE_STATUS: "300-200" must begin with its lesser status`,
				`PROBE_STATUS: "ok" must be a status from 100 to 599, or a range such as 200-399`,
			},
		},
		"a collector's URL": {
			[]string{"OTEL_SDK_DISABLED=false", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:0?x=1#y"},
			[]string{
				`OTEL_EXPORTER_OTLP_ENDPOINT="http://c:0?x=1#y": must have no query`,
				`OTEL_EXPORTER_OTLP_ENDPOINT="http://c:0?x=1#y": must have no fragment`,
				`OTEL_EXPORTER_OTLP_ENDPOINT="http://c:0?x=1#y": port "0" must be 1 to 65535`,
			},
		},
		"a collector's URL with a password": {
			[]string{"OTEL_SDK_DISABLED=false", "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:s3cret@c?x=1"},
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT: must not hold credentials: OTEL_EXPORTER_OTLP_HEADERS is for them", "OTEL_EXPORTER_OTLP_ENDPOINT: must have no query"},
		},
		"the URL of keys": {
			[]string{"AUTH_JWT_JWKS_URL=http://me:s3cret@a.test/#x", "AUTH_JWT_ISSUER=a", "AUTH_JWT_AUDIENCE=b"},
			[]string{"AUTH_JWT_JWKS_URL: must not have a fragment", "AUTH_JWT_JWKS_URL: must be https, or http on localhost"},
		},
		"exporters":        {[]string{"OTEL_TRACES_EXPORTER=none,zipkin,jaeger"}, []string{"OTEL_TRACES_EXPORTER: none must stand alone", `OTEL_TRACES_EXPORTER: "zipkin" must be otlp, console, console_json, prometheus or none`, `OTEL_TRACES_EXPORTER: "jaeger" must be otlp, console, console_json, prometheus or none`}},
		"propagators":      {[]string{"OTEL_PROPAGATORS=w3c,none,b3,x"}, []string{`OTEL_PROPAGATORS: "w3c" must be tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace or none`, `OTEL_PROPAGATORS: "x" must be tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace or none`, "OTEL_PROPAGATORS: none goes with no other"}},
		"kept requests":    {[]string{"TRACE_KEEP=errors,slow:x"}, []string{`TRACE_KEEP: "errors" must be error, retry or slow:DURATION; none stands alone`, "TRACE_KEEP: slow:x: must be a duration above zero, such as slow:1s"}},
		"methods":          {[]string{"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=a;b,c;d"}, []string{`OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: "a;b" is no method`, `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: "c;d" is no method`}},
		"keys of baggage":  {[]string{"TRACE_BAGGAGE=a;b,c;d"}, []string{`TRACE_BAGGAGE: "a;b" is no key of baggage`, `TRACE_BAGGAGE: "c;d" is no key of baggage`}},
		"attributes":       {[]string{"OTEL_RESOURCE_ATTRIBUTES=a,b=%zz"}, []string{`OTEL_RESOURCE_ATTRIBUTES: "a" must be key=value`, "OTEL_RESOURCE_ATTRIBUTES: value of b: a % that is meant as such is written %25"}},
		"a key of a limit": {[]string{"RATE_LIMIT=1/s", "RATE_LIMIT_KEY=header:a b+global:x"}, []string{`RATE_LIMIT_KEY: must name a header, such as header:X-Tenant; "a b" cannot be one`, "RATE_LIMIT_KEY: global takes no name"}},
		"addresses":        {[]string{"ALLOW_CIDRS=a,b"}, []string{`ALLOW_CIDRS: "a" must be a network such as 10.0.0.0/8 or an address`, `ALLOW_CIDRS: "b" must be a network such as 10.0.0.0/8 or an address`}},
		"exempt paths":     {[]string{"AUTH_API_KEYS=ci:" + apiKey, "AUTH_EXEMPT_PATHS=a,b"}, []string{`AUTH_EXEMPT_PATHS: "a" must begin with /`, `AUTH_EXEMPT_PATHS: "b" must begin with /`}},
		"of single variables, and across them": {
			[]string{"HOST=300.1.1.1", "SHUTDOWN_DELAY=20s", "BALANCER_HASH_KEY=path", "ADMIN_PORT=x"},
			[]string{
				`HOST="300.1.1.1": must be an IP address or a host name`,
				`ADMIN_PORT="x": must be a whole number from 0 to 65535`,
				`SHUTDOWN_DELAY="20s": must be less than three quarters of SHUTDOWN_TIMEOUT, which is 10s`,
				"BALANCER_HASH_KEY: is of no use without BALANCER=hash",
			},
		},
		"not across one whose value is not known": {
			[]string{"MAX_CONCURRENT_REQUESTS=x", "MAX_QUEUE=10", "REQUEST_TIMEOUT=x", "RETRY_TRY_TIMEOUT=20s", "BALANCER=x", "BALANCER_HASH_KEY=path"},
			[]string{
				`BALANCER="x": must be hash, least-requests, peak-ewma, power-of-two, random or round-robin`,
				`REQUEST_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`,
				`MAX_CONCURRENT_REQUESTS="x": must be a whole number`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faultsOf(t, test.given...)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// A setting that changes nothing is refused: whoever wrote it expects something
// of it.
func TestSettingsOfNoUse(t *testing.T) {
	t.Parallel()
	const nobody, off = "without AUTH_API_KEYS, AUTH_BASIC_USERS, AUTH_JWT_JWKS_URL or AUTH_CLIENT_CERT: anybody is let in", "with PROBE_MODE=off"
	for _, test := range []struct {
		variable string   // to be refused
		why      string   // behind "is of no use"
		beside   []string // what else is set
		fit      []string // with which it is of use; none: there is a line above with that
	}{
		{"BALANCER_HASH_KEY=path", "without BALANCER=hash", nil, []string{"BALANCER=hash"}},
		{"BALANCER_SLOW_START=10s", "with BALANCER=hash", []string{"BALANCER=hash"}, []string{"BALANCER=random"}},
		{"BALANCER_DNS_REFRESH=20s", "without dns+ in BACKENDS", nil, []string{"BACKENDS=dns+http://app:3000"}},
		{"RETRY_ON=connect", "without RETRY_ATTEMPTS", []string{"RETRY_ATTEMPTS=0"}, []string{"RETRY_ATTEMPTS=1"}},
		{"RETRY_BACKOFF=1ms", "without RETRY_ATTEMPTS", []string{"RETRY_ATTEMPTS=0"}, []string{"RETRY_ATTEMPTS=1"}},
		{"RETRY_MAX_BACKOFF=2s", "without RETRY_ATTEMPTS", []string{"RETRY_ATTEMPTS=0"}, []string{"RETRY_ATTEMPTS=1"}},
		{"RETRY_BUDGET=10%", "without RETRY_ATTEMPTS", []string{"RETRY_ATTEMPTS=0"}, []string{"RETRY_ATTEMPTS=1"}},
		{"RETRY_BODY_LIMIT=1KiB", "without RETRY_ATTEMPTS", []string{"RETRY_ATTEMPTS=0"}, []string{"RETRY_ATTEMPTS=1"}},
		{"OUTLIER_EJECTION=1s", "without OUTLIER_FAILURES", []string{"OUTLIER_FAILURES=0"}, nil},
		{"OUTLIER_MAX_PERCENT=10", "without OUTLIER_FAILURES", []string{"OUTLIER_FAILURES=0"}, nil},
		{"OUTLIER_ON=connect", "without OUTLIER_FAILURES and " + off, []string{"OUTLIER_FAILURES=0", "PROBE_MODE=off"}, []string{"OUTLIER_FAILURES=0"}},
		{"PANIC_THRESHOLD=10", "without OUTLIER_FAILURES and " + off, []string{"OUTLIER_FAILURES=0", "PROBE_MODE=off"}, []string{"PROBE_MODE=off"}},
		{"PROBE_TYPE=grpc", off, []string{"PROBE_MODE=off"}, nil},
		{"PROBE_PATH=/up", off, []string{"PROBE_MODE=off"}, nil},
		{"PROBE_INTERVAL=1s", off, []string{"PROBE_MODE=off"}, []string{"PROBE_MODE=on-demand"}},
		{"PROBE_TIMEOUT=1s", off, []string{"PROBE_MODE=off"}, nil},
		{"PROBE_RISE=2", off, []string{"PROBE_MODE=off"}, nil},
		{"PROBE_FALL=3", off, []string{"PROBE_MODE=off"}, nil},
		{"PROBE_PATH=/up", "with PROBE_TYPE=tcp", []string{"PROBE_TYPE=tcp"}, []string{"PROBE_TYPE=http"}},
		{"PROBE_PATH=/up", "with PROBE_TYPE=grpc", []string{"PROBE_TYPE=grpc"}, nil},
		{"PROBE_STATUS=200", "without PROBE_TYPE=http or PROBE_PATH", nil, []string{"PROBE_PATH=/"}},
		{"PROBE_GRPC_SERVICE=a", "without PROBE_TYPE=grpc", []string{"PROBE_TYPE=http"}, []string{"PROBE_TYPE=grpc"}},
		{"CORS_ALLOWED_METHODS=PUT", "without CORS_ALLOWED_ORIGINS", nil, []string{"CORS_ALLOWED_ORIGINS=https://a.test"}},
		{"CORS_ALLOWED_HEADERS=a", "without CORS_ALLOWED_ORIGINS", nil, nil},
		{"CORS_EXPOSED_HEADERS=a", "without CORS_ALLOWED_ORIGINS", nil, nil},
		{"CORS_ALLOW_CREDENTIALS=true", "without CORS_ALLOWED_ORIGINS", nil, nil},
		{"CORS_MAX_AGE=1m", "without CORS_ALLOWED_ORIGINS", nil, nil},
		{"CORS_ALLOW_PRIVATE_NETWORK=true", "without CORS_ALLOWED_ORIGINS", []string{"CORS_ALLOWED_ORIGINS=none"}, nil},
		{"AUTH_API_KEY_HEADER=X-Key", "without AUTH_API_KEYS", nil, []string{"AUTH_API_KEYS=ci:" + apiKey}},
		{"AUTH_PRINCIPAL_HEADER=X-Who", nobody, nil, []string{"AUTH_API_KEYS=ci:" + apiKey}},
		{"AUTH_METHOD_HEADER=X-How", nobody, nil, nil},
		{"AUTH_EXEMPT_PATHS=/health", nobody, nil, nil},
		{"AUTH_JWT_ISSUER=a", "without AUTH_JWT_JWKS_URL", nil, []string{"AUTH_JWT_JWKS_URL=https://a.test", "AUTH_JWT_AUDIENCE=b"}},
		{"AUTH_JWT_AUDIENCE=a", "without AUTH_JWT_JWKS_URL", nil, nil},
		{"AUTH_JWT_LEEWAY=1s", "without AUTH_JWT_JWKS_URL", nil, nil},
		{"AUTH_JWT_JWKS_REFRESH=1m", "without AUTH_JWT_JWKS_URL", nil, nil},
		{"AUTH_JWT_JWKS_STALE=1h", "without AUTH_JWT_JWKS_URL", nil, nil},
		{"RATE_LIMIT_DRY_RUN=true", "without RATE_LIMIT", nil, []string{"RATE_LIMIT=1/s"}},
		{"RATE_LIMIT_BURST=5", "without RATE_LIMIT", []string{"RATE_LIMIT=off"}, nil},
		{"RATE_LIMIT_KEY=global", "without RATE_LIMIT", nil, nil},
		{"RATE_LIMIT_MAX_KEYS=5", "without RATE_LIMIT", nil, nil},
		{"RATE_LIMIT_REDIS_URL=redis://x", "without RATE_LIMIT", nil, nil},
		{"RATE_LIMIT_ON_STORE_ERROR=deny", "without RATE_LIMIT_REDIS_URL", []string{"RATE_LIMIT=1/s"}, []string{"RATE_LIMIT=1/s", "RATE_LIMIT_REDIS_URL=redis://x"}},
		{"RATE_LIMIT_STORE_TIMEOUT=1s", "without RATE_LIMIT_REDIS_URL", nil, nil},
		{"RATE_LIMIT_REDIS_PREFIX=a", "without RATE_LIMIT_REDIS_URL", nil, nil},
		{"RATE_LIMIT_REDIS_CA_FILE=/a", "without RATE_LIMIT_REDIS_URL", nil, nil},
		{"RATE_LIMIT_REDIS_CERT_FILE=/a", "without RATE_LIMIT_REDIS_URL", nil, nil},
		{"RATE_LIMIT_REDIS_KEY_FILE=/a", "without RATE_LIMIT_REDIS_URL", nil, nil},
		{"MAX_QUEUE=10", "without MAX_CONCURRENT_REQUESTS", nil, []string{"MAX_CONCURRENT_REQUESTS=1"}},
		{"MAX_QUEUE_WAIT=2s", "without MAX_QUEUE", []string{"MAX_CONCURRENT_REQUESTS=1"}, []string{"MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=1"}},
		{"OTEL_TRACES_SAMPLER_ARG=0.5", "without traceidratio or rate_limited in OTEL_TRACES_SAMPLER", nil, []string{"OTEL_TRACES_SAMPLER=parentbased_traceidratio"}},
		{"OTEL_TRACES_SAMPLER_ARG=0.5", "without traceidratio or rate_limited in OTEL_TRACES_SAMPLER", []string{"OTEL_TRACES_SAMPLER=always_on"}, []string{"OTEL_TRACES_SAMPLER=RATE_LIMITED"}},
		{"TRACE_UNSAMPLED_PARENT=resample", "without parentbased in OTEL_TRACES_SAMPLER", []string{"OTEL_TRACES_SAMPLER=always_on"}, []string{"OTEL_TRACES_SAMPLER=parentbased_always_on"}},
		{"TRACE_KEEP=error", "with OTEL_TRACES_SAMPLER=always_off", []string{"OTEL_TRACES_SAMPLER=always_off"}, nil},
		{"LOG_FIELDS=gcp", "with ACCESS_LOG=text", []string{"ACCESS_LOG=text"}, []string{"ACCESS_LOG=off"}},
		{"TRACE_PROBES=failed", off, []string{"PROBE_MODE=off"}, []string{"PROBE_MODE=active"}},
		{"TRACE_RATE_LIMIT=denied", "without RATE_LIMIT", nil, []string{"RATE_LIMIT=1/s"}},
		{"TELEMETRY_FLUSH_BUDGET=1s", "without TELEMETRY_FLUSH=request", nil, []string{"TELEMETRY_FLUSH=request"}},
	} {
		t.Run(strings.Join(append(test.beside, test.variable), " "), func(t *testing.T) {
			name, _, _ := strings.Cut(test.variable, "=")
			got := faultsOf(t, append(test.beside, test.variable)...)
			if diff := cmp.Diff([]string{name + ": is of no use " + test.why}, got); strings.HasSuffix(name, "_FILE") {
				if len(got) != 1 || !strings.Contains(got[0], test.why) {
					t.Errorf("faults are %q, want that it is of no use %s", got, test.why)
				}
			} else if diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if test.fit != nil {
				for _, fault := range complaints(append(test.fit, test.variable)...) {
					t.Errorf("with %q: %s", test.fit, fault)
				}
			}
		})
	}
	t.Run("longer than what ends it", func(t *testing.T) {
		want := []string{
			`RETRY_BACKOFF="2s": must not be above RETRY_MAX_BACKOFF, which is 1s`,
			`RETRY_TRY_TIMEOUT="6s": must not be above REQUEST_TIMEOUT, which is 5s`,
			`MAX_QUEUE_WAIT="6s": must not be above REQUEST_TIMEOUT, which is 5s`,
		}
		got := faultsOf(t, "RETRY_BACKOFF=2s", "RETRY_TRY_TIMEOUT=6s", "REQUEST_TIMEOUT=5s", "MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=1", "MAX_QUEUE_WAIT=6s")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		if got := complaints("REQUEST_TIMEOUT=500ms", "RETRY_TRY_TIMEOUT=500ms"); got != nil {
			t.Errorf("of what is as long, or a default, the faults are %q", got)
		}
	})
	t.Run("what says the same as the default", func(t *testing.T) {
		if got := complaints("RATE_LIMIT_DRY_RUN=false", "MAX_QUEUE=0", "RATE_LIMIT_ON_STORE_ERROR=local", "PROBE_MODE=off", "PROBE_INTERVAL=10000ms"); got != nil {
			t.Errorf("faults are %q", got)
		}
	})
	for _, p := range config.Platforms {
		t.Run("platform "+p.Name, func(t *testing.T) {
			if got := complaints("PLATFORM="+p.Name, "PROBE_MODE=off", "OTEL_TRACES_SAMPLER=always_on", "ACCESS_LOG=text"); got != nil {
				t.Errorf("of what the platform sets the faults are %q", got)
			}
		})
	}
}

// People separate what they list by commas, blanks and line ends.
func TestLists(t *testing.T) {
	var cfg, want Config
	if _, _, err := config.Load(&want, []string{
		"BACKENDS=http://a:3000,http://b:3000;weight=2", "ALLOW_CIDRS=10.0.0.0/8,::1", "RETRY_ON=connect,503", "PROBE_STATUS=200,204", "PROBE_PATH=/",
		"CORS_ALLOWED_ORIGINS=https://a.test,https://b.test", "CORS_ALLOWED_METHODS=GET,POST", "RATE_LIMIT=1/s,9/m", "OTEL_PROPAGATORS=b3,baggage",
		"OTEL_TRACES_EXPORTER=otlp,console", "TRACE_KEEP=error,slow:1s", "TRACE_BAGGAGE=a,b",
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(&cfg, []string{
		"BACKENDS= http://a:3000 http://b:3000;weight=2\n", "ALLOW_CIDRS=10.0.0.0/8\n::1\n", "RETRY_ON=connect  503", "PROBE_STATUS=200 ,\t204", "PROBE_PATH=/",
		"CORS_ALLOWED_ORIGINS=https://a.test\r\nhttps://b.test", "CORS_ALLOWED_METHODS=GET POST", "RATE_LIMIT=1/s 9/m", "OTEL_PROPAGATORS=b3 baggage",
		"OTEL_TRACES_EXPORTER=otlp, console", "TRACE_KEEP=error\nslow:1s", "TRACE_BAGGAGE=a b",
	}); err != nil {
		t.Fatal(err)
	}
	for i, v := range config.Variables(&want) {
		if got := config.Variables(&cfg)[i]; v.Changed() != got.Changed() {
			t.Errorf("%s: changed is %t, want %t", v.Name, got.Changed(), v.Changed())
		}
	}
	if len(cfg.Route.Balancer.Backends) != 2 || cfg.Route.Balancer.Backends[1].Weight != 2 || len(cfg.Route.Policy.RateLimit.Limits) != 2 || len(cfg.Route.Policy.CORS.Origins) != 2 {
		t.Errorf("read as %+v", cfg)
	}
	if got := faultsOf(t, "BACKENDS=http://a:3000 ,, http://b:3000"); len(got) != 1 || !strings.Contains(got[0], "has an empty entry") {
		t.Errorf("faults are %q, want that there is an empty entry", got)
	}
}

// Reasons are for people who do not know what the program is written in.
func TestFaultsAreForPeople(t *testing.T) {
	t.Parallel()
	goText := regexp.MustCompile(`strconv|parse error|time: |slog|netip|net/url|invalid URL escape|first path segment|invalid character|invalid control|missing protocol scheme|invalid port|x509|pem:|json:|unmarshal`)
	for _, text := range []string{"\x01", "127.0.0.1:4318", "http://%zz", "http://a b", "http://[::1", "/a%zz", "http://a:b", "99999999999999999999", "http://a\x7f"} {
		var all []string
		for _, v := range config.Variables(&Config{}) {
			all = append(all, v.Name+"="+text)
		}
		together := map[string][]string{} // by variable
		for _, fault := range complaints(all...) {
			name := fault[:strings.IndexAny(fault, "=: ")]
			together[name] = append(together[name], fault)
		}
		for _, given := range all {
			name, _, _ := strings.Cut(given, "=")
			faults := together[name]
			if faults == nil { // what is right by itself is compared with others, which must be right too
				faults = complaints(given)
			}
			for _, fault := range faults {
				if goText.MatchString(fault) {
					t.Errorf("%s: %s", given, fault)
				}
			}
		}
	}
}

func TestEndpointsWithoutAScheme(t *testing.T) {
	for given, want := range map[string][]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318":        {`OTEL_EXPORTER_OTLP_ENDPOINT="127.0.0.1:4318": needs http:// or https:// before it: http://127.0.0.1:4318`},
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318":        {`OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318": needs http:// or https:// before it: http://collector:4318`},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=127.0.0.1:4318": {`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="127.0.0.1:4318": needs http:// or https:// before it: http://127.0.0.1:4318`},
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://a b":            {`OTEL_EXPORTER_OTLP_ENDPOINT="http://a b": must be a URL such as http://collector:4318 or https://collector:4318`},
	} {
		t.Run(given, func(t *testing.T) {
			if diff := cmp.Diff(want, faultsOf(t, given, "OTEL_SDK_DISABLED=false")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
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
			want:    []string{"BACKEND_CA_FILE: open /no.ca: no such file or directory", "BACKEND_CERT_FILE: open /no.pem: no such file or directory"},
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
	// BACKEND_CA_FILE: open /nowhere.pem: no such file or directory
	// SHUTDOWN_DELAY="20s": must be less than three quarters of SHUTDOWN_TIMEOUT, which is 10s
	// OTEL_TRACES_SAMPLER_ARG="7": must be a number from 0 to 1
	// OTEL_EXPORTER_OTLP_ENDPOINT="junk": must be a URL such as http://collector:4318 or https://collector:4318
	// RETRY_ATEMPTS: unknown; did you mean RETRY_ATTEMPTS?
	// 64
}
