package match_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/route/match"
)

// rule returns a rule of what stands in lines: patterns, and conditions as
// "headers X-Beta: 1".
func rule(t testing.TB, name string, lines ...string) match.Rule {
	t.Helper()
	c := &match.Config{}
	for _, line := range lines {
		var err error
		switch what, text, _ := strings.Cut(line, " "); what {
		case "headers":
			err = c.Headers.UnmarshalText([]byte(text))
		case "query":
			err = c.Query.UnmarshalText([]byte(text))
		case "clients":
			err = c.Clients.UnmarshalText([]byte(text))
		case "content":
			err = c.ContentTypes.UnmarshalText([]byte(text))
		default:
			var patterns match.Patterns
			err = patterns.UnmarshalText([]byte(line))
			c.Patterns = append(c.Patterns, patterns...)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return match.Rule{Name: name, Config: c}
}

// compiled returns the table of rules whose lines have ; between them.
func compiled(t testing.TB, rules ...string) *match.Table {
	t.Helper()
	table, err := compile(t, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func compile(t testing.TB, rules ...string) (*match.Table, error) {
	t.Helper()
	return compileWith(t, false, rules...)
}

// compileWith also says whether somebody takes the rest.
func compileWith(t testing.TB, rest bool, rules ...string) (*match.Table, error) {
	t.Helper()
	var all []match.Rule
	for i, text := range rules {
		all = append(all, rule(t, strconv.Itoa(i), strings.Split(text, "; ")...))
	}
	if rest {
		return match.Compile(all, &match.Rule{})
	}
	return match.Compile(all, nil)
}

var client = netip.MustParseAddr("10.0.0.1")

// request returns one for METHOD HOST/PATH[ FIELD: VALUE]…, of which the method may be
// left out.
func request(text string) *http.Request {
	lines := strings.Split(text, "; ")
	method, target, found := strings.Cut(lines[0], " ")
	if !found {
		method, target = "GET", lines[0]
	}
	host, path, _ := strings.Cut(target, "/")
	r := httptest.NewRequest(method, "/", nil)
	r.Host, r.RequestURI = host, "/"+path
	_, r.URL.RawQuery, _ = strings.Cut(path, "?")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// outcome is what the table says: the rule, "none", "allow A, B" or "ambiguous".
func outcome(table *match.Table, r *http.Request) string {
	var m match.Match
	table.Match(&m, r, r.Host, client)
	switch {
	case m.Ambiguous:
		return "ambiguous"
	case m.Allow != "":
		return "allow " + m.Allow
	case m.Route < 0:
		return "none"
	}
	return strconv.Itoa(m.Route)
}

func TestMatch(t *testing.T) {
	for name, test := range map[string]struct {
		rules []string
		want  map[string]string
	}{
		"exact, prefix, all": {[]string{"/api", "/api/*", "/*"}, map[string]string{
			"/api": "0", "/api/": "1", "/api/x": "1", "/api/x/y": "1", "/apifoo": "2", "/": "2", "/Xapi": "2",
		}},
		"templates": {[]string{"/users/{id}", "/users/{id:int}", "/users/{id:uuid}/x", "/users/me", "/users/{id}/posts/{rest...}"}, map[string]string{
			"/users/a": "0", "/users/7": "1", "/users/-7": "1", "/users/me": "3", "/users/": "none", "/users": "none",
			"/users/00000000-0000-4000-8000-00000000000A/x": "2", "/users/7/x": "none", "/users/7/posts": "none", "/users/7/posts/": "4", "/users/7/posts/1/2": "4",
		}},
		"hosts": {[]string{"/*", "example.com/*", "*.example.com/*", "*.a.example.com/x", "[::1]/*"}, map[string]string{
			"other.org/": "0", "example.com/": "1", "a.example.com/x": "2", "b.a.example.com/x": "3", "c.b.a.example.com/x": "3", "b.a.example.com/y": "2",
			"EXAMPLE.com:8080/": "1", "[0:0::1]:80/": "4", "xexample.com/": "0", "/": "0", "example.com./": "ambiguous", "a.example.com.:80/x": "ambiguous", "other.org./": "0",
			"a,example.com/": "ambiguous", "u@example.com/": "ambiguous", "%65xample.com/": "ambiguous", ".example.com/": "ambiguous", "a..example.com/": "ambiguous", "./": "ambiguous",
			"example.com:x/": "ambiguous", "example.com:80:80/": "ambiguous", "::1/": "ambiguous", "[::1]:80:80/": "ambiguous", "[::1]80/": "ambiguous", "[::1/": "ambiguous", "[::1%25eth0]/": "ambiguous", "[::ffff:1.2.3.4]/": "0", "[1.2.3.4]/": "ambiguous",
		}},
		"methods": {[]string{"GET /a", "POST|PUT /a", "DELETE /a/*"}, map[string]string{
			"GET /a": "0", "HEAD /a": "0", "PUT /a": "1", "PATCH /a": "allow DELETE, GET, HEAD, POST, PUT", "DELETE /a": "2", "GET /b": "none", "GET /a/b": "allow DELETE",
		}},
		"conditions": {[]string{"/*", "/*; headers X-Beta: 1", "/*; headers X-Beta", "/*; query p=1", "/*; clients 10.0.0.0/8", "/*; content application/grpc*"}, map[string]string{
			"/": "4", "/; X-Beta: 1": "1", "/; X-Beta: 2": "2", "/?p=1": "3", "/?p=1&p=2": "ambiguous", "/?%70=%31": "3", "/; Content-Type: application/grpc+proto": "4",
		}},
		"what occurs twice": {[]string{"/*", "/*; headers X-Beta: 1", "/*; headers X-Beta: 1,X-Team", "/b; headers X-Beta: 1; query p=1", "/c; content a/b", "POST /*; headers X-Beta: 2"}, map[string]string{
			"/; X-Beta: 1; X-Beta: 1": "1", "/; X-Beta: 1; X-Beta: 2": "ambiguous", "/; X-Beta: 2; X-Beta: 1": "ambiguous", "/; X-Beta: 1; X-Beta: ": "ambiguous",
			"/; X-Beta: 3; X-Beta: 2": "0", "POST /; X-Beta: 3; X-Beta: 2": "ambiguous", "/; X-Beta: 1,2": "0", "/; X-Beta: 1; X-Beta: 2; X-Team: a": "ambiguous",
			"/; X-Team: 1; X-Team: 2; X-Beta: 1": "2", "/b?p=1&p=2; X-Beta: 1": "ambiguous", "/b?p=1&p=1; X-Beta: 1": "3", "/b?p=1&p=2": "0", "/b?p=1&%70=2; X-Beta: 1": "ambiguous",
			"/c; Content-Type: a/b; Content-Type: c/d": "ambiguous", "/c; Content-Type: a/b; Content-Type: A/B; x=y": "4", "/d; Content-Type: a/b; Content-Type: c/d": "0",
		}},
		"what occurs twice, of one rule": {[]string{"/*,/a; headers X-Beta: 1", "/b"}, map[string]string{
			"/a; X-Beta: 1; X-Beta: 2": "ambiguous", "/b; X-Beta: 1; X-Beta: 2": "1",
		}},
		"the routes agree": {[]string{"/*", "/admin/*", "/admin/open/*"}, map[string]string{
			"/admin/%2e%2e/": "ambiguous", "/x/../admin/": "ambiguous", "/a%2Fb": "0", "//admin": "ambiguous", "/%61dmin": "ambiguous", "/admin;x/y": "ambiguous",
			"/admin/a%2Fb;c//d": "1", "/ADMIN": "ambiguous", `/\admin`: "ambiguous", "/%5cadmin": "ambiguous", "/x/%2561dmin": "0", "/admin/open/..": "ambiguous", "/admin/b/..": "1",
			"/x/%5C%2e%2e%5c..\\admin": "ambiguous", "/X": "0", "/admin/OPEN": "ambiguous", "/admin/opened": "1", "/index.php/admin": "ambiguous", "/index.PHP/x": "0", "/x.php": "0",
			"/x/..;/admin": "ambiguous", "/%2e%2e%2fadmin": "ambiguous", "/a/..//../admin": "ambiguous", "/admin%3Fx": "ambiguous", "/admin%00": "ambiguous",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			table := compiled(t, test.rules...)
			got := map[string]string{}
			for text := range test.want {
				got[text] = outcome(table, request(text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValue(t *testing.T) {
	table := compiled(t, "/users/{id}/posts/{rest...}")
	var m match.Match
	table.Match(&m, request("/users/a%20b/posts/1/2?x"), "", client)
	id, _ := m.Value("id")
	rest, _ := m.Value("rest")
	if _, ok := m.Value("other"); ok || id != "a%20b" || rest != "1/2" {
		t.Errorf("%q %q", id, rest)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	table := compiled(t, "/*", "/admin/*", "example.com/users/{id:int}/x", "example.com/users/{id:uuid}", "example.com/users/{name}", "*.example.com/*; headers X-Beta: 1; query p=1; clients 10.0.0.0/8; content a/b")
	for _, text := range []string{
		"/", "example.com/users/7/x", "a.EXAMPLE.com:80/a?p=1; X-Beta: 1; Content-Type: a/b", "/admin/%2e%2e/a%2Fb;c//D", "[::1]/", "CONNECT /a",
		"example.com/users/6ba7b810-9dad-11d1-80b4-00c04fd430%638", "example.com/Users/" + strings.Repeat("%20x", 40), "example.com/users/" + strings.Repeat("x%41", 400),
	} {
		r := request(text)
		var m match.Match
		if n := testing.AllocsPerRun(100, func() { table.Match(&m, r, r.Host, client) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// Over HTTP/2 a WebSocket is asked for by CONNECT, over HTTP/1.1 by GET.
func TestConnectIsGet(t *testing.T) {
	table := compiled(t, "GET /ws", "POST /ws", "GET /x; clients all")
	for text, want := range map[string]string{"CONNECT /ws": "0", "CONNECT /x": "2", "PUT /ws": "allow GET, HEAD, POST"} {
		if got := outcome(table, request(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
