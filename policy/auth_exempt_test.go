package policy_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"spangate/policy"
)

func TestExemptPaths(t *testing.T) {
	var paths policy.ExemptPaths
	if err := paths.UnmarshalText([]byte("/robots.txt, /public/*,/a/b/")); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]bool{
		"/robots.txt":                true,
		"/robots.txt?x=../admin":     true,
		"http://other/robots.txt":    true,
		"/public/":                   true,
		"/public/a":                  true,
		"/public/a/b.c/~d/":          true,
		"/public/...":                true,
		"/a/b/":                      true,
		"/":                          false,
		"/robots.txt/":               false,
		"/robots.txtx":               false,
		"/Robots.txt":                false,
		"/public":                    false,
		"/publicity":                 false,
		"/PUBLIC/a":                  false,
		"/a/b":                       false,
		"/a/b/c":                     false,
		"//public/a":                 false,
		"/public//a":                 false,
		"/public/../admin":           false,
		"/public/./a":                false,
		"/public/..":                 false,
		"/public/a/..":               false,
		"/public/%2e%2e/admin":       false,
		"/public/.%2E/admin":         false,
		"/public/..%2fadmin":         false,
		"/public/%252e%252e%252fx":   false,
		"/public/..%5cadmin":         false,
		`/public/..\admin`:           false,
		"/public/..;/admin":          false,
		"/public/;x=1/a":             false,
		"/public/%00":                false,
		"/public/%c0%ae%c0%ae/admin": false,
		"/public/\u2025/admin":       false,
		"/%70ublic/a":                false,
		"/robots%2etxt":              false,
		"/admin/../public/a":         false,
		"/public%2fa":                false,
		"*":                          false,
		"http://other":               false,
		"/public/a b":                false,
		"/public/%20":                false,
		"/public/a#b":                true, // no part of a request
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths.Contain(u); got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
	if policy.ExemptPaths(nil).Contain(&url.URL{Path: "/"}) {
		t.Error("no list contains /")
	}
}

// A path that is exempt means what it says.
func FuzzExemptPaths(f *testing.F) {
	for _, p := range []string{"/public/a", "/public/../x", "/public/%2e%2e", "/robots.txt", "//public/a", "/public/..;/x"} {
		f.Add(p)
	}
	paths := policy.ExemptPaths{"/robots.txt", "/public/*"}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !paths.Contain(u) {
			return
		}
		decoded := u.Path
		for range 3 {
			if next, err := url.PathUnescape(decoded); err == nil {
				decoded = next
			}
		}
		clean := path.Clean(decoded)
		if clean != strings.TrimSuffix(decoded, "/") || clean != "/robots.txt" && clean != "/public" && !strings.HasPrefix(clean, "/public/") || strings.ContainsAny(decoded, "\\;") {
			t.Errorf("%q, which is %q to some, is exempt", target, clean)
		}
	})
}
