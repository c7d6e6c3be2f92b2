package rewrite

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mappedBack returns what becomes of a field of an answer to a request for target, by a
// backend at http://app:3000 with that path before its own, whose route says environ.
func mappedBack(t testing.TB, environ, target, base, told, name string, values ...string) []string {
	t.Helper()
	path, f := pathOf(t, strings.Fields(environ)...), facts(map[string]string{"id": "7"})
	rw := New(Config{Responses: "always"}, path, f)
	out := sent(identified(t, "GET", target))
	resp, err := rw.Over(roundTripper(func(r *http.Request) (*http.Response, error) {
		at := *r
		at.URL, at.Host = &url.URL{Scheme: "http", Host: "app:3000", Path: base + r.URL.Path, RawPath: base + r.URL.EscapedPath()}, told
		return &http.Response{Header: http.Header{name: values}, Request: &at}, nil
	})).RoundTrip(out)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header[name]
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLocation(t *testing.T) {
	const strip, add, both, template = "STRIP=/v1", "ADD_PREFIX=/internal", "STRIP=/v1 ADD_PREFIX=/internal", "REWRITE=/v2/users/{id}"
	for _, test := range []struct{ name, environ, target, location, want string }{
		{"a path", strip, "/v1/a", "/login?next=/a#top", "/v1/login?next=/a#top"},
		{"the root", strip, "/v1/a", "/", "/v1/"},
		{"a path below the prefix already", strip, "/v1/a", "/v1/login", "/v1/login"},
		{"the prefix itself already", strip, "/v1/a", "/v1", "/v1"},
		{"not quite the prefix", strip, "/v1/a", "/v12", "/v1/v12"},
		{"bytes as they are", strip, "/v1/a", "/a%2Fb//c;d", "/v1/a%2Fb//c;d"},
		{"a path below what was added", add, "/a", "/internal/login", "/login"},
		{"what was added itself", add, "/a", "/internal", "/"},
		{"a path elsewhere", add, "/a", "/login", "/login"},
		{"not quite what was added", add, "/a", "/internals", "/internals"},
		{"no host of a path", add, "/a", "/internal//evil.example/x", "/evil.example/x"},
		{"nor with a backslash", add, "/a", `/internal/\evil.example/x`, `/evil.example/x`},
		{"exchanged", both, "/v1/a", "/internal/b", "/v1/b"},
		{"exchanged, elsewhere", both, "/v1/a", "/b", "/b"},
		{"exchanged already", both, "/v1/a", "/v1/b", "/v1/b"},
		{"the longer one counts", "STRIP=/a ADD_PREFIX=/a/b", "/a/x", "/a/b/y", "/a/y"},
		{"a template's prefix", template, "/users/7", "/v2/users/8?q", "/users/8?q"},
		{"a template's other place", template, "/users/7", "/login", "/login"},
		{"a template with nothing in common", template, "/u/7", "/v2/users/7/posts", "/u/7/posts"},
		{"nothing rewritten", "", "/a", "/login", "/login"},

		{"with the client's host", strip, "/v1/a", "http://shop.example.com:8080/login?q", "http://shop.example.com:8080/v1/login?q"},
		{"with its host in capitals", strip, "/v1/a", "HTTP://Shop.example.com:8080/login", "HTTP://Shop.example.com:8080/v1/login"},
		{"with its host alone", strip, "/v1/a", "http://shop.example.com:8080", "http://shop.example.com:8080/v1/"},
		{"with its host and another scheme", strip, "/v1/a", "https://shop.example.com:8080/x", "https://shop.example.com:8080/v1/x"},
		{"with its host and another port", strip, "/v1/a", "http://shop.example.com/x", "http://shop.example.com/x"},
		{"without a scheme", strip, "/v1/a", "//shop.example.com:8080/x", "//shop.example.com:8080/v1/x"},
		{"with the backend's host", strip, "/v1/a", "http://app:3000/login", "http://shop.example.com:8080/v1/login"},
		{"with the host that it was told", strip, "/v1/a", "http://docs.internal/login", "http://shop.example.com:8080/v1/login"},
		{"with its usual port", strip, "/v1/a", "http://docs.internal:80/login", "http://shop.example.com:8080/v1/login"},
		{"with the client's host and the backend's port", strip, "/v1/a", "http://shop.example.com:3000/x", "http://shop.example.com:8080/v1/x"},
		{"with the client's host and the backend's port, nothing rewritten", "", "/a", "http://SHOP.example.com:3000", "http://shop.example.com:8080/"},
		{"with a name that begins so", strip, "/v1/a", "http://shop.example.com.evil.example:3000/x", "http://shop.example.com.evil.example:3000/x"},
		{"with the backend's host, nothing rewritten", "", "/a", "http://app:3000/login", "http://shop.example.com:8080/login"},
		{"with the backend's host, elsewhere", add, "/a", "http://app:3000/login", "http://app:3000/login"},
		{"with another host", strip, "/v1/a", "https://login.example.com/x", "https://login.example.com/x"},
		{"with another host, without a scheme", strip, "/v1/a", "//evil.example/x", "//evil.example/x"},
		{"with a user", strip, "/v1/a", "http://me@app:3000/x", "http://me@app:3000/x"},
		{"of another scheme", strip, "/v1/a", "ftp://app:3000/x", "ftp://app:3000/x"},
		{"of no host", strip, "/v1/a", "mailto:me@example.com", "mailto:me@example.com"},
		{"a URL in a query", strip, "/v1/a", "/login?to=http://app:3000/", "/v1/login?to=http://app:3000/"},

		{"relative, right by itself", strip, "/v1/a/b", "c?q", "c?q"},
		{"relative, and up", strip, "/v1/a/b", "../c", "../c"},
		{"relative to the root", strip, "/v1/a", "login", "login"},
		{"relative to a root without a slash", strip, "/v1", "login?q", "/v1/login?q"},
		{"relative, above the root", strip, "/v1/a", "../../login", "/v1/login"},
		{"relative, out of what was added", add, "/a", "../login", "../login"},
		{"a query alone", strip, "/v1/a", "?page=2", "?page=2"},
		{"a fragment alone", strip, "/v1/a", "#top", "#top"},
		{"empty", strip, "/v1/a", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"Location", "Content-Location"} {
				got := mappedBack(t, test.environ, test.target, "", "docs.internal", name, test.location)
				if diff := cmp.Diff([]string{test.want}, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// What a backend's URL begins with is a part of its paths that clients do not see.
func TestLocationBelowBackend(t *testing.T) {
	for _, test := range []struct{ environ, target, location, want string }{
		{"STRIP=/v1", "/v1/a", "/base/login", "/v1/login"},
		{"STRIP=/v1", "/v1/a", "/login", "/login"},
		{"STRIP=/v1", "/v1/a", "/v1/login", "/v1/login"},
		{"ADD_PREFIX=/internal", "/a", "/base/internal/login", "/login"},
		{"REWRITE=/v2/users/{id}", "/users/7", "/base/v2/users/8", "/users/8"},
		{"", "/a", "/base/login", "/login"},
		{"", "/a", "/login", "/login"},
	} {
		if got := mappedBack(t, test.environ, test.target, "/base", "", "Location", test.location)[0]; got != test.want {
			t.Errorf("%s: %s is %s, want %s", test.environ, test.location, got, test.want)
		}
	}
}

func TestRefresh(t *testing.T) {
	for text, want := range map[string]string{
		"5; url=/there":             "5; url=/v1/there",
		"5;URL='/there'":            "5; url='/v1/there'",
		`0, url="http://app:3000/"`: `0; url="http://shop.example.com:8080/v1/"`,
		"5":                         "5",
		"5; /there":                 "5; /there",
		"5; url=/v1/there":          "5; url=/v1/there",
		"5; url=":                   "5; url=",
		"":                          "",
	} {
		if got := mappedBack(t, "STRIP=/v1", "/v1/a", "", "", "Refresh", text)[0]; got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestCookies(t *testing.T) {
	for _, test := range []struct{ environ, cookie, want string }{
		{"STRIP=/v1", "a=1", "a=1"},
		{"STRIP=/v1", "a=1; Path=/; HttpOnly; SameSite=Lax", "a=1; Path=/v1; HttpOnly; SameSite=Lax"},
		{"STRIP=/v1", "a=1;path=/x/ ;Secure", "a=1;path=/v1/x/;Secure"},
		{"STRIP=/v1", "a=1; Path=/v1/x", "a=1; Path=/v1/x"},
		{"STRIP=/v1", "a=1; Path=x; Path", "a=1; Path=x; Path"},
		{"STRIP=/v1", "a=Path=/", "a=Path=/"},
		{"ADD_PREFIX=/internal", "a=1; Path=/internal", "a=1; Path=/"},
		{"ADD_PREFIX=/internal", "a=1; Path=/internal/x", "a=1; Path=/x"},
		{"ADD_PREFIX=/internal", "a=1; Path=/", "a=1; Path=/"},
		{"STRIP=/v1", "__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/"},
		{"STRIP=/v1", "__Secure-a=1; Secure; Path=/", "__Secure-a=1; Secure; Path=/v1"},
		{"STRIP=/v1", "a=1; Domain=docs.internal; Path=/x", "a=1; Path=/v1/x"},
		{"STRIP=/v1", "a=1; domain=.DOCS.internal", "a=1"},
		{"STRIP=/v1", "a=1; Domain=app", "a=1"},
		{"STRIP=/v1", "a=1; Domain=shop.example.com", "a=1; Domain=shop.example.com"},
		{"STRIP=/v1", "a=1; Domain=example.com", "a=1; Domain=example.com"},
		{"STRIP=/v1", "a=1; Domain=", "a=1; Domain="},
		{"", "a=1; Path=/; Domain=app", "a=1; Path=/"},
		{"", "", ""},
	} {
		got := mappedBack(t, test.environ, "/v1/a", "", "docs.internal:8443", "Set-Cookie", test.cookie, "b=2; Domain=x")
		if diff := cmp.Diff([]string{test.want, "b=2; Domain=x"}, got); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", test.environ, test.cookie, diff)
		}
	}
}

// Whatever a backend says, no other host comes of it than it names.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{"/x", "//x", "/internal//evil", `/internal/\evil`, "http://app:3000//evil", "../..//evil", "/internal/../..//evil", "x:y", "http:evil"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		for _, environ := range []string{"STRIP=/v1", "ADD_PREFIX=/internal"} {
			got := mappedBack(t, environ, "/v1/a", "", "app:3000", "Location", location)[0]
			if got == location {
				continue
			}
			u, err := url.Parse(got)
			if err != nil {
				continue
			}
			if u.Host != "" && !strings.EqualFold(u.Host, "shop.example.com:8080") || strings.HasPrefix(got, `/\`) {
				t.Errorf("%s: %q is %q", environ, location, got)
			}
		}
		mappedBack(t, "STRIP=/v1", "/v1/a", "", "app:3000", "Refresh", location)
		mappedBack(t, "STRIP=/v1", "/v1/a", "", "app:3000", "Set-Cookie", location)
	})
}
