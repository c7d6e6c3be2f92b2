package rewrite

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"spangate/handler"
)

// facts are those of tests: variables are what the map says.
func facts(variables map[string]string) Facts {
	return Facts{
		Route: "api", RequestID: "X-Request-Id",
		TraceID: func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" },
		Variable: func(_ context.Context, name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		},
	}
}

// identified returns a request as it is behind [handler.Identify].
func identified(t testing.TB, method, target string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.Host, r.RemoteAddr = "shop.example.com:8080", "192.0.2.7:4711"
	path, query, asks := strings.Cut(target, "?")
	r.RequestURI, r.URL.Path, r.URL.RawQuery, r.URL.ForceQuery = target, path, query, asks && query == ""
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	handler.Identify(handler.Origin{})(http.HandlerFunc(func(_ http.ResponseWriter, behind *http.Request) { r = behind })).ServeHTTP(nil, r)
	return r
}

func TestTemplate(t *testing.T) {
	variables := map[string]string{"id": "7", "rest": "a//b%2Fc", "raw": "\xff\"x\r\n", "none": ""}
	for _, test := range []struct{ text, target, want string }{
		{"", "/", ""},
		{"plain", "/", "plain"},
		{"/v2/users/{id}{?}", "/users/7?a=1&b=%zz", "/v2/users/7?a=1&b=%zz"},
		{"/v2/users/{id}{?}", "/users/7", "/v2/users/7"},
		{"/v2/users/{id}{?}", "/users/7?", "/v2/users/7?"},
		{"/x?of={id}&{query}", "/users/7?a=1", "/x?of=7&a=1"},
		{"{path}", "/a%2Fb//c;d", "/a%2Fb//c;d"},
		{"{path}", "/a\"b", "/a%22b"},
		{"{rest}", "/", "a//b%2Fc"},
		{"{raw}", "/", "%FF%22x%0D%0A"},
		{"[{none}]", "/", "[]"},
		{"[{other}]", "/", "[]"},
		{"{host} {client_ip} {route} {request_id}", "/", "shop.example.com 192.0.2.7 api id-1"},
		{"00-{trace_id}-", "/", "00-4bf92f3577b34da6a3ce929d0e0e4736-"},
		{`{{"route":"{route}"}}`, "/", `{"route":"api"}`},
		{"{{{{}}}}", "/", "{{}}"},
		{"{{{id}}}", "/", "{7}"},
	} {
		var parsed Template
		if err := parsed.UnmarshalText([]byte(test.text)); err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		r := identified(t, "GET", test.target, "X-Request-Id", "id-1")
		target, f := handler.OutgoingURL(r), facts(variables)
		v := f.ValuesOf(r, &target)
		if got := string(parsed.Append(nil, &v)); got != test.want {
			t.Errorf("%q of %q is %q, want %q", test.text, test.target, got, test.want)
		}
		if text, _ := parsed.MarshalText(); string(text) != test.text {
			t.Errorf("%q is shown as %q", test.text, text)
		}
	}
}

func TestTemplateIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"a}":       "has a } that ends nothing; }} stands for one",
		"a}b}}":    "has a } that ends nothing; }} stands for one",
		"{":        "has a { without a }; {{ stands for one",
		"{id":      "has a { without a }; {{ stands for one",
		"{a{b}":    "has a { without a }; {{ stands for one",
		"{}":       "{} is no name; {{ stands for a brace",
		"{a b}":    "{a b} is no name; {{ stands for a brace",
		"{ id }":   "{ id } is no name; {{ stands for a brace",
		"{??}":     "{??} is no name; {{ stands for a brace",
		`{"a":1}}`: `{"a":1} is no name; {{ stands for a brace`,
	} {
		var parsed Template
		if err := parsed.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	const all = "{host}, {path}, {query}, {client_ip}, {trace_id}, {request_id}, {route}"
	for _, test := range []struct {
		text     string
		patterns []string
		want     string
	}{
		{"{id}{rest}{kind}{path}{?}", []string{"/a/{id:int}/{kind}/{rest...}"}, ""},
		{"{id}", []string{"/a/{id}", "/b/{id:uuid}"}, ""},
		{"{id}", []string{"/a/{id}", "/b/*"}, "{id} is not in /b/*"},
		{"{di}", []string{"/a/{id}"}, "{di} is unknown here; did you mean {id}?"},
		{"{rest...}", []string{"/a/{rest...}"}, "{rest...} is unknown here; did you mean {rest}?"},
		{"{id:int}", []string{"/a/{id:int}"}, "{id:int} is unknown here; did you mean {id}?"},
		{"{client-ip} {hots}", nil, "{client-ip} is unknown here; did you mean {client_ip}?\n{hots} is unknown here; did you mean {host}?"},
		{"{id}", nil, "{id} is unknown here; known are " + all},
		{"{upstream}", []string{"/{id}"}, "{upstream} is unknown here; known are {id}, " + all},
	} {
		var parsed Template
		if err := parsed.UnmarshalText([]byte(test.text)); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := parsed.unknown(test.patterns); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q in %q: %q, want %q", test.text, test.patterns, got, test.want)
		}
	}
}

