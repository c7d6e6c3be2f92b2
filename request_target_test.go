package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTargets checks what a backend gets to see of a target: what may stand in
// a URI as it came, the rest encoded, and nothing that is no target of a
// request for a resource.
func TestTargets(t *testing.T) {
	t.Parallel()
	http1, h2c := eitherBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, r.Host+" "+r.RequestURI)
	})
	programs := []*program{start(t, "BACKENDS="+http1), start(t, "BACKENDS="+h2c)}
	const reset = "PROTOCOL_ERROR"
	tests := map[string]struct{ target, http1, http2 string }{
		"a path":                         {"/a", "200 x /a", "200 x /a"},
		"an encoded slash and a bar":     {"/a%2Fb|c", "200 x /a%2Fb%7Cc", "200 x /a%2Fb%7Cc"},
		"lower case in an encoding":      {"/%c3%bc|", "200 x /%c3%bc%7C", "200 x /%c3%bc%7C"},
		"an encoding without need":       {"/%41%2e%2e", "200 x /%41%2e%2e", "200 x /%41%2e%2e"},
		"slashes and dots":               {"//a//./../b/.", "200 x //a//./../b/.", "200 x //a//./../b/."},
		"three slashes":                  {"///a", "200 x ///a", "200 x ///a"},
		"all that may stand in a path":   {"/-._~!$&'()*+,;=:@[]a1", "200 x /-._~!$&'()*+,;=:@[]a1", "200 x /-._~!$&'()*+,;=:@[]a1"},
		"all that may not":               {"/\"<>\\^`{|}", "200 x /%22%3C%3E%5C%5E%60%7B%7C%7D", "200 x /%22%3C%3E%5C%5E%60%7B%7C%7D"},
		"bytes above 0x7E in a path":     {"/\xc3\xbc\xff", "200 x /%C3%BC%FF", "200 x /%C3%BC%FF"},
		"DEL in a path":                  {"/\x7f", `400 target "\x7f" with a control character`, reset},
		"DEL in a query":                 {"/?\x7f", `400 target "\x7f" with a control character`, reset},
		"a tab in a query":               {"/?\t", `400 target "\t" with a control character`, reset},
		"a broken encoding in a path":    {"/a%zz", "400 target with %zz, which encodes nothing", reset},
		"half an encoding in a path":     {"/a%4", "400 target with %4, which encodes nothing", reset},
		"a broken encoding in a query":   {"/?%zz%", "200 x /?%zz%", "200 x /?%zz%"},
		"quotes in a query":              {`/?"'`, "200 x /?%22'", "200 x /?%22'"},
		"brackets and bars in a query":   {"/?a[]=1|{2}", "200 x /?a[]=1%7C%7B2%7D", "200 x /?a[]=1%7C%7B2%7D"},
		"bytes above 0x7E in a query":    {"/?\xc3\xbc", "200 x /?%C3%BC", "200 x /?%C3%BC"},
		"an empty query":                 {"/?", "200 x /?", "200 x /?"},
		"question marks in a query":      {"/??a?", "200 x /??a?", "200 x /??a?"},
		"a fragment in a query":          {"/?a#b", "400 The target has a fragment.", "400 The target has a fragment."},
		"a fragment behind a path":       {"/a#b", "400 The target has a fragment.", "400 The target has a fragment."},
		"a version in a query":           {"/?a HTTP/1.0", `400 version "HTTP/1.0 HTTP/1.1"`, "400 The target has a blank in it."},
		"a blank in a path":              {"/a b", `400 version "b HTTP/1.1"`, "400 The target has a blank in it."},
		"nothing":                        {"", `400 target "", which is no path, no URL and not *`, reset},
		"an asterisk":                    {"*", "400 The target * is for OPTIONS only.", "400 The target * is for OPTIONS only."},
		"a name":                         {"a", `400 target "a", which is no path, no URL and not *`, reset},
		"an authority":                   {"y:80", "400 The target's scheme is neither http nor https.", "400 The target is not a path."},
		"a query alone":                  {"?a", `400 target "?a", which is no path, no URL and not *`, reset},
		"a URL":                          {"http://y:81/a%2Fb|c?q", "200 y:81 /a%2Fb%7Cc?q", "400 The target is not a path."},
		"a URL without a path":           {"http://y?q/", "200 y /?q/", "400 The target is not a path."},
		"a URL in capitals":              {"HTTPS://y/a", "200 y /a", "400 The target is not a path."},
		"a URL with a slash twice":       {"http://y//a", "200 y //a", "400 The target is not a path."},
		"another scheme":                 {"mailto:x", "400 The target's scheme is neither http nor https.", "400 The target is not a path."},
		"another scheme with a host":     {"ftp://y/a", "400 The target's scheme is neither http nor https.", "400 The target is not a path."},
		"a URL without a host":           {"http:///x", "400 The target names no host.", "400 The target is not a path."},
		"a URL without slashes":          {"http:x", "400 The target names no host.", "400 The target is not a path."},
		"a URL without a host but port":  {"http://:80/x", "400 The host is not valid.", "400 The target is not a path."},
		"a URL with a user":              {"http://u:p@y/", "400 The target has a user in it.", "400 The target is not a path."},
		"a URL with a bad host":          {"http://a,b/", "400 The host is not valid.", "400 The target is not a path."},
		"a URL with a bracket too few":   {"http://[::1/", `400 target "http://[::1/"`, reset},
		"a URL with an encoding in host": {"http://a%zz/", "400 target with %zz, which encodes nothing", reset},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, p := range programs {
				answer := sendRaw(t, p.addr, "GET "+test.target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				if diff := cmp.Diff(test.http1, brieflyHTTP1(t, answer)); diff != "" {
					t.Errorf("over HTTP/1.1 (-want +got):\n%s", diff)
				}
				c := newHTTP2Client(t, p.addr)
				if diff := cmp.Diff(test.http2, brieflyHTTP2(c.get(test.target))); diff != "" {
					t.Errorf("over HTTP/2 (-want +got):\n%s", diff)
				}
				c.goesOn("200 x /next")
			}
		})
	}
}

