package policy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/field"
	"spangate/policy"
)

func ExampleCORS() {
	var cfg policy.CORSConfig
	cfg.Origins.UnmarshalText([]byte("https://*.example.com"))
	h := policy.CORS(cfg, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))

	preflight := httptest.NewRequest("OPTIONS", "/", nil)
	preflight.Header.Set("Origin", "https://app.example.com")
	preflight.Header.Set("Access-Control-Request-Method", "PUT")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, identified(preflight))
	fmt.Println(w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Printf("%s: %s\n", name, w.Header().Get(name))
	}
	// Output:
	// 204
	// Access-Control-Allow-Headers: content-type
	// Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE
	// Access-Control-Allow-Origin: https://app.example.com
	// Access-Control-Max-Age: 0
	// Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network
}

func TestCORSOff(t *testing.T) {
	for _, cfg := range []policy.CORSConfig{{}, {Origins: policy.CORSOrigins{}, MaxAge: time.Hour}} {
		if policy.CORS(cfg, nil) != nil {
			t.Errorf("%+v: not nil", cfg)
		}
	}
}

const varyPreflight = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"

// The fields on the wire, beside those of the backend, for requests as no
// browser sends them too.
func TestCORSResponses(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	type cfg = policy.CORSConfig
	type header = http.Header
	preflight := func(method, headers string) header {
		return header{"Origin": {a}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {headers}}
	}
	all := func(c *cfg) {
		c.Methods, c.Headers, c.Exposed = policy.CORSMethods{"GET", "PUT"}, policy.CORSHeaders{"x-a", "x-b"}, policy.CORSExposed{"x-c", "x-d"}
		c.AllowCredentials, c.AllowPrivateNetwork, c.MaxAge = true, true, time.Minute
	}
	permitted := header{
		"Access-Control-Allow-Origin": {a}, "Access-Control-Allow-Methods": {"GET,HEAD,POST,PUT,PATCH,DELETE"},
		"Access-Control-Allow-Headers": {"content-type"}, "Access-Control-Max-Age": {"0"}, "Vary": {varyPreflight},
	}
	shared := header{"Access-Control-Allow-Origin": {a}, "Vary": {"Origin", "Accept-Encoding"}}
	withheld := header{"Vary": {"Origin", "Accept-Encoding"}}
	refused := header{"Vary": {varyPreflight}}
	for name, test := range map[string]struct {
		origins string
		change  func(*cfg)
		method  string
		request header
		reason  string // of the refusal; "": 204 to a preflight, else 200
		want    header
	}{
		"no origin":                        {a, nil, "GET", header{}, "", withheld},
		"no origin, any allowed":           {"*", nil, "GET", header{}, "", header{"Access-Control-Allow-Origin": {"*"}, "Vary": {"Accept-Encoding"}}},
		"any allowed":                      {"*", nil, "GET", header{"Origin": {b}}, "", header{"Access-Control-Allow-Origin": {"*"}, "Vary": {"Accept-Encoding"}}},
		"any allowed, and exposed":         {"*", func(c *cfg) { c.Exposed = policy.CORSExposed{"*"} }, "GET", header{}, "", header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {"*"}, "Vary": {"Accept-Encoding"}}},
		"any allowed, method is not":       {"*", nil, "PURGE", header{"Origin": {b}}, "", header{"Vary": {"Accept-Encoding"}}},
		"allowed":                          {a, nil, "GET", header{"Origin": {a}}, "", shared},
		"allowed all":                      {a, all, "GET", header{"Origin": {a}}, "", header{"Access-Control-Allow-Origin": {a}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"x-c,x-d"}, "Vary": {"Origin", "Accept-Encoding"}}},
		"not allowed":                      {a, all, "GET", header{"Origin": {b}}, "", withheld},
		"method not allowed":               {a, all, "POST", header{"Origin": {a}}, "", withheld},
		"two origins":                      {a, nil, "GET", header{"Origin": {a, a}}, "", withheld},
		"two origins in one":               {a, nil, "GET", header{"Origin": {a + ", " + a}}, "", withheld},
		"empty origin":                     {a, nil, "GET", header{"Origin": {""}}, "", withheld},
		"origin with a slash":              {a, nil, "GET", header{"Origin": {a + "/"}}, "", withheld},
		"origin in capitals":               {a, nil, "GET", header{"Origin": {"HTTPS://A.EXAMPLE"}}, "", withheld},
		"huge origin":                      {"https://*.a.example", nil, "GET", header{"Origin": {"https://" + strings.Repeat("a.", 20000) + "a.example"}}, "", withheld},
		"longest origin":                   {"https://*.a.example", nil, "GET", header{"Origin": {"https://" + strings.Repeat("a.", 122) + "a.example"}}, "", withField(shared, "Access-Control-Allow-Origin", "https://"+strings.Repeat("a.", 122)+"a.example")},
		"origin longer than a name can be": {"https://*.a.example", nil, "GET", header{"Origin": {"https://" + strings.Repeat("a.", 123) + "a.example"}}, "", withheld},
		"origin with a user":               {"https://*.a.example", nil, "GET", header{"Origin": {"https://evil.example@x.a.example"}}, "", withheld},
		"origin with a path":               {"https://*.a.example", nil, "GET", header{"Origin": {"https://evil.example/x.a.example"}}, "", withheld},
		"origin with a brace":              {"https://*.a.example", nil, "GET", header{"Origin": {"https://evil.example{.a.example"}}, "", withheld},
		"origin with a port amid":          {"https://*.a.example", nil, "GET", header{"Origin": {"https://evil.example:1.a.example"}}, "", withheld},
		"origin without a label":           {"https://*.a.example", nil, "GET", header{"Origin": {"https://.a.example"}}, "", withheld},
		"origin with an empty label":       {"https://*.a.example", nil, "GET", header{"Origin": {"https://x..a.example"}}, "", withheld},
		"options":                          {a, func(c *cfg) { c.Methods = policy.CORSMethods{"OPTIONS"} }, "OPTIONS", header{"Origin": {a}}, "", shared},
		"options without an origin":        {a, nil, "OPTIONS", header{"Access-Control-Request-Method": {"GET"}}, "", withheld},
		"get with a preflight's field":     {a, nil, "GET", header{"Origin": {a}, "Access-Control-Request-Method": {"GET"}}, "", shared},
		"preflight":                        {a, nil, "OPTIONS", header{"Origin": {a}, "Access-Control-Request-Method": {"PUT"}}, "", permitted},
		"preflight, any allowed":           {"*", nil, "OPTIONS", preflight("PUT", "content-type"), "", withField(permitted, "Access-Control-Allow-Origin", "*")},
		"preflight, all allowed":           {a, all, "OPTIONS", preflight("PUT", "x-a,x-b"), "", header{"Access-Control-Allow-Origin": {a}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Methods": {"GET,PUT"}, "Access-Control-Allow-Headers": {"x-a,x-b"}, "Access-Control-Max-Age": {"60"}, "Vary": {varyPreflight}}},
		"preflight, private network":       {a, all, "OPTIONS", withField(preflight("PUT", ""), "Access-Control-Request-Private-Network", "true"), "", header{"Access-Control-Allow-Origin": {a}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Methods": {"GET,PUT"}, "Access-Control-Allow-Headers": {"x-a,x-b"}, "Access-Control-Allow-Private-Network": {"true"}, "Access-Control-Max-Age": {"60"}, "Vary": {varyPreflight}}},
		"preflight, private network false": {a, nil, "OPTIONS", withField(preflight("PUT", ""), "Access-Control-Request-Private-Network", "false"), "", permitted},
		"headers with spaces":              {a, nil, "OPTIONS", preflight("PUT", " \t content-type\t  "), "", permitted},
		"headers in capitals":              {a, nil, "OPTIONS", preflight("PUT", "Content-Type"), "", permitted},
		"headers with empty elements":      {a, nil, "OPTIONS", preflight("PUT", ",, content-type ,,"), "", permitted},
		"headers unsorted, in lines":       {a, all, "OPTIONS", header{"Origin": {a}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"x-b", "", "X-A"}}, "", header{"Access-Control-Allow-Origin": {a}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Methods": {"GET,PUT"}, "Access-Control-Allow-Headers": {"x-a,x-b"}, "Access-Control-Max-Age": {"60"}, "Vary": {varyPreflight}}},
		"refused, origin":                  {a, nil, "OPTIONS", withField(preflight("PUT", ""), "Origin", b), "origin", refused},
		"refused, null":                    {a, nil, "OPTIONS", withField(preflight("PUT", ""), "Origin", "null"), "origin", refused},
		"refused, no origin in Origin":     {a, nil, "OPTIONS", withField(preflight("PUT", ""), "Origin", ""), "origin", refused},
		"refused, two origins":             {"*", nil, "OPTIONS", withField(preflight("PUT", ""), "Origin", a, a), "malformed", refused},
		"refused, method":                  {a, nil, "OPTIONS", preflight("PURGE", "x-a"), "method", refused},
		"refused, no method":               {a, nil, "OPTIONS", preflight("", ""), "malformed", refused},
		"refused, two methods":             {a, nil, "OPTIONS", withField(preflight("", ""), "Access-Control-Request-Method", "GET", "PUT"), "malformed", refused},
		"refused, two methods in one":      {a, nil, "OPTIONS", preflight("GET, PUT", ""), "malformed", refused},
		"refused, header":                  {a, nil, "OPTIONS", preflight("PUT", "content-type,x-a"), "header", refused},
		"refused, no name":                 {a, nil, "OPTIONS", preflight("PUT", "content-type,x y"), "malformed", refused},
		"refused, no name though any":      {a, func(c *cfg) { c.Headers = policy.CORSHeaders{"*"} }, "OPTIONS", preflight("PUT", "x y"), "malformed", refused},
		"refused, Kelvin for k":            {a, func(c *cfg) { c.Headers = policy.CORSHeaders{"x-k"} }, "OPTIONS", preflight("PUT", "x-\u212a"), "malformed", refused},
		"refused, name too often":          {a, nil, "OPTIONS", preflight("PUT", "content-type,content-type"), "malformed", refused},
		"refused, hundreds of names":       {"*", func(c *cfg) { c.Headers = policy.CORSHeaders{"*"} }, "OPTIONS", preflight("PUT", strings.Repeat("a,", 300)+"a"), "malformed", refused},
		"refused, hundreds of nothings":    {"*", func(c *cfg) { c.Headers = policy.CORSHeaders{"*"} }, "OPTIONS", preflight("PUT", strings.Repeat(",", 300)), "malformed", refused},
		"refused, hundreds of lines":       {"*", nil, "OPTIONS", withField(preflight("PUT", ""), "Access-Control-Request-Headers", make([]string, 300)...), "malformed", refused},
		"refused, long name":               {a, nil, "OPTIONS", preflight("PUT", strings.Repeat("a", 60000)), "header", refused},
		"refused, private network":         {a, nil, "OPTIONS", withField(preflight("PUT", ""), "Access-Control-Request-Private-Network", "true"), "private_network", refused},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCORSGateway(corsConfig(t, test.change, test.origins))
			r := httptest.NewRequest(test.method, "/", nil)
			r.Header = test.request
			response := g.send(r)

			asked := test.method == "OPTIONS" && test.request["Origin"] != nil && test.request["Access-Control-Request-Method"] != nil
			status, reached := http.StatusOK, 1
			if asked {
				status, reached = http.StatusNoContent, 0
				test.want = test.want.Clone()
			} else {
				test.want = withField(withField(test.want, "X-Secret", "1"), "X-Total", "2") // the backend's own
			}
			if test.reason != "" {
				status = http.StatusForbidden
			}
			if response.StatusCode != status || g.reached != reached || g.refused.Reason != test.reason {
				t.Errorf("status %d, %d requests at the backend, reason %q; want %d, %d, %q", response.StatusCode, g.reached, g.refused.Reason, status, reached, test.reason)
			}
			if test.reason != "" && (g.refused.Policy != "cors" || g.refused.Detail == "") {
				t.Errorf("refused with %+v", g.refused)
			}
			if diff := cmp.Diff(test.want, response.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// withField returns h with one field more, or another.
func withField(h http.Header, name string, values ...string) http.Header {
	h = h.Clone()
	h[name] = values
	return h
}

// What is shared by all responses stays as it is when one of them is changed.
func TestCORSSharesNothingThatChanges(t *testing.T) {
	wrap := policy.CORS(corsConfig(t, func(c *policy.CORSConfig) { c.Exposed = policy.CORSExposed{"x-total"} }, "https://a.example"), nil)
	h := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.AnswerOf(r).Apply(w.Header())
		for name := range w.Header() {
			w.Header().Add(name, "more")
		}
	}))
	vary := []string{"Accept", "of another response"}
	send := func() http.Header {
		w := httptest.NewRecorder()
		r := identified(httptest.NewRequest("GET", "/", nil))
		handler.AnswerOf(r).Vary(vary[:1]...)
		r.Header.Set("Origin", "https://a.example")
		h.ServeHTTP(w, r)
		return w.Header()
	}
	first := send()
	if diff := cmp.Diff(first, send()); diff != "" {
		t.Errorf("the next response (-first +next):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Accept", "Origin", "more"}, first["Vary"]); diff != "" {
		t.Errorf("Vary (-want +got):\n%s", diff)
	}
	if vary[1] != "of another response" {
		t.Error("wrote behind the end of Vary")
	}
}

func BenchmarkCORS(b *testing.B) {
	cfg := policy.CORSConfig{
		Headers: policy.CORSHeaders{"content-type", "authorization", "x-request-id"}, MaxAge: time.Hour,
	}
	unmarshal(b, &cfg.Origins, "https://a.example,https://b.example:8443,https://*.c.example,https://*.d.example")
	h := policy.CORS(cfg, refuse)(answering(http.StatusOK))
	preflight := func(origin, headers string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {headers}}
	}
	for _, bench := range []struct {
		name   string
		method string
		header http.Header
	}{
		{"no origin", "GET", http.Header{}},
		{"allowed", "GET", http.Header{"Origin": {"https://a.example"}}},
		{"allowed by asterisk", "GET", http.Header{"Origin": {"https://x.y.d.example"}}},
		{"not allowed", "GET", http.Header{"Origin": {"https://evil.example"}}},
		{"huge origin", "GET", http.Header{"Origin": {"https://" + strings.Repeat("a.", 30000) + "d.example"}}},
		{"preflight", "OPTIONS", preflight("https://a.example", "authorization,content-type")},
		{"preflight refused", "OPTIONS", preflight("https://a.example", "authorization,x-evil")},
		{"preflight of nothings", "OPTIONS", preflight("https://a.example", strings.Repeat(",", 60000))},
		{"preflight of spaces", "OPTIONS", preflight("https://a.example", strings.Repeat(" ", 60000))},
		{"preflight of a long name", "OPTIONS", preflight("https://a.example", strings.Repeat("a", 60000))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := identified(httptest.NewRequest(bench.method, "/", nil))
			r.Header = bench.header
			w := &noResponse{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				*handler.AnswerOf(r) = field.Answer{}
				h.ServeHTTP(w, r)
			}
		})
	}
}

type noResponse struct{ header http.Header }

func (e *noResponse) Header() http.Header         { return e.header }
func (e *noResponse) Write(p []byte) (int, error) { return len(p), nil }
func (e *noResponse) WriteHeader(int)             {}

// No part of a request makes the policy allocate, however large it is.
func TestCORSAllocatesNothing(t *testing.T) {
	cfg := corsConfig(t, func(c *policy.CORSConfig) { c.Headers = policy.CORSHeaders{"content-type", "x-custom"} }, "https://a.example,https://*.b.example")
	h := policy.CORS(cfg, refuse)(answering(http.StatusOK))
	for name, header := range map[string]http.Header{
		"actual":            {"Origin": {"https://x.b.example"}},
		"huge origin":       {"Origin": {"https://" + strings.Repeat("a.", 30000) + "b.example"}},
		"preflight":         {"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"Content-Type, x-custom"}},
		"hundreds of names": {"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {strings.Repeat("x-custom,", 300)}},
		"long name":         {"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {strings.Repeat("a", 60000)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := identified(httptest.NewRequest("OPTIONS", "/", nil))
			r.Header = header
			w := &noResponse{header: http.Header{}}
			h.ServeHTTP(w, r) // lets the map of w grow
			if n := testing.AllocsPerRun(100, func() {
				clear(w.header)
				*handler.AnswerOf(r) = field.Answer{}
				h.ServeHTTP(w, r)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
