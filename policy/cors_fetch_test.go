package policy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/policy"
)

// fetchCall is a page's fetch() of a resource of another origin.
type fetchCall struct {
	origin      string
	method      string            // empty: GET
	header      map[string]string // what the script sets
	credentials bool              // credentials: "include"
}

// fetchAnswer is what the script gets: a response, of whose header it may read some
// fields, or a network error because of a step of the Fetch standard.
type fetchAnswer struct {
	refusedBy string
	status    int
	readable  []string // in lower case, sorted; without those that always are
}

// fetchBrowser does what https://fetch.spec.whatwg.org, as of commit 586cd2a of
// 2026-07-02, has browsers do with a call. Step numbers are those of its
// algorithms.
type fetchBrowser struct {
	send func(*http.Request) *http.Response
}

// fetch is #http-fetch for a request whose mode is "cors".
func (b fetchBrowser) fetch(c fetchCall) fetchAnswer {
	if c.method == "" {
		c.method = http.MethodGet
	}
	unsafe := unsafeNames(c.header)
	safelisted := c.method == "GET" || c.method == "HEAD" || c.method == "POST"
	if !safelisted || len(unsafe) > 0 {
		if step := b.preflight(c, unsafe, safelisted); step != "" {
			return fetchAnswer{refusedBy: step}
		}
	}
	request := httptest.NewRequest(c.method, "/", nil)
	request.Header.Set("Origin", c.origin)
	for name, value := range c.header {
		request.Header.Set(name, value)
	}
	response := b.send(request)
	if step := corsCheck(c, response); step != "" {
		return fetchAnswer{refusedBy: step}
	}
	return fetchAnswer{status: response.StatusCode, readable: exposed(c, response)}
}

// preflight is #cors-preflight-fetch.
func (b fetchBrowser) preflight(c fetchCall, unsafe []string, safelisted bool) (refusedBy string) {
	request := httptest.NewRequest(http.MethodOptions, "/", nil)
	request.Header.Set("Origin", c.origin)
	request.Header.Set("Accept", "*/*")
	request.Header.Set("Access-Control-Request-Method", c.method)
	if len(unsafe) > 0 {
		request.Header.Set("Access-Control-Request-Headers", strings.Join(unsafe, ","))
	}
	response := b.send(request)
	if step := corsCheck(c, response); step != "" {
		return "preflight 7: " + step
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return "preflight 7: not an ok status"
	}
	methods, names := listOf(response, "Access-Control-Allow-Methods"), listOf(response, "Access-Control-Allow-Headers")
	if !slices.Contains(methods, c.method) && !safelisted && (c.credentials || !slices.Contains(methods, "*")) {
		return "preflight 7.5: method"
	}
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for name := range c.header {
		if strings.EqualFold(name, "Authorization") && !has(name) {
			return "preflight 7.6: authorization"
		}
	}
	for _, name := range unsafe {
		if !has(name) && (c.credentials || !slices.Contains(names, "*")) {
			return "preflight 7.7: header"
		}
	}
	return ""
}

// corsCheck is #cors-check.
func corsCheck(c fetchCall, response *http.Response) (refusedBy string) {
	origin := response.Header["Access-Control-Allow-Origin"]
	switch get := strings.Join(origin, ", "); {
	case len(origin) == 0:
		return "check 2: no origin"
	case !c.credentials && get == "*":
		return ""
	case get != c.origin:
		return "check 4: other origin"
	case c.credentials && strings.Join(response.Header["Access-Control-Allow-Credentials"], ", ") != "true":
		return "check 8: credentials"
	}
	return ""
}

