package policy

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"spangate/handler/field"
)

// A pattern that is taken is an origin by the URL's own rules once * has a
// value, is met by it, and by nothing that is on another site.
func FuzzCORSOrigins(f *testing.F) {
	for _, pattern := range []string{"https://a.example", "https://*.a.example:8443", "http://[::1]:3000", "http://127.0.0.1", "capacitor://localhost", "null", "https://a.example:443"} {
		for _, origin := range []string{"https://a.example", "https://x.y.a.example:8443", "https://evil.example@x.a.example:8443", "https://evil.example/.a.example:8443"} {
			f.Add(pattern, origin)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, origin string) {
		var origins CORSOrigins
		if origins.UnmarshalText([]byte(pattern)) != nil || len(origins) != 1 || origins[0] == "*" {
			return
		}
		pattern = origins[0]
		set := newOriginSet(origins)
		example := strings.Replace(pattern, "*", "x", 1)
		if !set.contains(example) {
			if u, _ := url.Parse(example); len(u.Hostname()) <= maxHost {
				t.Errorf("%q does not contain %q", pattern, example)
			}
		}
		u, err := url.Parse(example)
		if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Scheme+"://"+u.Host != example {
			t.Errorf("%q is no origin: %v, %v", example, u, err)
		}
		if example != pattern && set.contains(strings.Replace(pattern, "*.", "", 1)) {
			t.Errorf("%q contains the domain itself", pattern)
		}
		if !set.contains(origin) || origin == pattern {
			return
		}
		at, domain, ok := strings.Cut(pattern, "*")
		o, err := url.Parse(origin)
		if !ok || err != nil || o.Scheme+"://"+o.Host != origin || o.Scheme+"://" != at || !strings.HasSuffix(o.Host, domain) || o.Port() != u.Port() {
			t.Errorf("%q contains %q", pattern, origin)
		}
	})
}

// What is refused of a list is what a slow and plain reading of it refuses.
func FuzzCORSRequestHeaders(f *testing.F) {
	for _, lines := range []string{"content-type", "content-type,x-custom", " X-Custom ,\tcontent-type", ",,,x-custom", "x-custom,x-custom", "x-evil", "x custom", "x-custom\nx-custom", strings.Repeat("x-custom,", 300), "authorization,x"} {
		f.Add(lines, false)
		f.Add(lines, true)
	}
	f.Fuzz(func(t *testing.T, text string, any bool) {
		headers := CORSHeaders{"content-type", "x-custom"}
		if any {
			headers = CORSHeaders{"*"}
		}
		lines := strings.Split(text, "\n") // no line has one
		names, empty, want := 0, 0, ""
		for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
			switch name = strings.ToLower(strings.Trim(name, " \t\r")); {
			case name == "":
				empty++
			case name == "content-type", name == "x-custom", any && name != "authorization" && strings.Trim(name, tokens) == "":
				names++
			default:
				want = "some"
			}
		}
		if names > map[bool]int{false: 2, true: 256}[any] || empty > maxEmptyElements {
			want = "some"
		}
		got := newRequestHeaderSet(headers).refusal(lines)
		if (got == "") != (want == "") {
			t.Errorf("%q: refused with %q", lines, got)
		}
	})
}

const tokens = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

// Whatever comes in, a response names no origin but one that is allowed.
func FuzzCORS(f *testing.F) {
	f.Add("GET", "https://x.a.example", "", "", "")
	f.Add("OPTIONS", "https://a.example", "PUT", "content-type", "true")
	f.Add("OPTIONS", "null", "get", ",,,", "")
	f.Fuzz(func(t *testing.T, method, origin, asked, headers, private string) {
		cfg := CORSConfig{Origins: CORSOrigins{"https://a.example", "https://*.a.example"}, AllowCredentials: true}
		c := newCORS(cfg)
		r := httptest.NewRequest("GET", "/", nil)
		r.Method = method
		r.Header = map[string][]string{requestOrigin: {origin}, requestMethod: {asked}, requestHeaders: {headers}, requestPrivateNetwork: {private}}
		w := httptest.NewRecorder()
		if !isPreflight(r) {
			var answer field.Answer
			c.share(&answer, r)
			answer.Apply(w.Header())
		} else if c.refusal(r.Header) == "" {
			c.permit(w.Header(), r.Header)
		}
		allowed := strings.HasPrefix(origin, "https://") && strings.HasSuffix("."+origin[len("https://"):], ".a.example")
		if got := w.Header()[allowOrigin]; got != nil && (!allowed || len(got) != 1 || got[0] != origin) {
			t.Errorf("%q is told that %q is allowed", origin, got)
		}
		if w.Header()[allowOrigin] == nil && w.Header()[allowCredentials] != nil {
			t.Error("credentials without an origin")
		}
	})
}
