package rewrite

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/config"
)

func TestFields(t *testing.T) {
	long := strings.Repeat("x", maxValue)
	variables := map[string]string{"id": "7", "raw": "a\r\nEvil: 1", "none": "", "long": long, "longer": long + "x"}
	for name, test := range map[string]struct {
		text string
		want http.Header // of A: 1, B: 1 and 2
	}{
		"none":                     {"", http.Header{"A": {"1"}, "B": {"1", "2"}}},
		"off":                      {"off", http.Header{"A": {"1"}, "B": {"1", "2"}}},
		"sets":                     {"A: x", http.Header{"A": {"x"}, "B": {"1", "2"}}},
		"sets what has more":       {"b: x", http.Header{"A": {"1"}, "B": {"x"}}},
		"without a blank":          {"A:x", http.Header{"A": {"x"}, "B": {"1", "2"}}},
		"adds":                     {"+B: x, +C: x", http.Header{"A": {"1"}, "B": {"1", "2", "x"}, "C": {"x"}}},
		"removes":                  {"-A,-c", http.Header{"B": {"1", "2"}}},
		"only if absent":           {"?A: x, ?C: x", http.Header{"A": {"1"}, "B": {"1", "2"}, "C": {"x"}}},
		"in order":                 {"-A, ?A: x, +A: y", http.Header{"A": {"x", "y"}, "B": {"1", "2"}}},
		"lines":                    {"A: x\r\n\n -B \n", http.Header{"A": {"x"}}},
		"lines and commas":         {"A: x,\n-B,\n", http.Header{"A": {"x"}}},
		"a value's own commas":     {"Cache-Control: no-cache, max-age=60, -B", http.Header{"A": {"1"}, "Cache-Control": {"no-cache, max-age=60"}}},
		"a date":                   {"Date: Thu, 26 Nov 2026 21:00:00 GMT", http.Header{"A": {"1"}, "B": {"1", "2"}, "Date": {"Thu, 26 Nov 2026 21:00:00 GMT"}}},
		"a URL behind a comma":     {"A: x,https://example.com, y, 12:30", http.Header{"A": {"x,https://example.com, y, 12:30"}, "B": {"1", "2"}}},
		"a policy":                 {"Content-Security-Policy: default-src 'self'; img-src https: data:, -A", http.Header{"B": {"1", "2"}, "Content-Security-Policy": {"default-src 'self'; img-src https: data:"}}},
		"JSON":                     {`Nel: {{"report_to":"x","max_age":1}}, -A`, http.Header{"B": {"1", "2"}, "Nel": {`{"report_to":"x","max_age":1}`}}},
		"no removal within a word": {"A: en, -x y", http.Header{"A": {"en, -x y"}, "B": {"1", "2"}}},
		"values of the request":    {"C: {id}, D: {host}{path}{?}", http.Header{"A": {"1"}, "B": {"1", "2"}, "C": {"7"}, "D": {"shop.example.com/p?q"}}},
		"no line of their own":     {"C: {raw}", http.Header{"A": {"1"}, "B": {"1", "2"}, "C": {"a%0D%0AEvil:%201"}}},
		"empty, which is none":     {"A: {none}, +B: {none}, ?C: {none}, +D: {none}", http.Header{"B": {"1", "2"}}},
		"as long as may be":        {"A: {long}", http.Header{"A": {long}, "B": {"1", "2"}}},
		"too long, which is none":  {"A: {longer}, +B: {longer}", http.Header{"B": {"1", "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var fields Fields
			if err := fields.UnmarshalText([]byte(test.text)); err != nil {
				t.Fatal(err)
			}
			r := identified(t, "GET", "/p?q")
			target, f := handler.OutgoingURL(r), facts(variables)
			v := f.ValuesOf(r, &target)
			for range 2 { // what is shared stays as it is
				header := http.Header{"A": {"1"}, "B": {"1", "2"}}
				fields.apply(header, &v)
				if diff := cmp.Diff(test.want, header); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestFieldsAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"X-Foo":                       `"X-Foo" must be Name: value, +Name: value, ?Name: value or -Name`,
		"Authorization Bearer s3cret": `"Authorization" must be Name: value, +Name: value, ?Name: value or -Name`,
		"a b: c":                      `"a" must be Name: value, +Name: value, ?Name: value or -Name`,
		": c":                         `":" must be Name: value, +Name: value, ?Name: value or -Name`,
		"X-Foo:":                      "X-Foo: has no value; -X-Foo removes the field",
		"+X-Foo: ":                    "X-Foo: has no value; -X-Foo removes the field",
		"-X-Foo: x":                   "-X-Foo has no value",
		"A: 1, a: 2":                  "A is set twice; +A: adds a value",
		"A: x\x7f":                    "A: has a control character in its value",
		"A:1,B:2":                     "A: has B: in its value; with a blank behind that colon, or on a line of its own, it is a field",
		"A: {":                        "A: has a { without a }; {{ stands for one",
		"A: {, B:\n-C: d":             "A: has a { without a }; {{ stands for one\nB: has no value; -B removes the field\n-C has no value",
	} {
		var fields Fields
		if err := fields.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	type variables struct{ Config }
	for _, test := range []struct {
		name, text string
		want       string
	}{
		{"REQUEST_HEADERS", "X-Real: 1, -Cookie, Authorization: Basic x, +X-Id: {id}", ""},
		{"REQUEST_HEADERS", "Host: x", "REQUEST_HEADERS: Host: BACKEND_HOST says what backends are told"},
		{"REQUEST_HEADERS", "-x-forwarded-for", "REQUEST_HEADERS: X-Forwarded-For: says whom a request comes from, which the proxy vouches for"},
		{"REQUEST_HEADERS", "?X_Real_IP: 1", "REQUEST_HEADERS: X_real_ip: says whom a request comes from, which the proxy vouches for"},
		{"REQUEST_HEADERS", "X-Forwarded-Prefix: /a", "REQUEST_HEADERS: X-Forwarded-Prefix: says whom a request comes from, which the proxy vouches for"},
		{"REQUEST_HEADERS", "-Forwarded", "REQUEST_HEADERS: Forwarded: says whom a request comes from, which the proxy vouches for"},
		{"REQUEST_HEADERS", "traceparent: 00-{trace_id}-0000000000000001-01", "REQUEST_HEADERS: Traceparent: is trace context, of which each attempt has its own"},
		{"REQUEST_HEADERS", "Via: x", "REQUEST_HEADERS: Via: says which proxies have passed it on"},
		{"REQUEST_HEADERS", "Expect: x", "REQUEST_HEADERS: Expect: is between client, proxy and backend"},
		{"REQUEST_HEADERS", "Content-Length: 1", "REQUEST_HEADERS: Content-Length: says where the content ends"},
		{"REQUEST_HEADERS", "X-Auth-Principal: root", "REQUEST_HEADERS: X-Auth-Principal: is written by the proxy, which vouches for it"},
		{"REQUEST_HEADERS", "A: {di}, TE: x", "REQUEST_HEADERS: A: {di} is unknown here; did you mean {id}?\nREQUEST_HEADERS: Te: is for one connection alone, and never passed on"},
		{"RESPONSE_HEADERS", "Server: x, X-Forwarded-For: 1, Content-Type: text/plain, -X-Powered-By", ""},
		{"RESPONSE_HEADERS", "Transfer-Encoding: chunked", "RESPONSE_HEADERS: Transfer-Encoding: is for one connection alone, and never passed on"},
		{"RESPONSE_HEADERS", "-Via", "RESPONSE_HEADERS: Via: says which proxies have passed it on"},
		{"RESPONSE_HEADERS", "?Strict-Transport-Security: max-age=1", "RESPONSE_HEADERS: Strict-Transport-Security: HSTS says what clients are told"},
		{"RESPONSE_HEADERS", "+A: {rest}", "RESPONSE_HEADERS: A: {rest} is unknown here; known are {id}, {host}, {path}, {query}, {client_ip}, {trace_id}, {request_id}, {route}"},
		{"RESPONSE_HEADERS", "A: }", `RESPONSE_HEADERS="A: }": A: has a } that ends nothing; }} stands for one`},
		{"RESPONSE_HEADERS", "Set-Cookie: s3cret}, A: 1", `RESPONSE_HEADERS="Set-Cookie: ***, A: 1": Set-Cookie: has a } that ends nothing; }} stands for one`},
		{"SECURITY_HEADERS", "yes", `SECURITY_HEADERS="yes": must be on or off`},
		{"REWRITE_RESPONSES", "no", `REWRITE_RESPONSES="no": must be on, always or off`},
	} {
		var cfg variables
		_, _, err := config.Load(&cfg, []string{test.name + "=" + test.text}, func() error {
			return cfg.Check([]string{"/users/{id}"}, []string{"", "X-Auth-Principal"})
		})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s=%s: %s\nwant %s", test.name, test.text, got, test.want)
		}
	}
}

func TestShown(t *testing.T) {
	var cfg Config
	variables, _, err := config.Load(&cfg, []string{"REQUEST_HEADERS=X-Team: a, b\nAuthorization: Bearer s3cret, with, commas\n+X-Api-Key: s3cret, -Cookie"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := variables[0].Shown(), "X-Team: a, b, Authorization: ***, +X-Api-Key: ***, -Cookie"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := cfg.Fields(), []string{"X-Team", "Authorization", "X-Api-Key", "Cookie"}; !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever is read makes no field that HTTP does not have.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{"A: 1, -B, +C: {path}", "A:1,B:2", "?X: {query}\r\n-Y", "A: {{}}, b, c: ", "+,?,-", "A: x,, ,"} {
		f.Add(seed, "v\x00\n")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		var fields Fields
		if fields.UnmarshalText([]byte(text)) != nil {
			return
		}
		r := identified(t, "GET", "/")
		target, known := handler.OutgoingURL(r), facts(map[string]string{"id": value})
		v := known.ValuesOf(r, &target)
		header := http.Header{}
		fields.apply(header, &v)
		for name, values := range header {
			if http.CanonicalHeaderKey(name) != name || strings.ContainsAny(name, " :\r\n") || len(values) == 0 {
				t.Errorf("%q: field %q: %q", text, name, values)
			}
			for _, value := range values {
				if value == "" || strings.ContainsAny(value, "\r\n\x00") {
					t.Errorf("%q: field %q: %q", text, name, value)
				}
			}
		}
		fields.Redacted(text)
	})
}