// unsafeNames are the #cors-unsafe-request-header-names of a header with
// values that are short and made of harmless bytes.
func unsafeNames(header map[string]string) (names []string) {
	for name, value := range header {
		switch name = strings.ToLower(name); name {
		case "accept", "accept-language", "content-language":
			continue
		case "content-type":
			if essence, _, _ := strings.Cut(value, ";"); essence == "text/plain" || essence == "multipart/form-data" || essence == "application/x-www-form-urlencoded" {
				continue
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// exposed are the names that #main-fetch lets a script read,
// without the CORS-safelisted ones.
func exposed(c fetchCall, response *http.Response) []string {
	names := listOf(response, "Access-Control-Expose-Headers")
	if !c.credentials && slices.Contains(names, "*") {
		names = slices.Collect(maps.Keys(response.Header))
	}
	var readable []string
	for _, name := range names {
		switch name := strings.ToLower(name); name {
		case "set-cookie", "set-cookie2", "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma":
		default:
			if response.Header.Get(name) != "" {
				readable = append(readable, name)
			}
		}
	}
	slices.Sort(readable)
	return slices.Compact(readable)
}

func listOf(response *http.Response, name string) (values []string) {
	for _, line := range response.Header[name] {
		for value := range strings.SplitSeq(line, ",") {
			values = append(values, textproto.TrimString(value))
		}
	}
	return values
}

// corsGateway is a policy before a backend that has a CORS policy of its own, which
// allows everybody everything.
type corsGateway struct {
	http.Handler
	reached int           // requests that came to the backend
	refused fault.Refusal // the last
}

func newCORSGateway(cfg policy.CORSConfig) *corsGateway {
	g := &corsGateway{}
	note := func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		g.refused = why
		refuse(w, r, why)
	}
	g.Handler = policy.CORS(cfg, note)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.reached++
		maps.Copy(w.Header(), http.Header{
			"Access-Control-Allow-Origin":      {r.Header.Get("Origin")},
			"Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Allow-Methods":     {"DELETE"},
			"Access-Control-Allow-Headers":     {"x-backend"},
			"Access-Control-Max-Age":           {"99"},
			"Access-Control-Expose-Headers":    {"X-Secret"},
			"X-Secret":                         {"1"},
			"X-Total":                          {"2"},
			"Vary":                             {"Accept-Encoding"},
		})
		handler.AnswerOf(r).Apply(w.Header())
		w.WriteHeader(http.StatusOK)
	}))
	return g
}

func (g *corsGateway) send(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, identified(r))
	response := w.Result()
	maps.DeleteFunc(response.Header, func(_ string, values []string) bool { return len(values) == 0 })
	return response
}

