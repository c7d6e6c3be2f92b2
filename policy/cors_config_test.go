package policy_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/policy"
)

// corsFaults are the lines of an error.
func corsFaults(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestCORSOrigins(t *testing.T) {
	for text, want := range map[string]policy.CORSOrigins{
		"none": {},
		"*":    {"*"},
		"https://app.example.com, http://a.example:8080": {"https://app.example.com", "http://a.example:8080"},
		"https://*.example.com:8443":                     {"https://*.example.com:8443"},
		"http://127.0.0.1:3000,http://[::1]:3000":        {"http://127.0.0.1:3000", "http://[::1]:3000"},
		"http://localhost,http://*.localhost:3000":       {"http://localhost", "http://*.localhost:3000"},
		"capacitor://localhost,chrome-extension://abc":   {"capacitor://localhost", "chrome-extension://abc"},
		"https://xn--bcher-kva.example,https://a_b.c":    {"https://xn--bcher-kva.example", "https://a_b.c"},
		"https://a.example:80,http://a.example:443":      {"https://a.example:80", "http://a.example:443"},
	} {
		var got policy.CORSOrigins
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestCORSOriginsRefused(t *testing.T) {
	const (
		form    = "must be scheme://host or scheme://host:port, such as https://app.example.com"
		ends    = "an origin ends with its host or port: no slash, path or query"
		port    = "the port must be 1 to 65535, without zeros before it"
		domain  = "the host must be a domain of letters, digits, - and _ (as xn-- when it has others) or an IP address"
		ipv4    = "the host must be a domain or an IPv4 address of four numbers"
		ipv6    = "the host must be an IPv6 address in its shortest form"
		star    = "* can stand alone or for all labels before a domain: https://*.example.com"
		capital = "browsers write origins in lower case"
	)
	for text, want := range map[string]string{
		"":                                                 form,
		"app.example.com":                                  form,
		"https:app.example.com":                            form,
		"https://":                                         form,
		"//app.example.com":                                form,
		"null":                                             "any page can come from the origin null, out of a sandboxed frame",
		"://app.example.com":                               "pages do not come from ://",
		"file://localhost":                                 "pages do not come from file://",
		"wss://app.example.com":                            "pages do not come from wss://",
		"1a://app.example.com":                             "pages do not come from 1a://",
		"ht*tp://app.example.com":                          "pages do not come from ht*tp://",
		"HTTPS://app.example.com":                          capital,
		"https://App.example.com":                          capital,
		"https://app.example.com/":                         ends,
		"https://app.example.com/path":                     ends,
		"https://app.example.com?q":                        ends,
		"https://app.example.com#f":                        ends,
		`https://app.example.com\`:                         ends,
		"https://u@app.example.com":                        "an origin has no user",
		"https://u:p@app.example.com":                      "an origin has no user",
		"https://app.example.com:443":                      "browsers leave out port 443, which is the scheme's own",
		"http://app.example.com:80":                        "browsers leave out port 80, which is the scheme's own",
		"https://app.example.com:":                         port,
		"https://app.example.com:0":                        port,
		"https://app.example.com:0443":                     port,
		"https://app.example.com:65536":                    port,
		"https://app.example.com:+1":                       port,
		"https://app.example.com:*":                        port,
		"https://*.example.com:*":                          port,
		"https://*":                                        star,
		"https://*example.com":                             star,
		"https://a.*.example.com":                          star,
		"https://*.*.example.com":                          star,
		"https://.example.com":                             domain,
		"https://*..example.com":                           domain,
		"https://example.com.":                             domain,
		"https://a..example.com":                           domain,
		"https://bücher.example":                           domain,
		"https://a b.example":                              domain,
		"https://a!b.example":                              domain,
		"https://a:b:1":                                    domain,
		"https://" + strings.Repeat("a", 64) + ".example":  domain,
		"https://" + strings.Repeat("a.", 124) + "example": domain,
		"https://" + strings.Repeat("a.", 300) + "example": "is too long",
		"https://127.1":                                    ipv4,
		"https://1.2.3.256":                                ipv4,
		"https://01.2.3.4":                                 ipv4,
		"https://*.2.3.4":                                  ipv4,
		"https://0x7f000001":                               ipv4,
		"https://[::1":                                     domain,
		"https://::1":                                      domain,
		"https://[0:0:0:0:0:0:0:1]":                        ipv6,
		"https://[::ffff:1.2.3.4]":                         ipv6,
		"https://[fe80::1%eth0]":                           ipv6,
		"https://[1.2.3.4]":                                ipv6,
		"https://*.[::1]":                                  ipv6,
		"https://*.com":                                    "anybody can have a name below com",
		"https://*.co.uk":                                  "anybody can have a name below co.uk",
		"https://*.github.io":                              "anybody can have a name below github.io",
		"https://*.fly.dev":                                "anybody can have a name below fly.dev",
		"https://*.run.app":                                "anybody can have a name below run.app",
		"https://*.internal":                               "anybody can have a name below internal",
	} {
		var got policy.CORSOrigins
		err := got.UnmarshalText([]byte(text))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	var got policy.CORSOrigins
	want := []string{
		`"http://a.example/": ` + ends,
		`"": ` + form,
		"* is every origin and stands alone",
	}
	if diff := cmp.Diff(want, corsFaults(got.UnmarshalText([]byte("http://a.example/,,*")))); diff != "" {
		t.Errorf("several (-want +got):\n%s", diff)
	}
}

func TestCORSNames(t *testing.T) {
	var (
		methods policy.CORSMethods
		headers policy.CORSHeaders
		exposed policy.CORSExposed
	)
	unmarshal(t, &methods, "GET, PURGE,GET,x-MiXeD")
	unmarshal(t, &headers, "X-Custom,Content-Type , x-custom,Range")
	unmarshal(t, &exposed, "X-Total,ETag")
	if diff := cmp.Diff(policy.CORSMethods{"GET", "PURGE", "x-MiXeD"}, methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(policy.CORSHeaders{"x-custom", "content-type", "range"}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(policy.CORSExposed{"x-total", "etag"}, exposed); diff != "" {
		t.Errorf("exposed (-want +got):\n%s", diff)
	}
	unmarshal(t, &headers, "*,Authorization")
	if diff := cmp.Diff(policy.CORSHeaders{"*", "authorization"}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestCORSNamesRefused(t *testing.T) {
	const (
		token   = "must be a name of letters, digits and -"
		request = "browsers do not let pages set this field"
		browser = "is for the browser, not for pages"
	)
	for _, test := range []struct {
		value interface{ UnmarshalText([]byte) error }
		text  string
		want  []string
	}{
		{new(policy.CORSMethods), "GET,,PO ST,GE/T", []string{`"": ` + token, `"PO ST": ` + token, `"GE/T": ` + token}},
		{new(policy.CORSMethods), "CONNECT,trace,Track", []string{
			`"CONNECT": browsers do not let pages use this method`,
			`"trace": browsers do not let pages use this method`,
			`"Track": browsers do not let pages use this method`,
		}},
		{new(policy.CORSMethods), "get,patch", []string{
			`"get": methods tell upper from lower case: write GET`, `"patch": methods tell upper from lower case: write PATCH`,
		}},
		{new(policy.CORSMethods), "*,PUT", []string{"* is all methods and stands alone"}},
		{new(policy.CORSHeaders), "X:Y", []string{`"X:Y": ` + token}},
		{new(policy.CORSHeaders), "Cookie,Host,Sec-Fetch-Mode,Proxy-X,Origin,Access-Control-Allow-Origin", []string{
			`"Cookie": ` + request, `"Host": ` + request, `"Sec-Fetch-Mode": ` + request, `"Proxy-X": ` + request,
			`"Origin": ` + request, `"Access-Control-Allow-Origin": ` + request,
		}},
		{new(policy.CORSHeaders), "*,X-Custom", []string{"* is every field but Authorization, which alone can be beside it"}},
		{new(policy.CORSExposed), "Set-Cookie,set-cookie2", []string{
			`"Set-Cookie": browsers do not let pages read this field`, `"set-cookie2": browsers do not let pages read this field`,
		}},
		{new(policy.CORSExposed), "Access-Control-Allow-Origin,Origin", []string{`"Access-Control-Allow-Origin": ` + browser, `"Origin": ` + browser}},
		{new(policy.CORSExposed), "*,X-Total", []string{"* is all fields and stands alone"}},
	} {
		if diff := cmp.Diff(test.want, corsFaults(test.value.UnmarshalText([]byte(test.text)))); diff != "" {
			t.Errorf("%T %q (-want +got):\n%s", test.value, test.text, diff)
		}
	}
}

func TestCORSConfigCheck(t *testing.T) {
	type cfg = policy.CORSConfig
	defaults := func(origins string, change func(*cfg)) (c cfg) {
		for field, value := range reflect.ValueOf(&c).Elem().Fields() {
			text := field.Tag.Get("envDefault")
			switch value := value.Addr().Interface().(type) {
			case interface{ UnmarshalText([]byte) error }:
				if text != "" {
					unmarshal(t, value, text)
				}
			case *time.Duration:
				*value, _ = time.ParseDuration(text)
			}
		}
		unmarshal(t, &c.Origins, origins)
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		cfg  cfg
		want []string
	}{
		"zero":    {cfg{}, nil},
		"off":     {defaults("none", func(*cfg) {}), nil},
		"a fault": {cfg{MaxAge: time.Hour, AllowCredentials: true, AllowPrivateNetwork: true}, nil},
		"on":      {defaults("http://a.example", func(*cfg) {}), nil},
		"any, *": {defaults("*", func(c *cfg) {
			c.Methods, c.Headers, c.Exposed = policy.CORSMethods{"*"}, policy.CORSHeaders{"*"}, policy.CORSExposed{"*"}
		}), nil},
		"credentials":      {defaults("https://*.a.example,http://localhost:3000,http://*.localhost,http://127.0.0.2,http://[::1]:1,capacitor://localhost", func(c *cfg) { c.AllowCredentials = true }), nil},
		"whole seconds":    {defaults("*", func(c *cfg) { c.MaxAge = 1500 * time.Millisecond }), []string{`CORS_MAX_AGE="1.5s": must be whole seconds, up to 24h`}},
		"a day":            {defaults("*", func(c *cfg) { c.MaxAge = 24 * time.Hour }), nil},
		"more":             {defaults("*", func(c *cfg) { c.MaxAge = 25 * time.Hour }), []string{`CORS_MAX_AGE="25h0m0s": must be whole seconds, up to 24h`}},
		"off, and a fault": {defaults("none", func(c *cfg) { c.Methods, c.Headers, c.MaxAge = nil, nil, 0 }), nil},
		"credentials and *": {
			defaults("*", func(c *cfg) {
				c.Methods, c.Headers, c.Exposed = policy.CORSMethods{"*"}, policy.CORSHeaders{"*"}, policy.CORSExposed{"*"}
				c.AllowCredentials = true
			}),
			[]string{
				`CORS_ALLOWED_ORIGINS="*": not with CORS_ALLOW_CREDENTIALS: any page could act for its visitors; list the origins that may`,
				"CORS_ALLOWED_METHODS: * means nothing to browsers with CORS_ALLOW_CREDENTIALS: list the names",
				"CORS_ALLOWED_HEADERS: * means nothing to browsers with CORS_ALLOW_CREDENTIALS: list the names",
				"CORS_EXPOSED_HEADERS: * means nothing to browsers with CORS_ALLOW_CREDENTIALS: list the names",
			},
		},
		"credentials over http": {
			defaults("http://a.example,https://a.example,http://localhost.example", func(c *cfg) { c.AllowCredentials = true }),
			[]string{
				`CORS_ALLOWED_ORIGINS: "http://a.example": not with CORS_ALLOW_CREDENTIALS: whoever is on the way to a page without TLS can change it; use https`,
				`CORS_ALLOWED_ORIGINS: "http://localhost.example": not with CORS_ALLOW_CREDENTIALS: whoever is on the way to a page without TLS can change it; use https`,
			},
		},
		"private network and *": {
			defaults("*", func(c *cfg) { c.AllowPrivateNetwork = true }),
			[]string{`CORS_ALLOWED_ORIGINS="*": not with CORS_ALLOW_PRIVATE_NETWORK: any page could act for its visitors; list the origins that may`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, corsFaults(config.Named(&test.cfg, test.cfg.Check()))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
