package http1_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
)

// TestAppendRequest looks at the heads of requests as they are sent.
func TestAppendRequest(t *testing.T) {
	tests := map[string]struct {
		change func(*http.Request)
		length int64
		want   string // the lines, or what is wrong
	}{
		"GET":                     {nil, 0, "GET /a?b=c HTTP/1.1|Host: backend:80"},
		"with its client's host":  {func(r *http.Request) { r.Host = "example.com" }, 0, "GET /a?b=c HTTP/1.1|Host: example.com"},
		"a host that is none":     {func(r *http.Request) { r.Host = "a b" }, 0, "GET /a?b=c HTTP/1.1|Host: "},
		"a host with a zone":      {func(r *http.Request) { r.Host = "[fe80::1%eth0]:80" }, 0, "GET /a?b=c HTTP/1.1|Host: [fe80::1]:80"},
		"a host in other letters": {func(r *http.Request) { r.Host = "bücher.example" }, 0, "GET /a?b=c HTTP/1.1|Host: xn--bcher-kva.example"},
		"fields, in order":        {func(r *http.Request) { r.Header = http.Header{"B": {"2", "3"}, "A": {"1"}} }, 0, "GET /a?b=c HTTP/1.1|Host: backend:80|A: 1|B: 2|B: 3"},
		"none that would frame it": {func(r *http.Request) {
			r.Header = http.Header{"Host": {"x"}, "Content-Length": {"9"}, "Transfer-Encoding": {"gzip"}, "Trailer": {"X"}}
		}, 0, "GET /a?b=c HTTP/1.1|Host: backend:80"},
		"no User-Agent":          {func(r *http.Request) { r.Header = http.Header{"User-Agent": nil} }, 0, "GET /a?b=c HTTP/1.1|Host: backend:80"},
		"a length":               {func(r *http.Request) { r.Method = "PUT" }, 12, "PUT /a?b=c HTTP/1.1|Host: backend:80|Content-Length: 12"},
		"chunks":                 {func(r *http.Request) { r.Method = "PUT" }, -1, "PUT /a?b=c HTTP/1.1|Host: backend:80|Transfer-Encoding: chunked"},
		"POST without content":   {func(r *http.Request) { r.Method = "POST" }, 0, "POST /a?b=c HTTP/1.1|Host: backend:80|Content-Length: 0"},
		"PUT without content":    {func(r *http.Request) { r.Method = "PUT" }, 0, "PUT /a?b=c HTTP/1.1|Host: backend:80|Content-Length: 0"},
		"PATCH without content":  {func(r *http.Request) { r.Method = "PATCH" }, 0, "PATCH /a?b=c HTTP/1.1|Host: backend:80|Content-Length: 0"},
		"DELETE without content": {func(r *http.Request) { r.Method = "DELETE" }, 0, "DELETE /a?b=c HTTP/1.1|Host: backend:80"},
		"trailers":               {func(r *http.Request) { r.Trailer = http.Header{"B": nil, "A": nil} }, -1, "GET /a?b=c HTTP/1.1|Host: backend:80|Transfer-Encoding: chunked|Trailer: A, B"},
		"trailers with a length": {func(r *http.Request) { r.Trailer = http.Header{"A": nil} }, 1, "GET /a?b=c HTTP/1.1|Host: backend:80|Content-Length: 1"},
		"close":                  {func(r *http.Request) { r.Close = true }, 0, "GET /a?b=c HTTP/1.1|Host: backend:80|Connection: close"},
		"TE":                     {func(r *http.Request) { r.Header = http.Header{"Te": {"trailers"}} }, 0, "GET /a?b=c HTTP/1.1|Host: backend:80|Connection: TE|Te: trailers"},
		"TE, Upgrade and close": {func(r *http.Request) {
			r.Close, r.Header = true, http.Header{"Te": {"trailers"}, "Connection": {"Upgrade"}, "Upgrade": {"x"}}
		}, 0, "GET /a?b=c HTTP/1.1|Host: backend:80|Connection: Upgrade, TE, close|Te: trailers|Upgrade: x"},
		"close, twice":                    {func(r *http.Request) { r.Close, r.Header = true, http.Header{"Connection": {"Close"}} }, 0, "GET /a?b=c HTTP/1.1|Host: backend:80|Connection: Close"},
		"no path":                         {func(r *http.Request) { r.URL = &url.URL{Host: "backend"} }, 0, "GET / HTTP/1.1|Host: backend"},
		"an empty query":                  {func(r *http.Request) { r.URL.RawQuery, r.URL.ForceQuery = "", true }, 0, "GET /a? HTTP/1.1|Host: backend:80"},
		"what is encoded stays so":        {func(r *http.Request) { r.URL, _ = url.Parse("http://backend/a%2Fb/%C3%BC?%zz;x") }, 0, "GET /a%2Fb/%C3%BC?%zz;x HTTP/1.1|Host: backend"},
		"the server itself":               {func(r *http.Request) { r.Method, r.URL.Path, r.URL.RawQuery = "OPTIONS", "*", "" }, 0, "OPTIONS * HTTP/1.1|Host: backend:80"},
		"a target as it stands":           {func(r *http.Request) { r.URL.Opaque = "//other/x" }, 0, "GET http://other/x?b=c HTTP/1.1|Host: backend:80"},
		"a method that is no token":       {func(r *http.Request) { r.Method = "G T" }, 0, `malformed message: method "G T"`},
		"no method":                       {func(r *http.Request) { r.Method = "" }, 0, `malformed message: method ""`},
		"a control character in a target": {func(r *http.Request) { r.URL.Opaque = "/\x01" }, 0, `malformed message: target "/\x01?b=c"`},
		"a blank in a target":             {func(r *http.Request) { r.URL.RawQuery = "b c" }, 0, `malformed message: target "/a?b c"`},
		"a name that is no token":         {func(r *http.Request) { r.Header = http.Header{"X T": {"v"}} }, 0, `malformed message: field name "X T"`},
		"a value with an end of line":     {func(r *http.Request) { r.Header = http.Header{"X": {"a\r\nb"}} }, 0, `malformed message: value of field "X" with a control character`},
		"an option with an end of line":   {func(r *http.Request) { r.Header = http.Header{"Connection": {"a\nb"}} }, 0, `malformed message: value of field "Connection" with a control character`},
		"a trailer's name":                {func(r *http.Request) { r.Trailer = http.Header{"X T": nil} }, -1, `malformed message: trailer's name "X T"`},
		"a trailer that frames":           {func(r *http.Request) { r.Trailer = http.Header{"Content-Length": nil} }, -1, `malformed message: trailer's name "Content-Length"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "backend:80", Path: "/a", RawQuery: "b=c"}, Header: http.Header{}}
			if test.change != nil {
				test.change(r)
			}
			got := ""
			if b, err := http1.AppendRequest(nil, r, test.length); err != nil {
				got = err.Error()
			} else {
				got = strings.ReplaceAll(strings.TrimSuffix(string(b), "\r\n\r\n"), "\r\n", "|")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFieldsInOrder writes as many fields as there may be ways to sort them.
func TestFieldsInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 12, 13, 24, 25, 26, 100} {
		header, want := http.Header{"Nothing": nil, "Left": {"out"}}, "\r\n"
		for i := n - 1; i >= 0; i-- {
			name := fmt.Sprintf("%.*s-%03d", i%9+1, "X-Forwarded", i)
			header[name] = []string{"1", "2"}
		}
		for _, name := range slices.Backward(slices.Sorted(maps.Keys(header))) {
			if len(header[name]) == 2 {
				want = name + ": 1\r\n" + name + ": 2\r\n" + want
			}
		}
		got, err := http1.AppendFields(nil, header, func(name string) bool { return name == "Left" })
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("%d: %v (-want +got):\n%s", n, err, diff)
		}
	}
}
