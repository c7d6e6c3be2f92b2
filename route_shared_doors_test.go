package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// briefDoor is what came of a request.
type briefDoor struct{ ask, header, want string }

func (p *program) askEach(t *testing.T, asks []briefDoor) {
	t.Helper()
	for _, ask := range asks {
		method, target, _ := strings.Cut(ask.ask, " ")
		var header []string
		if ask.header != "" {
			header = strings.Split(ask.header, "\n")
		}
		got, _ := p.at(t, method, "a.test", target, nil, header...)
		if got, _, _ = strings.Cut(got, " "); got != ask.want {
			t.Errorf("%s, %q: %s, want %s", ask.ask, ask.header, got, ask.want)
		}
	}
}

// A route that has credentials of its own lets in nobody else, and opens no path that
// others open: who is let in is one question. What is switched off alone leaves the rest.
func TestCredentialsOfRoutes(t *testing.T) {
	t.Parallel()
	const globalKey, ownKey, user = "X-Api-Key: " + apiKey, "X-Api-Key: 0123456789abcdef-own", "Authorization: Basic bWU6c2VjcmV0"
	p := start(t, "PROBE_MODE=off", "BACKENDS=echo:a", "AUTH_API_KEYS=joe:"+apiKey, "AUTH_BASIC_USERS=me:"+hashed(t, "secret"), "AUTH_EXEMPT_PATHS=/own/open,/users/open,/inherits/open,/nokeys/open",
		"ROUTES=own,users,inherits,nokeys,both,exempt",
		"ROUTE_OWN_MATCH=/own/*", "ROUTE_OWN_AUTH_API_KEYS=own:0123456789abcdef-own",
		"ROUTE_USERS_MATCH=/users/*", "ROUTE_USERS_AUTH_BASIC_USERS=me:"+hashed(t, "secret"), "ROUTE_USERS_AUTH_EXEMPT_PATHS=/users/health",
		"ROUTE_INHERITS_MATCH=/inherits/*", "ROUTE_INHERITS_AUTH_PRINCIPAL_HEADER=X-Who",
		"ROUTE_NOKEYS_MATCH=/nokeys/*", "ROUTE_NOKEYS_AUTH_API_KEYS=off",
		"ROUTE_BOTH_MATCH=/both/*", "ROUTE_BOTH_AUTH_API_KEYS=own:0123456789abcdef-own", "ROUTE_BOTH_AUTH_BASIC_USERS=me:"+hashed(t, "secret"),
		"ROUTE_EXEMPT_MATCH=/exempt/*", "ROUTE_EXEMPT_AUTH_EXEMPT_PATHS=/exempt/open",
	)
	p.askEach(t, []briefDoor{
		{"GET /", "", "401"}, {"GET /", globalKey, "200"}, {"GET /", user, "200"},
		{"GET /own/x", ownKey, "200"}, {"GET /own/x", globalKey, "401"}, {"GET /own/x", user, "401"}, {"GET /own/open", "", "401"},
		{"GET /users/x", user, "200"}, {"GET /users/x", globalKey, "401"}, {"GET /users/open", "", "401"}, {"GET /users/health", "", "200"},
		{"GET /inherits/x", user, "200"}, {"GET /inherits/x", globalKey, "200"}, {"GET /inherits/x", ownKey, "401"}, {"GET /inherits/open", "", "200"},
		{"GET /nokeys/x", user, "200"}, {"GET /nokeys/x", globalKey, "401"}, {"GET /nokeys/x", "", "401"}, {"GET /nokeys/open", "", "200"},
		{"GET /both/x", user, "200"}, {"GET /both/x", ownKey, "200"}, {"GET /both/x", globalKey, "401"},
		{"GET /exempt/x", "", "401"}, {"GET /exempt/x", globalKey, "200"}, {"GET /exempt/open", "", "200"},
	})
}

// What the table itself answers meets the doors that hold for all: whoever must not come
// in, or too often, does not by asking for what is not there.
func TestDoorsBeforeNoRoute(t *testing.T) {
	t.Parallel()
	routes := []string{"PROBE_MODE=off", "ROUTES=get", "ROUTE_GET_MATCH=GET /get/*", "ROUTE_GET_RESPOND=200 text/plain got"}
	unanswered := map[string]string{"GET /none": "404", "POST /get/x": "405", "GET /x/..%2fget/x": "400", "OPTIONS *": "204"}
	for name, environ := range map[string][]string{"alone": nil, "beside backends": {"BACKENDS=echo:a"}} {
		t.Run(name, func(t *testing.T) {
			ask := func(p *program, ask string) string {
				return p.raw(t, ask+" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")[:3]
			}
			open := start(t, append(append(routes, "SECURITY_HEADERS=on"), environ...)...)
			denied := start(t, append(append(routes, "DENY_CIDRS=127.0.0.0/8"), environ...)...)
			closed := start(t, append(append(routes, "AUTH_API_KEYS=joe:"+apiKey), environ...)...)
			limited := start(t, append(append(routes, "RATE_LIMIT=3/h"), environ...)...)
			for what, want := range unanswered {
				if environ != nil && (what == "GET /none" || what == "POST /get/x") {
					want = "200" // BACKENDS takes it
				}
				if got := ask(open, what); got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
				if got := ask(denied, what); got != "403" {
					t.Errorf("%s, from an address that is denied: %s", what, got)
				}
				if got := ask(closed, what); got != "401" {
					t.Errorf("%s, without a key: %s", what, got)
				}
			}
			if _, header := open.at(t, "GET", "a.test", "/x/..%2fget/x", nil); header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("fields of an answer: %v", header)
			}
			for range 3 {
				ask(limited, "GET /x/..%2fget/x")
			}
			if got := ask(limited, "GET /get/x"); got != "429" {
				t.Errorf("after three that no route takes: %s", got)
			}
		})
	}
}

