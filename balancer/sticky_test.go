package balancer_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"

	"spangate/balancer"
)

// cookieOf returns what a client of b sends back.
func cookieOf(s *balancer.Sticky, b *balancer.Backend) string {
	resp := &http.Response{StatusCode: http.StatusOK}
	s.Bind(get(), resp, b)
	pair, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return pair
}

func first(_ *http.Request, ready []*balancer.Backend) *balancer.Backend { return ready[0] }

func TestStickyPicks(t *testing.T) {
	backends := numbered(1, 1, 1)
	sticky := balancer.NewSticky("affinity", first)
	bound := cookieOf(sticky, backends[2])
	tests := []struct {
		name    string
		cookies []string
		ready   []*balancer.Backend
		want    string
	}{
		{"no cookie", nil, backends, "0"},
		{"its backend", []string{bound}, backends, "2"},
		{"its backend left", []string{bound}, backends[:2], "0"},
		{"its backend is the only one", []string{bound}, backends[2:], "2"},
		{"among others", []string{"a=b; " + bound + "; c=d"}, backends, "2"},
		{"on a second line", []string{"a=b", bound}, backends, "2"},
		{"after one that nobody has", []string{"affinity=old; " + bound}, backends, "2"},
		{"in quotes", []string{strings.Replace(bound, "=", `="`, 1) + `"`}, backends, "2"},
		{"without spaces", []string{"a=b;" + bound + ";"}, backends, "2"},
		{"by another name", []string{"x" + bound}, backends, "0"},
		{"a longer name", []string{strings.Replace(bound, "=", "x=", 1)}, backends, "0"},
		{"forged", []string{"affinity=2"}, backends, "0"},
		{"cut short", []string{bound[:len(bound)-1]}, backends, "0"},
		{"no cookies at all", []string{"", ";", "=", "affinity", " ; ;"}, backends, "0"},
		{"empty", []string{"affinity="}, backends, "0"},
		{"half a quote", []string{`affinity="`}, backends, "0"},
		{"behind too many others", []string{strings.Repeat("a=b;", 300) + bound}, backends, "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get()
			r.Header["Cookie"] = test.cookies
			if got := sticky.Pick(r, test.ready).Name; got != test.want {
				t.Errorf("picked %s, want %s", got, test.want)
			}
		})
	}
}

func TestStickyBinds(t *testing.T) {
	backends := numbered(1, 1)
	sticky := balancer.NewSticky("affinity", first)
	tests := []struct {
		name   string
		cookie string
		proto  string
		status int
		want   []string
	}{
		{"a new client", "", "http", 200, []string{"old=1", "affinity=?; Path=/; HttpOnly; SameSite=Lax"}},
		{"over TLS", "", "https", 200, []string{"old=1", "affinity=?; Path=/; HttpOnly; SameSite=Lax; Secure"}},
		{"a client of another backend", cookieOf(sticky, backends[0]), "http", 200, []string{"old=1", "affinity=?; Path=/; HttpOnly; SameSite=Lax"}},
		{"its client", cookieOf(sticky, backends[1]), "http", 200, []string{"old=1"}},
		{"not to what fails", "", "http", 500, []string{"old=1"}},
		{"to what says no", "", "http", 404, []string{"old=1", "affinity=?; Path=/; HttpOnly; SameSite=Lax"}},
	}
	value := strings.TrimPrefix(cookieOf(sticky, backends[1]), "affinity=")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get()
			if test.proto == "https" {
				r.TLS = &tls.ConnectionState{}
			}
			if test.cookie != "" {
				r.Header["Cookie"] = []string{test.cookie}
			}
			resp := &http.Response{StatusCode: test.status, Header: http.Header{"Set-Cookie": {"old=1"}}}
			sticky.Bind(r, resp, backends[1])
			for i := range test.want {
				test.want[i] = strings.Replace(test.want[i], "?", value, 1)
			}
			if diff := cmp.Diff(test.want, resp.Header["Set-Cookie"]); diff != "" {
				t.Errorf("Set-Cookie (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStickyCookieIsTheSameEverywhere holds a value that browsers have kept.
func TestStickyCookieIsTheSameEverywhere(t *testing.T) {
	b := &balancer.Backend{Name: "http://app-1:3000"}
	if diff := cmp.Diff("affinity=7-hKKhvLIrMe", cookieOf(balancer.NewSticky("affinity", first), b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStickyOff(t *testing.T) {
	sticky, b := balancer.NewSticky("", first), numbered(1)
	resp := &http.Response{StatusCode: http.StatusOK}
	sticky.Bind(get(), resp, b[0])
	if sticky.Pick(get(), b) != b[0] || resp.Header != nil {
		t.Errorf("set %v", resp.Header)
	}
}

func TestCookieName(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "affinity": true, "__Host-a": true, "a b": false, "a=b": false, "a;b": false, "ä": false} {
		var name balancer.CookieName
		if err := name.UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzSticky sends whatever a client may write as its cookies. Where net/http
// finds a cookie of the name with a value, so must the balancer.
func FuzzSticky(f *testing.F) {
	ready := numbered(1, 1, 1)
	sticky := balancer.NewSticky("affinity", first)
	bound := cookieOf(sticky, ready[2])
	value := strings.TrimPrefix(bound, "affinity=")
	for _, line := range []string{bound, "a=b; " + bound, `affinity="` + value + `"`, ";;;=;affinity;affinity=", "affinity=;" + bound, strings.Repeat(";", 1000) + bound} {
		f.Add(line, "")
	}
	f.Add("affinity=x", bound)
	f.Fuzz(func(t *testing.T, line, second string) {
		if !httpguts.ValidHeaderFieldValue(line) || !httpguts.ValidHeaderFieldValue(second) {
			return // net/http lets none of these pass
		}
		r := get()
		r.Header["Cookie"] = []string{line, second}
		picked := sticky.Pick(r, ready)
		if !strings.Contains(line+second, value) && picked != ready[0] {
			t.Errorf("%q and %q lead to a backend that they do not name", line, second)
		}
		if strings.Count(line+second, ";") > 250 {
			return
		}
		for _, cookie := range r.CookiesNamed("affinity") {
			if cookie.Value == value && picked != ready[2] {
				t.Errorf("%q and %q have the cookie, which is not seen", line, second)
			}
		}
		resp := &http.Response{StatusCode: http.StatusOK}
		sticky.Bind(r, resp, picked)
		if set := resp.Header["Set-Cookie"]; picked == ready[2] && len(set) != 0 {
			t.Errorf("%q and %q: the client is bound already, and got %q", line, second, set)
		}
	})
}
