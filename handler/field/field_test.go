package field_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/field"
)

func Example() {
	fields := field.NewSet("X-Auth-Principal")
	h := http.Header{"X_auth_principal": {"root"}, "X-Auth-Principal": {"ann"}, "X-Hop": {"1"}, "Connection": {"X-Hop, X-Auth-Principal"}}
	fields.EndHop(h)
	fmt.Println(h, fields.InTrailer("X-Auth-Principal"), fields.InTrailer("X-Sum"))
	// Output: map[X-Auth-Principal:[ann]] false true
}

func TestCanonical(t *testing.T) {
	for name, want := range map[string]string{
		"X-Forwarded-For": "X-Forwarded-For", "x_forwarded_for": "X-Forwarded-For", "X.Forwarded~For": "X-Forwarded-For", "xforwardedfor": "Xforwardedfor",
		"": "", "_": "-", "X-ä": "X---", "a b": "A-B", "\xff": "-",
	} {
		if got := field.Canonical(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// What a configuration names meets the rule as what HTTP defines does, and under
// the spelling that it has there is no alias.
func TestSet(t *testing.T) {
	fields := field.NewSet("", "X_Real", "X-Tenant")
	for name, want := range map[string]struct{ inTrailer, isAlias bool }{
		"X_real": {}, "X-Real": {}, "X.real": {isAlias: true}, "X-Tenant": {}, "X_tenant": {isAlias: true},
		"Content-Length": {}, "Content_length": {isAlias: true}, "Trailer": {}, "Cookie": {}, "If-Match": {}, "If_match": {isAlias: true},
		"Etag": {inTrailer: true}, "Content-Digest": {inTrailer: true}, "Content_digest": {inTrailer: true}, "Grpc-Status": {inTrailer: true},
		"Grpc-Trace-Bin": {}, "X-B3-Sampled": {}, "Uberctx-Anything": {}, "X-Forwarded-Anything": {}, "Any-Client-Ip": {},
		"Client-Cert": {}, "Client-Cert-Chain": {}, "Client_cert": {isAlias: true}, "X-Forwarded-Client-Cert": {}, "X-Ssl-Client-Verify": {}, "Ssl-Client-Dn": {},
		"X-Client-Cert": {}, "X-Arr-Clientcert": {}, "X-Amzn-Mtls-Clientcert-Leaf": {},
		"X-Sum": {inTrailer: true}, "X_sum": {inTrailer: true}, "-": {inTrailer: true},
	} {
		if got := fields.InTrailer(name); got != want.inTrailer {
			t.Errorf("InTrailer(%q) is %t", name, got)
		}
		if got := fields.IsAlias(name); got != want.isAlias {
			t.Errorf("IsAlias(%q) is %t", name, got)
		}
	}
	got := slices.Collect(fields.Options([]string{"close, x-hop,, X-Tenant", "", "Connection, te,X_Hop ,x-real,X_Real,Etag,X_tenant,upgrade, keep-alive"}))
	if diff := cmp.Diff([]string{"Close", "X-Hop", "X_hop"}, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

// What is told by a glance is what a closer look would say.
func TestMayBeForwarded(t *testing.T) {
	owns := []string{"", "X-Forwarded-For", "Fly-Client-Ip", "True_client", "_address", "9-Lives", "~"}
	names := []string{"", "Accept", "Cookie", "User-Agent", "User_agent", "any-client-ip", "ANY_CLIENT_IP", "forwarded", "_forwarded", ".forwarded", "proxy", "Proxy-Status",
		"x.forwarded", "ssl_client_dn", "front~end~https", "cf_visitor", "-address", "~address", "true-client", "TRUE.CLIENT", "9_lives", "-", "_", "x"}
	for c := range 256 {
		names = append(names, string([]byte{byte(c)}), string([]byte{byte(c)})+"-Forwarded", "X"+string([]byte{byte(c)})+"Forwarded", "Any-Client-I"+string([]byte{byte(c)}))
	}
	for _, name := range names {
		for _, own := range owns {
			canonical := field.Canonical(name)
			is := field.IsForwarded(canonical) || name != "" && canonical == field.Canonical(own)
			if is && !field.MayBeForwarded(name, own) {
				t.Errorf("%q is taken for none, where %q is one", name, own)
			}
		}
	}
	for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "Cookie", "Cache-Control", "Content-Type", "Sec-Fetch-Mode"} {
		if field.MayBeForwarded(name, "X-Forwarded-For") {
			t.Errorf("%q is looked at", name)
		}
	}
}

func BenchmarkEndHop(b *testing.B) {
	fields := field.NewSet("X-Auth-Principal", "X-Request-Id")
	h := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Referer", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Sec-Fetch-Mode", "Via", "X_other"} {
		h[name] = []string{"1"}
	}
	b.ReportAllocs()
	for b.Loop() {
		fields.EndHop(h)
	}
}
