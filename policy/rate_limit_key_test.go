package policy_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/policy"
)

// from returns a request of the client at addr with the given fields, as in
// "X-Tenant: a".
func from(addr string, fields ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 1234).String()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func keyOf(t testing.TB, text string) func(*http.Request) policy.Key {
	t.Helper()
	var k policy.RateLimitKey
	if err := k.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return k.Func()
}

func TestKeysThatAreOne(t *testing.T) {
	const a, b = "192.0.2.1", "192.0.2.2"
	long := strings.Repeat("x", 8<<10)
	for _, test := range []struct {
		name, key string
		r, s      *http.Request
		same      bool
	}{
		{"one address", "client-ip", from(a), from(a, "X-Tenant: t"), true},
		{"two addresses", "client-ip", from(a), from(b), false},
		{"IPv4 written as IPv6", "client-ip", from(a), from("::ffff:" + a), true},
		{"two of an IPv6 /64", "client-ip", from("2001:db8:1:2::1"), from("2001:db8:1:2:ffff:ffff:ffff:ffff"), true},
		{"two IPv6 /64", "client-ip", from("2001:db8:1:2::1"), from("2001:db8:1:3::1"), false},
		{"zones of a link", "client-ip", from("fe80::1%eth0"), from("fe80::2%eth1"), true},
		{"IPv4 and IPv6", "client-ip", from("0.0.0.0"), from("::"), false},
		{"all", "global", from(a), from("2001:db8::1", "X-Tenant: t"), true},
		{"all, and addresses", "global+client-ip", from(a), from(b), false},
		{"one tenant", "header:x-tenant", from(a, "X-Tenant: t"), from(b, "X-Tenant: t"), true},
		{"two tenants", "header:x-tenant", from(a, "X-Tenant: t"), from(a, "X-Tenant: u"), false},
		{"tenants differ in case", "header:x-tenant", from(a, "X-Tenant: t"), from(a, "X-Tenant: T"), false},
		{"no tenant", "header:x-tenant", from(a), from(a), true},
		{"no tenant, two addresses", "header:x-tenant", from(a), from(b), false},
		{"no tenant and an empty one", "header:x-tenant", from(a), from(a, "X-Tenant: "), true},
		{"no tenant and two", "header:x-tenant", from(a), from(a, "X-Tenant: t", "X-Tenant: u"), true},
		{"no tenant and an oversized one", "header:x-tenant", from(a), from(a, "X-Tenant: x"+long), true},
		{"long tenants", "header:x-tenant", from(a, "X-Tenant: "+long), from(a, "X-Tenant: "+long[1:]+"y"), false},
		{"a tenant that looks like an address", "header:x-tenant", from("2001:db8::1"), from(a, "X-Tenant: \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), false},
		{"the host", "header:host", from(a), from(b), true},
		{"address and tenant", "client-ip+header:x-tenant", from(a, "X-Tenant: t"), from(a, "X-Tenant: t"), true},
		{"address and tenant, two addresses", "client-ip+header:x-tenant", from(a, "X-Tenant: t"), from(b, "X-Tenant: t"), false},
		{"address and tenant, two tenants", "client-ip+header:x-tenant", from(a, "X-Tenant: t"), from(a, "X-Tenant: u"), false},
		{"a value that reaches over", "header:a+header:b", from(a, "A: xB:\x01y", "B: z"), from(a, "A: x", "B: yB:\x01z"), false},
		{"one of two is missing", "header:a+header:b", from(a, "A: x"), from(a, "A: y"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := keyOf(t, test.key)
			if got := key(test.r).ID == key(test.s).ID; got != test.same {
				t.Errorf("the same: %v, want %v", got, test.same)
			}
		})
	}
}

func TestKeySource(t *testing.T) {
	for _, test := range []struct {
		key  string
		r    *http.Request
		want string
	}{
		{"client-ip", from("192.0.2.1"), "client-ip"},
		{"global", from("192.0.2.1"), "global"},
		{"header:x-tenant", from("192.0.2.1", "X-Tenant: t"), "header"},
		{"header:x-tenant", from("192.0.2.1"), "client-ip"},
		{"client-ip+header:x-tenant", from("192.0.2.1", "X-Tenant: t"), "client-ip+header"},
		{"client-ip+header:x-tenant", from("192.0.2.1"), "client-ip"},
	} {
		if got := keyOf(t, test.key)(test.r).Source; got != test.want {
			t.Errorf("%s, %v: got %s, want %s", test.key, test.r.Header, got, test.want)
		}
	}
}

// TestKeysStayTheSame holds some keys: instances of other versions share them
// while they are rolled over.
func TestKeysStayTheSame(t *testing.T) {
	for spec, want := range map[string]string{
		"client-ip":                 "00000000000000000000ffffc0000201",
		"global":                    "00000000000000000000000000000000",
		"header:X-Tenant":           "ffc2270eb2b6ba16fb9e962e5334032a",
		"client-ip+header:X-Tenant": "8a657aa67b766c8de0cb1e8f66ba6924",
	} {
		id := keyOf(t, spec)(from("192.0.2.1", "X-Tenant: t")).ID
		if diff := cmp.Diff(want, hex.EncodeToString(id[:])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", spec, diff)
		}
	}
}

func TestKeyWithoutAnAddress(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "@" // of a Unix socket
	if got, want := keyOf(t, "client-ip")(r), (policy.Key{Source: "client-ip"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRateLimitKey(t *testing.T) {
	for text, want := range map[string]string{
		"client-ip":                       "client-ip",
		"global":                          "global",
		"header:x-api-key":                "header:X-Api-Key",
		"client-ip+header:X-Tenant":       "client-ip+header:X-Tenant",
		"header:a+header:b+client-ip":     "header:A+header:B+client-ip",
		"":                                "error: must be client-ip, header:NAME or global, or several joined with +",
		"ip":                              "error: must be client-ip, header:NAME or global, or several joined with +",
		"client-ip+":                      "error: must be client-ip, header:NAME or global, or several joined with +",
		"client-ip + global":              "error: must be client-ip, header:NAME or global, or several joined with +",
		"header":                          `error: must name a header, such as header:X-Tenant; "" cannot be one`,
		"header:":                         `error: must name a header, such as header:X-Tenant; "" cannot be one`,
		"header:X Tenant":                 `error: must name a header, such as header:X-Tenant; "X Tenant" cannot be one`,
		"client-ip:v4":                    "error: client-ip takes no name",
		"global:":                         "error: global takes no name",
		"client-ip+client-ip":             "error: client-ip is there twice",
		"header:X-Tenant+header:x-tenant": "error: header:x-tenant is there twice",
	} {
		var k policy.RateLimitKey
		got := ""
		if err := k.UnmarshalText([]byte(text)); err != nil {
			got = "error: " + err.Error()
		} else {
			written, _ := k.MarshalText()
			got = string(written)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if zero, _ := (policy.RateLimitKey{}).MarshalText(); string(zero) != "client-ip" {
		t.Errorf("the zero key is %s", zero)
	}
}

func FuzzRateLimitKey(f *testing.F) {
	f.Add("client-ip+header:X-Tenant", "acme")
	f.Add("global", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		var k, again policy.RateLimitKey
		if k.UnmarshalText([]byte(text)) != nil {
			return
		}
		written, _ := k.MarshalText()
		if err := again.UnmarshalText(written); err != nil {
			t.Fatalf("%q is written as %q, which is refused: %v", text, written, err)
		}
		rewritten, _ := again.MarshalText()
		if string(rewritten) != string(written) {
			t.Errorf("%q is written as %q and then as %q", text, written, rewritten)
		}
		r := from("192.0.2.1")
		for part := range strings.SplitSeq(string(written), "+") {
			if name, ok := strings.CutPrefix(part, "header:"); ok {
				r.Header[name] = []string{value}
			}
		}
		key := k.Func()(r)
		if key != again.Func()(r) {
			t.Errorf("%q and %q make different keys", text, written)
		}
		if value != "" && strings.Contains(key.Source, value) && !strings.Contains("client-ip+header+global", value) {
			t.Errorf("%q: source %q has what the client sent", text, key.Source)
		}
	})
}

func TestKeysDoNotAllocate(t *testing.T) {
	r := identified(from("2001:db8::1", "X-Tenant: acme", "X-User: somebody@example.com"))
	for _, text := range []string{"client-ip", "global", "header:X-Tenant", "client-ip+header:X-Tenant+header:X-User"} {
		var k policy.RateLimitKey
		if err := k.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		key := k.Func()
		if got := testing.AllocsPerRun(1000, func() { key(r) }); got != 0 {
			t.Errorf("%s: %v allocations, want none", text, got)
		}
	}
}

func BenchmarkRateLimitKey(b *testing.B) {
	r := identified(from("2001:db8::1", "X-Tenant: acme"))
	for _, text := range []string{"client-ip", "header:X-Tenant", "client-ip+header:X-Tenant"} {
		b.Run(text, func(b *testing.B) {
			var k policy.RateLimitKey
			if err := k.UnmarshalText([]byte(text)); err != nil {
				b.Fatal(err)
			}
			key := k.Func()
			b.ReportAllocs()
			for b.Loop() {
				key(r)
			}
		})
	}
}
