package main

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestDoorsOfRoutes holds that nobody gets past the door of a route by another one which
// has the same backends: neither by a spelling of the path or the host that they may read
// in another way, nor by what only a door should say.
func TestDoorsOfRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+telling(t, "X-Auth-Principal", "X-Auth-Method", "X-Who", "X-Tenant"), "TRUSTED_PROXIES=127.0.0.0/8",
		"ROUTES=closed,host,who,get,put,tenant,user,below,page,own",
		"ROUTE_CLOSED_MATCH=/closed/*,/admin", "ROUTE_CLOSED_AUTH_API_KEYS=joe:"+apiKey,
		"ROUTE_HOST_MATCH=secret.example.com/*", "ROUTE_HOST_AUTH_API_KEYS=joe:"+apiKey,
		"ROUTE_WHO_MATCH=/who", "ROUTE_WHO_AUTH_API_KEYS=joe:"+apiKey, "ROUTE_WHO_AUTH_PRINCIPAL_HEADER=X-Who",
		"ROUTE_GET_MATCH=GET /api/*", "ROUTE_PUT_MATCH=/api/*", "ROUTE_PUT_AUTH_API_KEYS=joe:"+apiKey,
		"ROUTE_USER_MATCH=/users/{id}/keys", "ROUTE_USER_ALLOW_CIDRS=192.0.2.0/24", "ROUTE_BELOW_MATCH=/below/{rest...}", "ROUTE_BELOW_AUTH_API_KEYS=joe:"+apiKey,
		"ROUTE_PAGE_MATCH=/page,/other/", "ROUTE_PAGE_RESPOND=200 text/plain page", "ROUTE_OWN_MATCH=/closed/own", "ROUTE_OWN_AUTH_API_KEYS=ann:"+strings.Repeat("b", 32),
		"ROUTE_TENANT_MATCH=files.example.com/{id}/{rest...}", "ROUTE_TENANT_REWRITE=/users/{id}/files/{rest}", "ROUTE_TENANT_REQUEST_HEADERS=X-Tenant: {id}",
	)
	const key = "X-Api-Key: " + apiKey
	for _, test := range []struct {
		method, host, target string
		header               []string
		want                 string // how the answer begins
	}{
		{"GET", "x", "/open", nil, "200 GET /open"},
		{"GET", "x", "/closed/x", nil, "401"},
		{"GET", "x", "/closed/x", []string{key}, "200 GET /closed/x X-Auth-Principal=joe X-Auth-Method=api_key"},

		// A server may make nothing of capitals.
		{"GET", "x", "/CLOSED/x", nil, "400"},
		{"GET", "x", "/Admin", nil, "400"},
		{"GET", "x", "/%43losed/x", nil, "400"},
		{"GET", "x", "/open/..%2fCLOSED/x", nil, "400"},

		// A server may make nothing of a slash at the end: where a door is, it opens nothing.
		{"GET", "x", "/admin", nil, "401"},
		{"GET", "x", "/admin/", nil, "400"},
		{"GET", "x", "/admin/", []string{key}, "400"},
		{"GET", "x", "/Admin/", nil, "400"},
		{"GET", "x", "/admin%2f", nil, "400"},
		{"GET", "x", "/users/1/keys", nil, "403"},
		{"GET", "x", "/users/1/keys/", nil, "400"},
		{"GET", "x", "/users/1/keys//", nil, "400"},
		{"GET", "x", "/users/1/keys/;a", nil, "400"},
		{"GET", "x", "/users/1/keys/a", nil, "200 GET /users/1/keys/a"},
		{"GET", "x", "/below/", nil, "401"},
		{"GET", "x", "/below", nil, "400"},
		{"GET", "x", "/closed/own/", []string{key}, "400"}, // it is somebody else's
		{"GET", "x", "/closed/", nil, "401"},
		{"GET", "x", "/page", nil, "200 page"},
		{"GET", "x", "/page/", nil, "200 GET /page/"},
		{"GET", "x", "/other", nil, "200 GET /other"},
		{"GET", "x", "/", nil, "200 GET /"},

		// The backend goes by Host, whatever a proxy says.
		{"GET", "secret.example.com", "/", nil, "401"},
		{"GET", "secret.example.com", "/", []string{"X-Forwarded-Host: x"}, "401"},
		{"GET", "secret.example.com", "/", []string{"Forwarded: for=192.0.2.1;host=x"}, "401"},
		{"GET", "x", "/", []string{"X-Forwarded-Host: secret.example.com"}, "200 GET /"},

		// Only a door says who somebody is.
		{"GET", "x", "/open", []string{"X-Auth-Principal: root", "X_Auth_Method: api_key", "X-Who: root"}, "200 GET /open"},
		{"GET", "x", "/who", []string{key, "X-Auth-Principal: root"}, "200 GET /who X-Auth-Method=api_key X-Who=joe"},

		// What is no preflight that its route answers is a request like others.
		{"OPTIONS", "x", "/api/a", nil, "401"},
		{"OPTIONS", "x", "/api/a", []string{"Origin: https://a.example", "Access-Control-Request-Method: GET"}, "401"},
		{"GET", "x", "/api/a", nil, "200 GET /api/a"},

		// Variables are what there is where dots have been resolved, or nothing is sent.
		{"GET", "files.example.com", "/me/a/b", nil, "200 GET /users/me/files/a/b X-Tenant=me"},
		{"GET", "files.example.com", "/me/../../other/files/x", nil, "400"},
		{"GET", "files.example.com", "/me/..%2f..%2fother/files/x", nil, "400"},
		{"GET", "files.example.com", "/me/..%5c..%5cother/x", nil, "400"},
		{"GET", "files.example.com", "/me%2f..%2fother/x", nil, "400"},
		{"GET", "files.example.com", "/me/a/.;/x", nil, "400"},
	} {
		r := p.newRequest(t.Context(), test.method, "/", nil, test.header...)
		lines := []string{test.method + " " + test.target + " HTTP/1.1", "Host: " + test.host, "Connection: close"}
		for name, values := range r.Header {
			lines = append(lines, name+": "+values[0])
		}
		if got := brieflyHTTP1(t, sendRaw(t, p.addr, strings.Join(lines, "\r\n")+"\r\n\r\n")); !strings.HasPrefix(got, test.want) || len(test.want) > 3 && got != test.want {
			t.Errorf("%s %s%s %q: %q, want %q", test.method, test.host, test.target, test.header, got, test.want)
		}
	}
}

// The keys of one issuer are fetched once, however many routes let in its tokens: each has
// an audience of its own, as a rule.
func TestKeysOfRoutes(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int64
	issuer := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		io.WriteString(w, `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"1"}]}`) // RFC 7517, appendix A.1
	})
	environ := []string{"BACKENDS=echo:a", "ROUTES=a,b,c", "AUTH_JWT_JWKS_URL=" + issuer, "AUTH_JWT_ISSUER=i", "AUTH_JWT_AUDIENCE=all"}
	for _, name := range []string{"A", "B", "C"} {
		environ = append(environ, "ROUTE_"+name+"_MATCH=/"+name+"/*", "ROUTE_"+name+"_AUTH_JWT_JWKS_URL="+issuer, "ROUTE_"+name+"_AUTH_JWT_ISSUER=i", "ROUTE_"+name+"_AUTH_JWT_AUDIENCE="+name)
	}
	p := start(t, environ...)
	p.await("keys of tokens fetched")
	for _, path := range []string{"/", "/A/", "/B/", "/C/"} {
		if got, _ := p.at(t, "GET", "x", path, nil); got[:3] != "401" {
			t.Errorf("%s: %s", path, got)
		}
	}
	p.stop()
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
}
