package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// site are two routes that are right, beside which others are wrong.
var site = []string{"ROUTES=api,web", "ROUTE_API_MATCH=/api/*", "ROUTE_API_BACKENDS=http://a", "ROUTE_WEB_MATCH=/*", "ROUTE_WEB_BACKENDS=http://w"}

// refused returns what a start and config say of an environment, which they refuse in the
// same words and with the same code.
func refused(t *testing.T, environ []string) []string {
	t.Helper()
	environ = append([]string{"PORT=0", "OTEL_SDK_DISABLED=true"}, environ...)
	_, started, code := asked(t, environ)
	printed, stderr, configCode := asked(t, environ, "config")
	if code != 64 || configCode != 64 || printed != "" {
		t.Errorf("exit codes are %d and %d, stdout %q", code, configCode, printed)
	}
	told := func(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
	if diff := cmp.Diff(told(started), told(stderr)); diff != "" {
		t.Errorf("faults of a start and of config (-start +config):\n%s", diff)
	}
	return told(stderr)
}

// All that is wrong is told at once, and of each fault which variable it is in.
func TestAllFaultsOfRoutesAtOnce(t *testing.T) {
	t.Parallel()
	got := refused(t, []string{
		"ROUTES=api,docs,x,y,read,write,a-b,a_b",
		"ROUTE_A_B_MATCH=/a-b", "ROUTE_A_B_BACKENDS=http://a",
		"ROUTE_APII_MATCH=/apii", "ROUTE_API_MATCH=/api/*", "ROUTE_API_BACKENDS=http://a", "ROUTE_API_RATE_LIMT=5/s", "ROUTE_API_PORT=tcp://10.0.0.7:80",
		"ROUTE_API_STRIP=/v1", "ROUTE_API_OTEL_SERVICE_NAME=api",
		"ROUTE_DOCS_MATCH=/docs/*", "ROUTE_DOCS_BACKENDS=http://d", "ROUTE_DOCS_REDIRECT=308 /elsewhere",
		"ROUTE_X_MATCH=/a/{p}/c", "ROUTE_X_BACKENDS=http://x", "ROUTE_Y_MATCH=/a/b/{q}", "ROUTE_Y_BACKENDS=http://y",
		"ROUTE_READ_MATCH=GET|HEAD /shop/*", "ROUTE_READ_BACKENDS=http://r", "ROUTE_WRITE_MATCH=/shop/*", "ROUTE_WRITE_BACKENDS=@raed",
	})
	want := []string{
		`ROUTES="api,docs,x,y,read,write,a-b,a_b": "a-b" and "a_b" are both written ROUTE_A_B_…`,
		`routes "x" (/a/{p}/c) and "y" (/a/b/{q}): both match /a/b/c and neither is more specific`,
		`ROUTE_WRITE_BACKENDS="@raed": no route is called "raed"; did you mean "read"?`,
		`ROUTE_API_STRIP="/v1": /api/* never begins with it`,
		`route "docs": has BACKENDS and REDIRECT; a route does one of BACKENDS, REDIRECT, RESPOND`,
		`ROUTE_APII_MATCH: no route is called "apii"; did you mean "api" (ROUTE_API_MATCH)?`,
		`ROUTE_API_OTEL_SERVICE_NAME: OTEL_SERVICE_NAME holds for the whole program`,
		`ROUTE_API_RATE_LIMT: unknown; did you mean ROUTE_API_RATE_LIMIT?`,
		`ROUTE_API_PORT="tcp://10.0.0.7:80": ignored, looks like a Kubernetes service link`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestRoutesAtFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string // behind site
		want    []string
	}{
		"two names written alike":      {[]string{"ROUTES=a-b,a_b", "ROUTE_A_B_MATCH=/", "ROUTE_A_B_BACKENDS=http://a", "ROUTE_API_MATCH=", "ROUTE_API_BACKENDS=", "ROUTE_WEB_MATCH=", "ROUTE_WEB_BACKENDS="}, []string{`ROUTES="a-b,a_b": both are written ROUTE_A_B_…`}},
		"a name twice":                 {[]string{"ROUTES=api,web,api"}, []string{`ROUTES="api,web,api": "api" is listed twice`}},
		"a name of capitals":           {[]string{"ROUTES=API,web"}, []string{`ROUTES="API,web": "API": must be lower-case letters, digits and dashes, such as api`}},
		"a number":                     {[]string{"ROUTES=api,web,1"}, []string{`ROUTES="api,web,1": "1": must be lower-case letters, digits and dashes, a letter first`}},
		"the name of what is left":     {[]string{"ROUTES=api,web,default"}, []string{`ROUTES="api,web,default": "default" is what takes what no route does: BACKENDS and the other variables without ROUTE_ are its`}},
		"no name":                      {[]string{"ROUTES=api,,web"}, []string{`ROUTES="api,,web": has an empty entry; a list looks like api,web`}},
		"no match":                     {[]string{"ROUTE_API_MATCH="}, []string{"ROUTE_API_MATCH: required, e.g. /api/*"}},
		"no backends":                  {[]string{"ROUTE_API_BACKENDS="}, []string{`route "api": does nothing; a route does one of BACKENDS, REDIRECT, RESPOND`}},
		"backends that are off":        {[]string{"BACKENDS=http://all", "ROUTE_API_BACKENDS=off"}, []string{`ROUTE_API_BACKENDS="off": backend "off": must be a URL such as http://off`}},
		"three ways at once":           {[]string{"ROUTE_API_REDIRECT=/x", "ROUTE_API_RESPOND=200"}, []string{`route "api": has BACKENDS and REDIRECT and RESPOND; a route does one of BACKENDS, REDIRECT, RESPOND`}},
		"no route at all":              {[]string{"ROUTES=", "BACKENDS=http://b", "ROUTE_WEB_MATCH=", "ROUTE_WEB_BACKENDS=", "ROUTE_API_BACKENDS="}, []string{`ROUTE_API_MATCH: no route is called "api", as ROUTES is not set`}},
		"a route that is not listed":   {[]string{"ROUTE_NEW_V2_RATE_LIMIT=5/s"}, []string{`ROUTE_NEW_V2_RATE_LIMIT: no route is called "new-v2"; ROUTES lists those that there are`}},
		"a newer one":                  {[]string{"ROUTE_API_V2_BACKENDS=http://b"}, []string{`ROUTE_API_V2_BACKENDS: no route is called "api-v2"; ROUTES lists those that there are`}},
		"both misspelled":              {[]string{"ROUTE_APII_RATE_LIMT=5/s"}, []string{"ROUTE_APII_RATE_LIMT: unknown; did you mean ROUTE_API_RATE_LIMIT?"}},
		"in lower case":                {[]string{"ROUTE_api_RATE_LIMIT=5/s"}, []string{"ROUTE_api_RATE_LIMIT: unknown; did you mean ROUTE_API_RATE_LIMIT?"}},
		"begun with the list's name":   {[]string{"ROUTES_API_RATE_LIMIT=5/s"}, []string{"ROUTES_API_RATE_LIMIT: unknown; did you mean ROUTE_API_RATE_LIMIT?"}},
		"begun with ours":              {[]string{"SPANGATE_ROUTE_API_RATE_LIMIT=5/s"}, []string{"SPANGATE_ROUTE_API_RATE_LIMIT: unknown; did you mean ROUTE_API_RATE_LIMIT?"}},
		"by another's name":            {[]string{"ROUTE_API_UPSTREAM=http://b", "ROUTE_API_PATH_PREFIX=/api"}, []string{"ROUTE_API_PATH_PREFIX: unknown; did you mean ROUTE_API_MATCH?", "ROUTE_API_UPSTREAM: unknown; did you mean ROUTE_API_BACKENDS?"}},
		"a word of a longer name":      {[]string{"ROUTE_API_CANRY_BACKENDS=http://b"}, []string{"ROUTE_API_CANRY_BACKENDS: unknown; did you mean ROUTE_API_CANARY_BACKENDS?"}},
		"of no route":                  {[]string{"ROUTE_AUTH_API_KEYS=a:b", "ROUTE__ALLOW_CIDRS=all", "ROUTES_DENY_CIDRS=none"}, []string{"ROUTES_DENY_CIDRS: is of no route; that of one is ROUTE_<NAME>_DENY_CIDRS", "ROUTE_AUTH_API_KEYS: is of no route; that of one is ROUTE_<NAME>_AUTH_API_KEYS", "ROUTE__ALLOW_CIDRS: is of no route; that of one is ROUTE_<NAME>_ALLOW_CIDRS"}},
		"a dot for a wildcard":         {[]string{"ROUTE_API_MATCH=.example.com/*"}, []string{`ROUTE_API_MATCH=".example.com/*": ".example.com/*" has ".example.com" for a host; a wildcard is *.example.com`}},
		"nothing of ours":              {[]string{"ROUTE_API_FROBNICATE=1"}, []string{"ROUTE_API_FROBNICATE: unknown; spangate help routes says what a route has"}},
		"of the whole program":         {[]string{"ROUTE_API_HOST=api.test", "ROUTE_API_TLS_CERT_FILE=/a", "ROUTE_API_RATE_LIMIT_REDIS_URL_FILE=/a", "ROUTE_API_TRUSTED_PROXIES=all", "ROUTE_API_PLATFORM=fly", "ROUTE_API_ADMIN_PORT=1"}, []string{"ROUTE_API_ADMIN_PORT: ADMIN_PORT holds for the whole program", "ROUTE_API_HOST: HOST holds for the whole program; did you mean ROUTE_API_MATCH?", "ROUTE_API_PLATFORM: PLATFORM holds for the whole program", "ROUTE_API_RATE_LIMIT_REDIS_URL_FILE: RATE_LIMIT_REDIS_URL holds for the whole program", "ROUTE_API_TLS_CERT_FILE: TLS_CERT_FILE holds for the whole program", "ROUTE_API_TRUSTED_PROXIES: TRUSTED_PROXIES holds for the whole program"}},
		"a name that is two":           {[]string{"ROUTES=api,web,api-canary", "ROUTE_API_CANARY_MATCH=/c", "ROUTE_API_CANARY_BACKENDS=http://c"}, []string{`route "api-canary": does nothing; a route does one of BACKENDS, REDIRECT, RESPOND`, `ROUTE_API_CANARY_BACKENDS: may be CANARY_BACKENDS of "api" or BACKENDS of "api-canary"; give one of them another name`}},
		"an empty door":                {[]string{"ROUTE_API_AUTH_API_KEYS=", "ROUTE_API_ALLOW_CIDRS="}, []string{"ROUTE_API_ALLOW_CIDRS: is set but empty, which must not open the door by mistake; write all to let in from everywhere", "ROUTE_API_AUTH_API_KEYS: is set but empty, which must not open the door by mistake; leave it out if no keys are to let in"}},
		"a value":                      {[]string{"ROUTE_API_RETRY_ATTEMPTS=x", "ROUTE_API_RATE_LIMIT=0/s", "ROUTE_WEB_REQUEST_TIMEOUT=-1s", "ROUTE_WEB_BALANCER='hash'"}, []string{`ROUTE_API_RETRY_ATTEMPTS="x": must be a whole number`, `ROUTE_API_RATE_LIMIT="0/s": must let at least one request in`, `ROUTE_WEB_BALANCER="'hash'": leave out the quotes around it, which are a part of the value here`, `ROUTE_WEB_REQUEST_TIMEOUT="-1s": must be at least 0`}},
		"a secret":                     {[]string{"ROUTE_API_AUTH_API_KEYS=s3cret", "ROUTE_WEB_AUTH_API_KEYS_FILE=/no.keys"}, []string{`ROUTE_WEB_AUTH_API_KEYS_FILE="/no.keys": no such file or directory`, "ROUTE_API_AUTH_API_KEYS: item 1: must be a name, a colon and a secret"}},
		"what goes with another":       {[]string{"ROUTE_API_MAX_QUEUE=5", "ROUTE_API_RATE_LIMIT_BURST=5", "ROUTE_API_AUTH_EXEMPT_PATHS=/up"}, []string{"ROUTE_API_AUTH_EXEMPT_PATHS: is of no use without ROUTE_API_AUTH_API_KEYS, ROUTE_API_AUTH_BASIC_USERS, ROUTE_API_AUTH_JWT_JWKS_URL or ROUTE_API_AUTH_CLIENT_CERT: anybody is let in", "ROUTE_API_RATE_LIMIT_BURST: is of no use without ROUTE_API_RATE_LIMIT", "ROUTE_API_MAX_QUEUE: is of no use without ROUTE_API_MAX_CONCURRENT_REQUESTS"}},
		"of use nowhere":               {[]string{"RATE_LIMIT_BURST=5"}, []string{"RATE_LIMIT_BURST: is of no use without RATE_LIMIT"}},
		"above what is inherited":      {[]string{"REQUEST_TIMEOUT=5s", "ROUTE_API_RETRY_TRY_TIMEOUT=6s"}, []string{`ROUTE_API_RETRY_TRY_TIMEOUT="6s": must not be above REQUEST_TIMEOUT, which is 5s`}},
		"above the route's own":        {[]string{"REQUEST_TIMEOUT=9s", "ROUTE_API_REQUEST_TIMEOUT=5s", "ROUTE_API_RETRY_TRY_TIMEOUT=6s"}, []string{`ROUTE_API_RETRY_TRY_TIMEOUT="6s": must not be above ROUTE_API_REQUEST_TIMEOUT, which is 5s`}},
		"inherited by all, told once":  {[]string{"AUTH_API_KEYS=short"}, []string{"AUTH_API_KEYS: item 1: must be a name, a colon and a secret"}},
		"inherited beside its own":     {[]string{"CORS_ALLOWED_ORIGINS=*", "ROUTE_API_CORS_ALLOW_CREDENTIALS=true"}, []string{`CORS_ALLOWED_ORIGINS="*": not with ROUTE_API_CORS_ALLOW_CREDENTIALS: any page could act for its visitors; list the origins that may`}},
		"what its own needs":           {[]string{"ROUTE_API_AUTH_JWT_JWKS_URL=https://a.test/", "AUTH_JWT_AUDIENCE=b"}, []string{"ROUTE_API_AUTH_JWT_ISSUER: required by ROUTE_API_AUTH_JWT_JWKS_URL, e.g. https://issuer.example/"}},
		"a file":                       {[]string{"ROUTE_API_BACKENDS=https://a", "ROUTE_API_BACKEND_CA_FILE=/no.ca"}, []string{"ROUTE_API_BACKEND_CA_FILE: open /no.ca: no such file or directory"}},
		"its own backends":             {[]string{"ROUTE_API_BACKENDS=@api"}, []string{`ROUTE_API_BACKENDS="@api": is the route itself`}},
		"one's backends of another":    {[]string{"ROUTES=api,web,x", "ROUTE_API_BACKENDS=@web", "ROUTE_X_MATCH=/x", "ROUTE_X_BACKENDS=@api"}, []string{`ROUTE_X_BACKENDS="@api": "api" has the backends of another route itself`}},
		"backends of what has none":    {[]string{"ROUTE_API_BACKENDS=@web", "ROUTE_WEB_BACKENDS=", "ROUTE_WEB_RESPOND=204"}, []string{`ROUTE_API_BACKENDS="@web": "web" has no backends`}},
		"backends and those of others": {[]string{"ROUTE_API_BACKENDS=@web,http://a"}, []string{`ROUTE_API_BACKENDS="@web,http://a": backend "@web": must stand alone: it is all the backends of another route`}},
		"everybody's of a route":       {[]string{"BACKENDS=@web"}, []string{`BACKENDS="@web": only a route can have the backends of another one`}},
		"probes of others' backends":   {[]string{"ROUTE_API_BACKENDS=@web", "ROUTE_API_PROBE_PATH=/up"}, []string{`ROUTE_API_PROBE_PATH: is of no use with the backends of "web", for which "web" says it`}},
		"backends of a redirect":       {[]string{"ROUTE_API_BACKENDS=", "ROUTE_API_REDIRECT=/x", "ROUTE_API_PROBE_PATH=/up", "ROUTE_API_RETRY_ATTEMPTS=1", "ROUTE_API_STRIP=/api", "ROUTE_API_REQUEST_HEADERS=X-A: b", "ROUTE_API_RATE_LIMIT=5/s"}, []string{"ROUTE_API_STRIP: is of no use with ROUTE_API_REDIRECT, which asks no backend", "ROUTE_API_RETRY_ATTEMPTS: is of no use with ROUTE_API_REDIRECT, which asks no backend", "ROUTE_API_PROBE_PATH: is of no use with ROUTE_API_REDIRECT, which asks no backend", "ROUTE_API_REQUEST_HEADERS: is of no use with ROUTE_API_REDIRECT, which asks no backend"}},
		"a canary of an answer":        {[]string{"ROUTE_API_BACKENDS=", "ROUTE_API_RESPOND=204", "ROUTE_API_CANARY_BACKENDS=http://c", "ROUTE_API_CANARY_BY=client-ip", "ROUTE_API_MIRROR=5%", "ROUTE_API_BACKEND_HOST=backend"}, []string{"ROUTE_API_CANARY_BACKENDS: is of no use with ROUTE_API_RESPOND, which asks no backend", "ROUTE_API_CANARY_BY: is of no use with ROUTE_API_RESPOND, which asks no backend", "ROUTE_API_MIRROR: is of no use with ROUTE_API_RESPOND, which asks no backend", "ROUTE_API_BACKEND_HOST: is of no use with ROUTE_API_RESPOND, which asks no backend"}},
		"a key that is gone":           {[]string{"ROUTE_API_BACKENDS=@web", "ROUTE_API_AUTH_API_KEYS=a:" + apiKey, "ROUTE_WEB_BALANCER=hash", "ROUTE_WEB_BALANCER_HASH_KEY=header:X-API-Key"}, []string{`ROUTE_WEB_BALANCER_HASH_KEY="header:X-Api-Key": is not there any more when a backend is chosen`}},
		"certificates beside HTTP":     {[]string{"ROUTE_WEB_AUTH_CLIENT_CERT=cn"}, []string{"ROUTE_WEB_AUTH_CLIENT_CERT: is of no use without TLS_CLIENT_CA_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, refused(t, append(site, test.environ...))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