// TestAuthorities checks for which servers a request may be.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, r.Host)
	}))
	const invalid = "400 The host is not valid."
	for host, want := range map[string]string{
		"a": "200 a", "A.test:80": "200 A.test:80", "[::1]": "200 [::1]", "[2001:db8::1]:443": "200 [2001:db8::1]:443", "a:": "200 a:",
		"a%c3%bc": "200 a%c3%bc", "a!$&'()*+;=b": "200 a!$&'()*+;=b",

		"[1.2.3.4]": invalid, "[fe80::1%25eth0]": invalid, "[fe80::1%eth0]": invalid, "[v1.a]": invalid, "[]": invalid, "[::1": invalid, "[::1]80": invalid,
		"[::1]:x": invalid, "::1": invalid, "a%zz": invalid, "a%4": invalid, ":80": invalid, ":": invalid, "a:b": invalid, "a:80:80": invalid, "a,b": invalid,
		"a, b": invalid, "a b": invalid, "u@a": invalid, "a/b": invalid, "a?b": invalid, "a#b": invalid, `a\b`: invalid, `"a"`: invalid, "a\xc3\xbc": invalid,
	} {
		t.Run(host, func(t *testing.T) {
			answer := brieflyHTTP1(t, sendRaw(t, p.addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"))
			if answer != want && !(want == invalid && answer == fmt.Sprintf("400 Host %q", host)) { // some are refused before a handler sees them
				t.Errorf("over HTTP/1.1: %s, want %s", answer, want)
			}
			for _, field := range []string{":authority", "host"} {
				c := newHTTP2Client(t, p.addr)
				fields := []string{":method", "GET", ":scheme", "http", ":path", "/", field, host}
				if got := brieflyHTTP2(c.answer(c.open(true, fields...)).String()); got != want && !(want == invalid && got == "PROTOCOL_ERROR" && strings.Contains(host, "@")) {
					t.Errorf("over HTTP/2, in %s: %s, want %s", field, got, want)
				}
			}
		})
	}
}
