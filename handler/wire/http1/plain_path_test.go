package http1

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlainTargets compares what is read of targets with what net/url reads of them.
func TestPlainTargets(t *testing.T) {
	for _, target := range []string{
		"/", "/a/b", "//host/path", "///", "/a:b@c", "/a;b=1,2&c$+~", "/%41", "/a%2Fb", "/a b", "/ä", "/a!b", "/(a)", "/[a]", "/a|b", "/a#b",
		"/?", "/??", "/?a", "/?a=1&b=%zz", "/?a?b", "/?a#b", "/a?/b", "/?\"<>", "/?ä", "/*", "/./..", "/?a\tb", "/?a\x7f",
	} {
		r, err := new(Request).parseLine("GET " + target + " HTTP/1.1")
		want, wantErr := url.ParseRequestURI(target)
		if err != nil {
			if wantErr == nil && target != "/a b" && target != "/?a\tb" {
				t.Errorf("%q: %v", target, err)
			}
			continue
		}
		if diff := cmp.Diff(want, r.URL); diff != "" {
			t.Errorf("%q (-want +got):\n%s", target, diff)
		}
	}
}

func TestSplitTarget(t *testing.T) {
	for target, want := range map[string][2]string{
		"/a/b":                 {"/a/b", ""},
		"//a?b?c":              {"//a", "b?c"},
		"/%2e%2E/ä?%zz":        {"/%2e%2E/ä", "%zz"},
		"/http://a/b":          {"/http://a/b", ""},
		"http://a/b?c":         {"/b", "c"},
		"http://a":             {"", ""},
		"http://a?b/c":         {"", "b/c"},
		"https://u@[::1]:1//b": {"//b", ""},
		"http:/a/b":            {"", ""},
		"*":                    {"", ""},
	} {
		path, query := SplitTarget(target)
		if got := [2]string{path, query}; got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
}