// Only a mirror says that a request is a copy, and no client, on no route.
func TestClientsSayNoMirror(t *testing.T) {
	t.Parallel()
	backend := telling(t, "X-Mirror")
	mirrors := start(t, "PROBE_MODE=off", "BACKENDS="+backend, "ROUTES=mirrored,plain", "ROUTE_MIRRORED_MATCH=/mirrored", "ROUTE_MIRRORED_MIRROR_BACKENDS="+plainBackend(t, func(http.ResponseWriter, *http.Request) {}), "ROUTE_MIRRORED_MIRROR=1%", "ROUTE_PLAIN_MATCH=/plain")
	for _, target := range []string{"/mirrored", "/plain", "/rest"} {
		for _, field := range []string{"X-Mirror: true", "X_Mirror: true", "x-mirror: true"} {
			if got, _ := mirrors.at(t, "GET", "a.test", target, nil, field); got != "200 GET "+target {
				t.Errorf("%s with %s: %s", target, field, got)
			}
		}
	}
	behind := start(t, "PROBE_MODE=off", "BACKENDS="+backend, "ROUTES=plain", "ROUTE_PLAIN_MATCH=/plain")
	if got, _ := behind.at(t, "GET", "a.test", "/plain", nil, "X-Mirror: true"); got != "200 GET /plain X-Mirror=true" {
		t.Errorf("behind another proxy, which may mirror: %s", got)
	}
}

// Variables of field names can be off where there is a meaning to that, and are no names
// then; config shows what a route does not inherit, and doors that stand open.
func TestConfigShowsDoorsOfRoutes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		environ []string
		want    string
	}{
		{
			"off", []string{"AUTH_API_KEYS=joe:" + apiKey, "AUTH_PRINCIPAL_HEADER=none", "REQUEST_ID_HEADER=none", "CORS_ALLOWED_ORIGINS=https://a.test", "CORS_ALLOWED_HEADERS=none", "CORS_EXPOSED_HEADERS=off", "ALLOW_CIDRS=127.0.0.1",
				"ROUTE_X_ALLOW_CIDRS=off", "ROUTE_X_AUTH_METHOD_HEADER=off"},
			`ALLOW_CIDRS set 127.0.0.1
CORS_ALLOWED_HEADERS set none
AUTH_PRINCIPAL_HEADER set off
ROUTE_X_ALLOW_CIDRS set all
ROUTE_X_AUTH_METHOD_HEADER set off`,
		},
		{"no name", []string{"CLIENT_IP_HEADER=off"}, `CLIENT_IP_HEADER="off": must be the name of a header field; TRUSTED_PROXIES=none believes nobody`},
		{
			"one answer", []string{"RATE_LIMIT=10/s", "RATE_LIMIT_BURST=50", "RATE_LIMIT_DRY_RUN=true", "CORS_ALLOWED_ORIGINS=https://a.test", "CORS_ALLOW_CREDENTIALS=true", "ROUTE_X_RATE_LIMIT=2/s", "ROUTE_X_CORS_ALLOWED_ORIGINS=*"},
			`ROUTE_X_CORS_ALLOW_CREDENTIALS default false
ROUTE_X_RATE_LIMIT_BURST derived 2
ROUTE_X_RATE_LIMIT_DRY_RUN default false`,
		},
		{"of no use", []string{"AUTH_EXEMPT_PATHS=/open", "ROUTE_X_AUTH_API_KEYS=joe:" + apiKey}, "AUTH_EXEMPT_PATHS: is of no use without AUTH_API_KEYS, AUTH_BASIC_USERS, AUTH_JWT_JWKS_URL or AUTH_CLIENT_CERT: anybody is let in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told []string
			var text strings.Builder
			err := command(t.Context(), []string{"config"}, append(test.environ, "PLATFORM=none", "BACKENDS=echo:a", "ROUTES=x", "ROUTE_X_MATCH=/x"), &text)
			for _, line := range append(strings.Split(text.String(), "\n"), lines(err)...) {
				line = strings.Join(strings.Fields(line), " ")
				if line != "" && slices.Contains(strings.Split(test.want, "\n"), line) {
					told = append(told, line)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(told, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s\nof\n%s", diff, text.String())
			}
		})
	}
}
