package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// routed starts the program with routes, and returns what answers a request for host and
// path.
func routed(t *testing.T, environ ...string) func(target string, header ...string) *http.Response {
	t.Helper()
	p := start(t, append([]string{"PROBE_MODE=off", "OTEL_SDK_DISABLED=true"}, environ...)...)
	return func(target string, header ...string) *http.Response {
		t.Helper()
		host, path, _ := strings.Cut(target, "/")
		answer := sendRaw(t, p.addr, "GET /"+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+strings.Join(append(header, ""), "\r\n")+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
}

func TestRoutesThatRewrite(t *testing.T) {
	t.Parallel()
	backend := rewriting(t)
	ask := routed(t, "ROUTES=api,docs,users,files", "TRUSTED_PROXIES=none",
		"ROUTE_API_MATCH=/api/*", "ROUTE_API_STRIP=/api", "ROUTE_API_BACKENDS="+backend,
		"ROUTE_DOCS_MATCH=/docs/*", "ROUTE_DOCS_STRIP=/docs", "ROUTE_DOCS_ADD_PREFIX=/internal/docs", "ROUTE_DOCS_BACKENDS="+backend, "ROUTE_DOCS_REWRITE_RESPONSES=off",
		"ROUTE_USERS_MATCH=/users/{id:int}", "ROUTE_USERS_REWRITE=/v2/users/{id}{?}", "ROUTE_USERS_BACKENDS="+backend, "ROUTE_USERS_REQUEST_HEADERS=X-User: {id} of {route}",
		"ROUTE_FILES_MATCH=/files/{rest...}", "ROUTE_FILES_REWRITE=/store/{rest}", "ROUTE_FILES_BACKENDS="+backend,
	)
	for _, test := range []struct {
		target string
		status int
		asked  []string
		header [2]string // Location, Set-Cookie
	}{
		{"a.test/api", 200, []string{"GET /", "X-Forwarded-Prefix: /api"}, [2]string{}},
		{"a.test/api/a%2Fb//c;d?q=%zz", 200, []string{"GET /a%2Fb//c;d?q=%zz", "X-Forwarded-Prefix: /api"}, [2]string{}},
		{"a.test/api//evil.example", 200, []string{"GET /evil.example", "X-Forwarded-Prefix: /api"}, [2]string{}},
		{"a.test/api/x?field=Location:+/login&field=Set-Cookie:+a%3D1%3B+Path%3D/", 200, []string{"GET /x?field=Location:+/login&field=Set-Cookie:+a%3D1%3B+Path%3D/", "X-Forwarded-Prefix: /api"}, [2]string{"/api/login", "a=1; Path=/api"}},
		{"a.test/api/x?field=Location:+" + backend + "/login", 200, []string{"GET /x?field=Location:+" + backend + "/login", "X-Forwarded-Prefix: /api"}, [2]string{"http://a.test/api/login"}},
		{"a.test/api/x?field=Location:+https://login.example/", 200, []string{"GET /x?field=Location:+https://login.example/", "X-Forwarded-Prefix: /api"}, [2]string{"https://login.example/"}},
		{"a.test/docs/x?field=Location:+/internal/docs/y", 200, []string{"GET /internal/docs/x?field=Location:+/internal/docs/y", "X-Forwarded-Prefix: /docs"}, [2]string{"/internal/docs/y"}},
		{"a.test/users/7?a=1", 200, []string{"GET /v2/users/7?a=1", "X-User: 7 of users"}, [2]string{}},
		{"a.test/users/7?field=Location:+/v2/users/8", 200, []string{"GET /v2/users/7?field=Location:+/v2/users/8", "X-User: 7 of users"}, [2]string{"/users/8"}},
		{"a.test/files/a//b%20c?q", 200, []string{"GET /store/a//b%20c"}, [2]string{}},
		{"a.test/users/x", 404, nil, [2]string{}},
		{"a.test/api/../api/x", 400, nil, [2]string{}},
	} {
		resp := ask(test.target, "X-Forwarded-Prefix: /forged")
		body, _ := io.ReadAll(resp.Body)
		got := [2]string{resp.Header.Get("Location"), resp.Header.Get("Set-Cookie")}
		if diff := cmp.Diff(test.asked, only(string(body), "GET ", "X-Forwarded-Prefix", "X-User")); diff != "" || got != test.header || resp.StatusCode != test.status {
			t.Errorf("%s: %d %q (-want +got):\n%s", test.target, resp.StatusCode, got, diff)
		}
	}
}

func TestRoutesThatAnswer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "robots.txt")
	if err := os.WriteFile(file, []byte("User-agent: *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := routed(t, "ROUTES=apex,www,ping,old-docs,robots,closed", "SECURITY_HEADERS=on", "RESPONSE_HEADERS=X-Route: {route}",
		"ROUTE_APEX_MATCH=example.com/*", "ROUTE_APEX_REDIRECT=301 https://www.example.com{path}{?}",
		"ROUTE_WWW_MATCH=www.example.com/*", "ROUTE_WWW_BACKENDS="+rewriting(t),
		"ROUTE_PING_MATCH=GET|HEAD /ping", "ROUTE_PING_RESPOND=200 text/plain pong",
		"ROUTE_OLD_DOCS_MATCH=/manual/{rest...}", "ROUTE_OLD_DOCS_REDIRECT=308 /docs/{rest}",
		"ROUTE_ROBOTS_MATCH=/robots.txt", "ROUTE_ROBOTS_RESPOND=200", "ROUTE_ROBOTS_RESPOND_BODY_FILE="+file, "ROUTE_ROBOTS_SECURITY_HEADERS=off",
		"ROUTE_CLOSED_MATCH=/closed/*", "ROUTE_CLOSED_RESPOND=200 secret", "ROUTE_CLOSED_AUTH_API_KEYS=ci:"+apiKey,
	)
	for _, test := range []struct {
		target, header string
		status         int
		location, body string
		route, sniff   string
	}{
		{"example.com/a%2Fb?q", "", 301, "https://www.example.com/a%2Fb?q", "", "apex", "nosniff"},
		{"example.com//evil.example", "", 301, "https://www.example.com//evil.example", "", "apex", "nosniff"},
		{"other.test/ping", "", 200, "", "pong", "ping", "nosniff"},
		{"other.test/manual/a//b?q", "", 308, "/docs/a//b", "", "old-docs", "nosniff"},
		{"other.test/manual/", "", 308, "/docs/", "", "old-docs", "nosniff"},
		{"other.test/robots.txt", "", 200, "", "User-agent: *\n", "robots", ""},
		{"other.test/robots.txt", "If-None-Match: *", 304, "", "", "robots", ""},
		{"other.test/closed/x", "X-Api-Key: " + apiKey, 200, "", "secret", "closed", "nosniff"},
	} {
		var header []string
		if test.header != "" {
			header = append(header, test.header)
		}
		resp := ask(test.target, header...)
		body, _ := io.ReadAll(resp.Body)
		h := resp.Header
		got := []string{h.Get("Location"), string(body), h.Get("X-Route"), h.Get("X-Content-Type-Options")}
		if diff := cmp.Diff([]string{test.location, test.body, test.route, test.sniff}, got); diff != "" || resp.StatusCode != test.status || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %q (-want +got):\n%s", test.target, resp.StatusCode, h, diff)
		}
	}
	if resp := ask("other.test/closed/x"); resp.StatusCode != 401 || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("X-Route") != "" {
		t.Errorf("%d %q", resp.StatusCode, resp.Header)
	}
}

func TestRouteRewriteFaults(t *testing.T) {
	t.Parallel()
	want := []string{
		`ROUTE_API_STRIP="/v1": /api/* never begins with it`,
		`ROUTE_LOOP_REDIRECT="/loop/{rest}": sends whoever asks for /loop/{rest...} to where he is`,
		`ROUTE_USERS_REQUEST_HEADERS: X-User: {idd} is unknown here; did you mean {id}?`,
		`ROUTE_USERS_REWRITE="/v2/{name}": {name} is unknown here; known are {id}, {host}, {path}, {query}, {client_ip}, {trace_id}, {request_id}, {route}`,
	}
	got := faultsOf(t, "ROUTES=api,users,loop",
		"ROUTE_API_MATCH=/api/*", "ROUTE_API_STRIP=/v1",
		"ROUTE_USERS_MATCH=/users/{id}", "ROUTE_USERS_REWRITE=/v2/{name}", "ROUTE_USERS_REQUEST_HEADERS=X-User: {idd}",
		"ROUTE_LOOP_MATCH=/loop/{rest...}", "ROUTE_LOOP_REDIRECT=/loop/{rest}")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
