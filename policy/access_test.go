package policy_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/policy"
)

// accessTo returns a configuration out of what the variables would hold.
func accessTo(t testing.TB, allow, deny string) (cfg policy.AccessConfig) {
	t.Helper()
	for list, text := range map[*config.CIDRs]string{&cfg.Allow: allow, &cfg.Deny: deny} {
		if err := list.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// note is a Refuse that answers as told and keeps why.
func note(why *fault.Refusal) policy.Refuse {
	return func(w http.ResponseWriter, _ *http.Request, r fault.Refusal) {
		*why = r
		w.WriteHeader(r.Status)
	}
}

func TestAccess(t *testing.T) {
	for _, test := range []struct{ allow, deny, from, want string }{
		{"all", "10.0.0.0/8", "203.0.113.9", ""},
		{"all", "10.0.0.0/8", "10.1.2.3", "denied"},
		{"all", "10.0.0.0/8", "::ffff:10.1.2.3", "denied"},
		{"all", "10.0.0.0/8", "2001:db8::1", ""},
		{"all", "10.0.0.0/8", "", "no_address"},
		{"all", "all", "203.0.113.9", "denied"},
		{"10.0.0.0/8,2001:db8::/32", "none", "10.1.2.3", ""},
		{"10.0.0.0/8,2001:db8::/32", "none", "2001:db8::1", ""},
		{"10.0.0.0/8,2001:db8::/32", "none", "fe80::1%eth0", "not_allowed"},
		{"10.0.0.0/8,2001:db8::/32", "none", "203.0.113.9", "not_allowed"},
		{"10.0.0.0/8,2001:db8::/32", "none", "", "no_address"},
		{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", ""},
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "denied"},
		{"10.1.0.0/16", "10.0.0.0/8", "10.1.2.3", "denied"},
		{"10.0.0.0/8", "10.0.0.0/8", "203.0.113.9", "not_allowed"},
		{"0.0.0.0/0", "none", "2001:db8::1", "not_allowed"},
		{"none", "none", "203.0.113.9", "not_allowed"},
	} {
		t.Run(fmt.Sprintf("%s but %s: %s", test.allow, test.deny, test.from), func(t *testing.T) {
			var why fault.Refusal
			passed := false
			h := policy.Access(accessTo(t, test.allow, test.deny), note(&why))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }))
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.RemoteAddr = net.JoinHostPort(test.from, "1234")
			h.ServeHTTP(w, r)
			if why.Reason != test.want || passed != (test.want == "") {
				t.Errorf("refused for %q, passed on: %t, want %q", why.Reason, passed, test.want)
			}
			if !passed && (why.Policy != "access" || w.Code != http.StatusForbidden) {
				t.Errorf("refused by %s with status %d", why.Policy, w.Code)
			}
		})
	}
}

func TestAccessOff(t *testing.T) {
	for name, cfg := range map[string]policy.AccessConfig{
		"zero": {}, "default": accessTo(t, "all", "none"), "all, spelled out": accessTo(t, "0.0.0.0/0,::/0", "none"),
	} {
		if policy.Access(cfg, nil) != nil {
			t.Errorf("%s: is not off", name)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	var deny []netip.Prefix
	for i := range 10_000 {
		deny = append(deny, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>8), byte(i), byte(i * 7), 0}), 24+i%8))
	}
	passed := 0
	h := policy.Access(policy.AccessConfig{Deny: config.CIDRsOf(deny...)}, nil)(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ }))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "198.51.100.77:1234"
	r = identified(r)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
	if passed != b.N {
		b.Fatalf("%d of %d passed", passed, b.N)
	}
}
