package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
