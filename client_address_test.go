package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spoofed are attempts of a client to be somebody else, as it writes them.
var spoofed = [][]string{
	{"X-Forwarded-For: 6.6.6.6"},
	{"X-Forwarded-For: 6.6.6.6, 127.0.0.9, ::1"},
	{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 127.0.0.9"},
	{"X-Forwarded-For: [::1]:80, 6.6.6.6:80, fe80::1%lo"},
	{"X-Forwarded-For: [2001:db8::6]"},
	{"X-Forwarded-For: ,"},
	{"X-Forwarded-For: "},
	{"X-Forwarded-For: unknown, _hidden, nonsense"},
	{"X-Forwarded-For: " + strings.Repeat("6.6.6.6,", 3000)},
	{"x-forwarded-for: 6.6.6.6"},
	{"X_Forwarded_For: 6.6.6.6"},
	{"X-Forwarded_For: 6.6.6.6"},
	{"Forwarded: for=6.6.6.6;host=evil.test;proto=https;by=127.0.0.1"},
	{`Forwarded: for="6.6.6.6`, `Forwarded: for="`},
	{`Forwarded: for="[::1]:80", for=127.0.0.9`},
	{"Forwarded: for=_hidden, for=unknown, ;;,="},
	{"forwarded: for=6.6.6.6"},
	{"X-Real-Ip: 6.6.6.6"},
	{"X_Real_Ip: 6.6.6.6"},
	{"X-Real-Ip: 6.6.6.6", "X-Real-Ip: 127.0.0.9"},
	{"Fly-Client-Ip: 6.6.6.6"},
	{"Fly-Client-IP: [::1]:80"},
	{"Fly_Client_Ip: 6.6.6.6"},
	{"True-Client-Ip: 6.6.6.6", "Cf-Connecting-Ip: 6.6.6.6", "X-Client-Ip: 6.6.6.6"},
	{"X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1"},
	{"Connection: X-Forwarded-For, Forwarded, X-Real-Ip, X-Own-Client", "X-Forwarded-For: 6.6.6.6"},
	{"Connection: X-Forwarded-For"},
}

// who is what span and log say of where the requests came from, once for all
// who are alike.
func (p *program) who(t *testing.T) (all []string) {
	t.Helper()
	clients := map[any]string{} // by span
	for _, line := range p.log.requests(t) {
		clients[line["span_id"]] = fmt.Sprint(line["client"], " ", line["host"])
	}
	for _, span := range p.spans("SERVER") {
		all = append(all, fmt.Sprint("span ", span.Attributes["client.address"], " ", span.Attributes["server.address"], " ", span.Attributes["url.scheme"], ", log ", clients[span.SpanID]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestSpoofedAddresses has a peer that is not trusted claim to be others:
// limit, lists, log, span and backend take none of it.
func TestSpoofedAddresses(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Fly-Client-IP", "X-Own-Client"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			attempts := append(slices.Clone(spoofed), []string{header + ": 6.6.6.6"}, []string{header + ": 6.6.6.6", header + ": 127.0.0.9"}, []string{strings.ReplaceAll(header, "-", "_") + ": 6.6.6.6"})
			backend := newFront(t)
			environ := []string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "CLIENT_IP_HEADER=" + header, "TRUSTED_PROXIES=10.0.0.0/8,127.0.0.9,::1"}

			p := start(t, append(environ, "RATE_LIMIT=1000/d", "ALLOW_CIDRS=127.0.0.1", "DENY_CIDRS=6.6.6.6,127.0.0.9,::1,2001:db8::/32")...)
			p.once(t.Context(), "GET", "/", nil)
			for i, attempt := range attempts {
				want := fmt.Sprintf("200\n  Ratelimit-Policy: \"1000/d\";q=1000;w=86400\n  Ratelimit: \"1000/d\";r=%d;t=T\n  Got: GET\n", 998-i)
				if diff := cmp.Diff(want, first(p.knock(t, knock{method: "GET", header: attempt}))); diff != "" {
					t.Errorf("%.100q (-want +got):\n%s", attempt, diff)
				}
				if received := backend.all(); len(received) != i+2 {
					t.Fatalf("%.100q: the backend was reached %d times, want %d", attempt, len(received), i+2)
				} else if diff := cmp.Diff(received[0], received[i+1]); diff != "" {
					t.Errorf("%.100q changes what the backend gets (-without +with):\n%s", attempt, diff)
				}
			}
			if got := backend.all()[0].Get("X-Forwarded-For"); got != "127.0.0.1" {
				t.Errorf("the backend gets X-Forwarded-For %q", got)
			}
			if keys := p.status(t).RateLimit.Keys; keys != 1 {
				t.Errorf("the rate limit has %d keys", keys)
			}
			p.stop()
			if diff := cmp.Diff([]string{"span 127.0.0.1 127.0.0.1 http, log 127.0.0.1 " + p.addr}, p.who(t)); diff != "" {
				t.Errorf("clients (-want +got):\n%s", diff)
			}

			for _, closed := range []string{"DENY_CIDRS=127.0.0.1", "ALLOW_CIDRS=6.6.6.6,127.0.0.9,::1,2001:db8::/32"} {
				before := backend.reached.Load()
				p := start(t, append(environ, closed)...)
				for _, attempt := range attempts {
					if got := first(p.knock(t, knock{method: "GET", header: attempt})); got != "403 Requests from this address are not accepted.\n" {
						t.Errorf("%s, %.100q: answered %q", closed, attempt, got)
					}
				}
				p.stop()
				if diff := cmp.Diff([]string{"span 127.0.0.1 127.0.0.1 http, log 127.0.0.1 " + p.addr}, p.who(t)); diff != "" {
					t.Errorf("%s: clients (-want +got):\n%s", closed, diff)
				}
				if backend.reached.Load() != before {
					t.Errorf("%s: the backend was reached", closed)
				}
			}
		})
	}
}

// TestAddressesOfTrustedPeers has a peer that is trusted name a client, before
// which that client has written what it likes: limit, lists, log and span take
// the same address from it, the last one that is not trusted.
func TestAddressesOfTrustedPeers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header string
		fields []string
		again  []string // the same client, by the rate limit
		other  []string // another one
		client string
		want   string // X-Forwarded-For as the backend gets it of the first
	}{
		"a list": {
			fields: []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.5"},
			again:  []string{"X-Forwarded-For: 7.7.7.7,127.0.0.6, 203.0.113.9"},
			other:  []string{"X-Forwarded-For: 203.0.113.9, 203.0.113.10"},
			client: "203.0.113.9", want: "6.6.6.6, 203.0.113.9, 127.0.0.5, 127.0.0.1",
		},
		"lines": {
			fields: []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9:4711", "X-Forwarded-For: 127.0.0.5"},
			again:  []string{"X-Forwarded-For: nonsense, \"", "X-Forwarded-For: ::ffff:203.0.113.9"},
			other:  []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 6.6.6.6"},
			client: "203.0.113.9", want: "6.6.6.6, 203.0.113.9:4711, 127.0.0.5, 127.0.0.1",
		},
		"IPv6": {
			fields: []string{"X-Forwarded-For: [2001:db8::9]:80"},
			again:  []string{"X-Forwarded-For: 6.6.6.6, 2001:db8::9%eth0"},
			other:  []string{"X-Forwarded-For: 2001:db8:0:1::9"},
			client: "2001:db8::9", want: "[2001:db8::9]:80, 127.0.0.1",
		},
		"other fields do not count": {
			fields: []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6", "X_Forwarded_For: 6.6.6.6"},
			again:  []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=7.7.7.7", "Fly-Client-Ip: 6.6.6.6"},
			other:  []string{"X-Forwarded-For: 6.6.6.6", "Forwarded: for=203.0.113.9"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.1",
		},
		"Forwarded": {
			header: "Forwarded",
			fields: []string{`Forwarded: for=6.6.6.6, for="203.0.113.9:80", for=127.0.0.5`, "X-Forwarded-For: 6.6.6.6"},
			again:  []string{`Forwarded: for="`, "Forwarded: for=203.0.113.9"},
			other:  []string{"Forwarded: for=203.0.113.9, for=6.6.6.6"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.5, 127.0.0.1", // what is believed, in the other dialect too
		},
		"a field with one address": {
			header: "X-Own-Client",
			fields: []string{"X-Own-Client: 203.0.113.9", "X-Forwarded-For: 6.6.6.6"},
			again:  []string{"X-Own-Client: 203.0.113.9:80", "X-Forwarded-For: 7.7.7.7"},
			other:  []string{"X-Own-Client: 6.6.6.6", "X-Forwarded-For: 203.0.113.9"},
			client: "203.0.113.9", want: "203.0.113.9, 127.0.0.1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newFront(t)
			environ := []string{"BACKENDS=" + backend.URL, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "RATE_LIMIT=1/h", "CLIENT_IP_HEADER=" + test.header}
			ask := func(p *program, fields []string) string {
				text, _, _ := strings.Cut(first(p.knock(t, knock{method: "GET", header: fields})), "\n")
				status, _, _ := strings.Cut(text, " ")
				return status
			}
			p := start(t, append(environ, "ALLOW_CIDRS="+test.client)...)
			got := []string{ask(p, test.fields), ask(p, test.again), ask(p, test.other)}
			p.stop()
			if diff := cmp.Diff([]string{"200", "429", "403"}, got); diff != "" {
				t.Errorf("with the client alone let in: the client, again, another one (-want +got):\n%s", diff)
			}
			if who := p.who(t); len(who) != 2 || !slices.Contains(who, "span "+test.client+" 127.0.0.1 http, log "+test.client+" "+p.addr) {
				t.Errorf("clients are %q, want %s and another", who, test.client)
			}
			if diff := cmp.Diff(test.want, backend.all()[0].Get("X-Forwarded-For")); diff != "" {
				t.Errorf("X-Forwarded-For (-want +got):\n%s", diff)
			}
			p = start(t, environ...)
			got = []string{ask(p, test.fields), ask(p, test.other), ask(p, test.again)}
			if diff := cmp.Diff([]string{"200", "200", "429"}, got); diff != "" {
				t.Errorf("with all let in: the client, another one, the client again (-want +got):\n%s", diff)
			}
			p = start(t, append(environ, "DENY_CIDRS="+test.client)...)
			got = []string{ask(p, test.fields), ask(p, test.again), ask(p, test.other), ask(p, test.other)}
			if diff := cmp.Diff([]string{"403", "403", "200", "429"}, got); diff != "" {
				t.Errorf("with the client denied: the client, again, another one, again (-want +got):\n%s", diff)
			}
		})
	}
}
