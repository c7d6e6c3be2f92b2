package telemetry

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGRPCMethods(t *testing.T) {
	t.Parallel()
	var m grpcMethods
	if err := m.UnmarshalText([]byte("/shop.v1.Cart/Add, /shop.v1.Cart/Remove,/shop.v1.Stock/*,/Ping/Ping")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]rpcMethod{
		"/shop.v1.Cart/Add": "shop.v1.Cart/Add", "/shop.v1.Cart/Remove": "shop.v1.Cart/Remove", "/shop.v1.Cart/List": "_OTHER",
		"/shop.v1.Stock/List": "shop.v1.Stock/*", "/shop.v1.Stock/": "shop.v1.Stock/*", "/shop.v1.Stock": "_OTHER", "/shop.v1.Stock/a/b": "_OTHER",
		"/Ping/Ping": "Ping/Ping", "/Ping/": "_OTHER", "//Ping/Ping": "_OTHER", "/": "_OTHER", "": "_OTHER", "*": "_OTHER",
	} {
		r := &http.Request{URL: &url.URL{Path: path}, Header: http.Header{"Content-Type": {"application/grpc+proto"}}}
		if got := m.of(r); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
		if got := grpcMethods(nil).of(r); got != "" {
			t.Errorf("%q is %q where none are named", path, got)
		}
		r.Header.Set("Content-Type", "application/json")
		if got := m.of(r); got != "" {
			t.Errorf("%q, which is no call of gRPC, is %q", path, got)
		}
	}
}

func TestMalformedGRPCMethods(t *testing.T) {
	t.Parallel()
	var got []string
	var m grpcMethods
	err := m.UnmarshalText([]byte("/a.B/C,a.B/C,/a.B,/a.B/,//C,/*/C,/a.B/C/D,/a.B/C*,/a b/C,*"))
	for line := range strings.SplitSeq(err.Error(), "\n") {
		path, _, _ := strings.Cut(line, " must be /package.Service/Method or /package.Service/*")
		got = append(got, path)
	}
	if diff := cmp.Diff([]string{`"a.B/C"`, `"/a.B"`, `"/a.B/"`, `"//C"`, `"/*/C"`, `"/a.B/C/D"`, `"/a.B/C*"`, `"/a b/C"`, `"*"`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzGRPCMethods holds that whatever is called there are no more names than were given.
func FuzzGRPCMethods(f *testing.F) {
	f.Add("/a.B/C,/a.D/*", "/a.D/E")
	f.Add("*,/", "")
	f.Fuzz(func(t *testing.T, text, path string) {
		var m grpcMethods
		if m.UnmarshalText([]byte(text)) != nil {
			return
		}
		name := m.of(&http.Request{URL: &url.URL{Path: path}, Header: http.Header{"Content-Type": {"application/grpc"}}})
		if name != "" && name != otherMethod && !strings.Contains(text, "/"+string(name)) {
			t.Errorf("%q is %q, of %q", path, name, text)
		}
	})
}