func TestNobodyKnown(t *testing.T) {
	var parsed Template
	if err := parsed.UnmarshalText([]byte("[{client_ip}{trace_id}{request_id}{id}{route}]")); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = ""
	target := handler.OutgoingURL(r)
	v := (&Facts{}).ValuesOf(r, &target)
	if got := string(parsed.Append(nil, &v)); got != "[]" {
		t.Errorf("%q", got)
	}
}

func TestHostOfValues(t *testing.T) {
	for authority, want := range map[string]string{
		"example.com": "example.com", "example.com:80": "example.com", "[::1]:80": "[::1]", "[::1]": "[::1]", "": "", "192.0.2.1:1": "192.0.2.1",
	} {
		if got := withoutPort(authority); got != want {
			t.Errorf("%q: %q, want %q", authority, got, want)
		}
	}
}

// No value, whoever sends what, ends a line or makes two words of one.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"/v2/{id}{?}", "{{x}}", "{id}{path}", "}", "{"} {
		f.Add(seed, "/a/b?c", "7")
	}
	f.Add("{id}", "/\xff", "a\r\nb: c")
	f.Fuzz(func(t *testing.T, text, target, value string) {
		var parsed Template
		if parsed.UnmarshalText([]byte(text)) != nil {
			return
		}
		var again Template
		if shown, _ := parsed.MarshalText(); again.UnmarshalText(shown) != nil {
			t.Fatalf("%q is not read again", shown)
		}
		if literal, ok := parsed.constant(); ok {
			if strings.Count(text, "{")%2 != 0 || len(literal) > len(text) {
				t.Errorf("%q is %q", text, literal)
			}
			return
		}
		fact := facts(map[string]string{"id": value})
		r := identified(t, "GET", "/")
		r.RequestURI = "/" + target
		outgoing := handler.OutgoingURL(r)
		v := fact.ValuesOf(r, &outgoing)
		for name := range parsed.names() {
			for _, c := range v.append(nil, name) {
				if c <= ' ' || c >= 0x7f || c == '"' {
					t.Errorf("{%s} of %q, %q has %q", name, target, value, c)
				}
			}
		}
	})
}

func TestClientIPIsNotAProxys(t *testing.T) {
	var origin handler.Origin
	if err := origin.Trusted.UnmarshalText([]byte("192.0.2.0/24")); err != nil {
		t.Fatal(err)
	}
	for forwarded, want := range map[string]string{"203.0.113.9": "203.0.113.9", "unknown": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = netip.MustParseAddrPort("192.0.2.7:1").String()
		r.Header.Set("X-Forwarded-For", forwarded)
		handler.Identify(origin)(http.HandlerFunc(func(_ http.ResponseWriter, behind *http.Request) { r = behind })).ServeHTTP(nil, r)
		target, f := handler.OutgoingURL(r), Facts{}
		v := f.ValuesOf(r, &target)
		if got := string(v.append(nil, "client_ip")); got != want {
			t.Errorf("%s: %q, want %q", forwarded, got, want)
		}
	}
}
