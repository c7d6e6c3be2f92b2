package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzTarget checks that a target reaches the backend byte by byte, but for what
// is none of a URI, and that what passes is one.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/a%2Fb|c?x=1;y=%zz\"", "//a/../b??", "http://x:80/a?b", "HTTP://x?/", "/?", "*", "/a#b", "/\xff {}", "mailto:x", "http:///x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http hands out no such request
		}
		r := &http.Request{Method: "GET", URL: parsed, RequestURI: target, ProtoMajor: 1, ProtoMinor: 1}
		if wrongTarget(r) != "" {
			return
		}
		out := OutgoingURL(r)
		out.Scheme, out.Host = "http", "b"
		got := out.RequestURI()
		if strings.HasPrefix(out.EscapedPath(), "//") {
			got = strings.TrimPrefix(got, "http:")
		}
		want := target
		if !strings.HasPrefix(target, "/") {
			_, want, _ = strings.Cut(target, "://")
			if at := strings.IndexAny(want, "/?"); at >= 0 {
				want = want[at:]
			} else {
				want = ""
			}
		}
		if !strings.HasPrefix(want, "/") {
			want = "/" + want
		}
		for i := 0; i < len(want); i++ {
			c := want[i]
			switch {
			case strings.HasPrefix(got, string([]byte{c})):
				got = got[1:]
			case !inURI(c) && strings.HasPrefix(got, "%") && len(got) >= 3 && unhex(got[1])<<4|unhex(got[2]) == c:
				got = got[3:]
			default:
				t.Fatalf("%q: at %d of %q comes %q", target, i, want, got)
			}
		}
		if got != "" {
			t.Errorf("%q: then %q", target, got)
		}
		if sent := out.String(); strings.ContainsAny(sent, " \"<>\\^`{|}#") || strings.ContainsFunc(sent, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q: sent as %q", target, sent)
		}
	})
}

func unhex(c byte) byte { return byte(strings.IndexByte(upperhex, c)) }

// FuzzHost checks that a host that is taken names one server to every reader.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"a", "a:80", "[::1]:80", "[1.2.3.4]", "a%zz", ":80", "a,b", "u@a", "[fe80::1%25eth0]", "a%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !validHost(host) || host == "" {
			return
		}
		if strings.ContainsAny(host, " \t\r\n\x00,/?#@\\\"<>^`{|}") {
			t.Errorf("%q was taken", host)
		}
		parsed, err := url.Parse("http://" + host + "/")
		if err != nil && !strings.Contains(host, "%") { // which net/url takes in the host of few characters
			t.Fatalf("%q was taken: %v", host, err)
		}
		if err == nil && (parsed.Path != "/" || parsed.User != nil || parsed.Hostname() == "") {
			t.Errorf("%q was taken: %#v", host, parsed)
		}
	})
}

// FuzzMaxForwards checks that a count is never below zero, and goes down.
func FuzzMaxForwards(f *testing.F) {
	for _, seed := range []string{"0", "1", "010", "-1", "", "99999999999999999999", "1, 2", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		hops, limited, err := maxForwards(&http.Request{Method: "OPTIONS", Header: http.Header{"Max-Forwards": {value}}})
		digits := value != "" && strings.Trim(value, "0123456789") == ""
		if limited != digits || (err == nil) != digits || hops < 0 {
			t.Errorf("%q: %d, %v, %v", value, hops, limited, err)
		}
	})
}