// corsConfig is a configuration as the environment would give it.
func corsConfig(t testing.TB, change func(*policy.CORSConfig), origins string) policy.CORSConfig {
	t.Helper()
	var cfg policy.CORSConfig
	unmarshal(t, &cfg.Origins, origins)
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func unmarshal(t testing.TB, value interface{ UnmarshalText([]byte) error }, text string) {
	t.Helper()
	if err := value.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// What the Fetch standard has a browser do with the answers of the policy.
func TestCORSInBrowser(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	json := map[string]string{"Content-Type": "application/json"}
	custom := map[string]string{"X-Custom": "1"}
	bearer := map[string]string{"Authorization": "Bearer x"}
	type cfg = policy.CORSConfig
	credentials := func(c *cfg) { c.AllowCredentials = true }
	everything := func(c *cfg) {
		c.Methods, c.Headers, c.Exposed = policy.CORSMethods{"*"}, policy.CORSHeaders{"*"}, policy.CORSExposed{"*"}
	}
	shown := fetchAnswer{status: http.StatusOK}
	for name, test := range map[string]struct {
		origins string
		change  func(*cfg)
		call    fetchCall
		want    fetchAnswer
		reached int
	}{
		"check 2: origin not allowed":                         {a, nil, fetchCall{origin: b}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: null is no origin":                          {a, nil, fetchCall{origin: "null"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: other scheme":                               {a, nil, fetchCall{origin: "http://a.example"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: other port":                                 {a, nil, fetchCall{origin: a + ":8443"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: name before a domain that is not *":         {a, nil, fetchCall{origin: "https://x.a.example"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: name that ends as an allowed one":           {a, nil, fetchCall{origin: "https://evil-a.example"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: name that begins as an allowed one":         {a, nil, fetchCall{origin: a + ".evil.example"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: method not allowed":                         {a, func(c *cfg) { c.Methods = policy.CORSMethods{"GET"} }, fetchCall{origin: a, method: "POST"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 3: any origin":                                 {"*", nil, fetchCall{origin: b}, shown, 1},
		"check 3: any origin, null too":                       {"*", nil, fetchCall{origin: "null"}, shown, 1},
		"check 5: the origin":                                 {a, nil, fetchCall{origin: a}, shown, 1},
		"check 5: one of several":                             {a + "," + b, nil, fetchCall{origin: b}, shown, 1},
		"check 5: with a port":                                {a + ":8443", nil, fetchCall{origin: a + ":8443"}, shown, 1},
		"check 5: below a domain":                             {"https://*.a.example", nil, fetchCall{origin: "https://x.a.example"}, shown, 1},
		"check 5: far below a domain":                         {"https://*.a.example", nil, fetchCall{origin: "https://z.y.x.a.example"}, shown, 1},
		"check 2: the domain is not below itself":             {"https://*.a.example", nil, fetchCall{origin: a}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: below a domain on another port":             {"https://*.a.example", nil, fetchCall{origin: "https://x.a.example:8443"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 2: ends as one below a domain":                 {"https://*.a.example", nil, fetchCall{origin: "https://x-a.example"}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"check 4: any origin is no answer to credentials":     {"*", nil, fetchCall{origin: a, credentials: true}, fetchAnswer{refusedBy: "check 4: other origin"}, 1},
		"check 7: credentials":                                {a, credentials, fetchCall{origin: a, credentials: true}, shown, 1},
		"check 7: credentials below a domain":                 {"https://*.a.example", credentials, fetchCall{origin: "https://x.a.example", credentials: true}, shown, 1},
		"check 8: credentials not allowed":                    {a, nil, fetchCall{origin: a, credentials: true}, fetchAnswer{refusedBy: "check 8: credentials"}, 1},
		"check 2: credentials from elsewhere":                 {a, credentials, fetchCall{origin: b, credentials: true}, fetchAnswer{refusedBy: "check 2: no origin"}, 1},
		"preflight 7: origin not allowed":                     {a, nil, fetchCall{origin: b, method: "PUT"}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7: credentials not allowed":                {a, nil, fetchCall{origin: a, method: "PUT", credentials: true}, fetchAnswer{refusedBy: "preflight 7: check 8: credentials"}, 0},
		"preflight 7: any origin is no answer to credentials": {"*", nil, fetchCall{origin: a, method: "PUT", credentials: true}, fetchAnswer{refusedBy: "preflight 7: check 4: other origin"}, 0},
		"preflight 7.5: method in the default list":           {a, nil, fetchCall{origin: a, method: "PUT"}, shown, 1},
		"preflight 7.5: method not in the list":               {a, nil, fetchCall{origin: a, method: "PURGE"}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7.5: method in another case":               {a, nil, fetchCall{origin: a, method: "patch"}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7.5: any method":                           {a, everything, fetchCall{origin: a, method: "PURGE"}, fetchAnswer{status: 200, readable: []string{"access-control-allow-origin", "access-control-expose-headers", "vary", "x-secret", "x-total"}}, 1},
		"preflight 7.5: method with credentials":              {a, credentials, fetchCall{origin: a, method: "PUT", credentials: true}, shown, 1},
		"preflight 7.5: safelisted but not listed":            {a, func(c *cfg) { c.Methods = policy.CORSMethods{"GET"} }, fetchCall{origin: a, method: "POST", header: json}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7.7: JSON by default":                      {a, nil, fetchCall{origin: a, method: "POST", header: json}, shown, 1},
		"preflight 7.7: header not in the list":               {a, nil, fetchCall{origin: a, header: custom}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7.7: header in the list":                   {a, func(c *cfg) { c.Headers = policy.CORSHeaders{"x-custom"} }, fetchCall{origin: a, header: custom}, shown, 1},
		"preflight 7.7: any header":                           {a, everything, fetchCall{origin: a, header: custom}, fetchAnswer{status: 200, readable: []string{"access-control-allow-origin", "access-control-expose-headers", "vary", "x-secret", "x-total"}}, 1},
		"preflight 7.7: header with credentials":              {a, func(c *cfg) { c.Headers, c.AllowCredentials = policy.CORSHeaders{"x-custom"}, true }, fetchCall{origin: a, header: custom, credentials: true}, shown, 1},
		"preflight 7.6: Authorization is not any header":      {a, everything, fetchCall{origin: a, header: bearer}, fetchAnswer{refusedBy: "preflight 7: check 2: no origin"}, 0},
		"preflight 7.6: any header and Authorization":         {a, func(c *cfg) { c.Headers = policy.CORSHeaders{"*", "authorization"} }, fetchCall{origin: a, header: map[string]string{"Authorization": "x", "X-Custom": "1"}}, shown, 1},
		"preflight 7.6: Authorization in the list":            {a, func(c *cfg) { c.Headers = policy.CORSHeaders{"authorization"} }, fetchCall{origin: a, header: bearer}, shown, 1},
		"no preflight for a simple request":                   {a, nil, fetchCall{origin: a, method: "POST", header: map[string]string{"Content-Type": "text/plain"}}, shown, 1},
		"main fetch: exposed":                                 {a, func(c *cfg) { c.Exposed = policy.CORSExposed{"x-total"} }, fetchCall{origin: a}, fetchAnswer{status: 200, readable: []string{"x-total"}}, 1},
		"main fetch: not what the backend exposes":            {a, nil, fetchCall{origin: a}, shown, 1},
		"main fetch: exposed with credentials":                {a, func(c *cfg) { c.Exposed, c.AllowCredentials = policy.CORSExposed{"x-total"}, true }, fetchCall{origin: a, credentials: true}, fetchAnswer{status: 200, readable: []string{"x-total"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := newCORSGateway(corsConfig(t, test.change, test.origins))
			got := fetchBrowser{g.send}.fetch(test.call)
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if g.reached != test.reached {
				t.Errorf("%d requests came to the backend, want %d", g.reached, test.reached)
			}
		})
	}
}

// What the policy permits, the browser does not refuse for a reason that the
// policy could have known, so that its telemetry tells the truth; and the other
// way round nothing comes to a page that was not configured.
func TestCORSAgreesWithBrowser(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	for _, origins := range []string{"*", a, "https://*.x.example," + a} {
		for _, methods := range []policy.CORSMethods{{"*"}, {"GET"}, {"PUT", "POST"}} {
			for _, headers := range []policy.CORSHeaders{{"*"}, {"*", "authorization"}, {"x-custom"}, {"authorization", "content-type"}} {
				for _, credentials := range []bool{false, true} {
					cfg := policy.CORSConfig{Methods: methods, Headers: headers, AllowCredentials: credentials}
					unmarshal(t, &cfg.Origins, origins)
					if cfg.Check() != nil {
						continue
					}
					g := newCORSGateway(cfg)
					for _, origin := range []string{a, b} {
						for _, method := range []string{"GET", "POST", "PUT", "put", "PURGE"} {
							for _, header := range []map[string]string{{}, {"X-Custom": "1"}, {"Authorization": "x"}, {"Authorization": "x", "X-Custom": "1"}} {
								c := fetchCall{origin: origin, method: method, header: header, credentials: credentials}
								g.refused, g.reached = fault.Refusal{}, 0
								got := fetchBrowser{g.send}.fetch(c)
								permitted := g.refused == fault.Refusal{}
								simple := (method == "GET" || method == "POST") && len(header) == 0
								if !simple && permitted != (got.refusedBy == "") {
									t.Errorf("%+v, %+v: %+v, policy says %+v", cfg, c, got, g.refused)
								}
								configured := (origins == "*" || origin == a) && (methods[0] == "*" || slices.Contains(methods, method))
								if got.refusedBy == "" && !configured {
									t.Errorf("%+v, %+v: shown", cfg, c)
								}
							}
						}
					}
				}
			}
		}
	}
}
