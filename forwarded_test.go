package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsBelieved has a peer say where requests come from, in one dialect or
// in both. Whatever is believed of it, everybody is told the same: the backend in
// either dialect, span, log and cookie.
func TestWhatIsBelieved(t *testing.T) {
	t.Parallel()
	const (
		stranger  = "TRUSTED_PROXIES=10.0.0.0/8"
		byRFC7239 = "CLIENT_IP_HEADER=Forwarded"
		byAddress = "CLIENT_IP_HEADER=Fly-Client-IP"
	)
	// told is what everybody is told: X-Forwarded-For, Forwarded, and then the
	// client, the scheme and the host.
	told := func(list, forwarded, client, scheme, host string) string {
		hop := `;host="` + host + `";proto=` + scheme
		return "X-Forwarded-For: " + list + "\nForwarded: " + strings.ReplaceAll(forwarded, "~", hop) + "\n" + client + " " + scheme + " " + host + "\n"
	}
	alone := func(scheme string) string { return told("127.0.0.1", "for=127.0.0.1~", "127.0.0.1", scheme, "a.test") }
	// of is what is told of a client that a trusted peer names.
	of := func(scheme, host string) string {
		return told("203.0.113.9, 127.0.0.1", "for=203.0.113.9~, for=127.0.0.1~", "203.0.113.9", scheme, host)
	}
	for name, test := range map[string]struct {
		environ []string // the peer is trusted, and names clients in X-Forwarded-For, unless it says otherwise
		fields  []string
		want    string
	}{
		"nothing":                                                     {nil, nil, alone("http")},
		"only X-Forwarded-Proto":                                      {nil, []string{"X-Forwarded-Proto: https"}, alone("https")},
		"what cloud load balancers say":                               {nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443"}, of("https", "a.test")},
		"only the scheme, in Forwarded":                               {nil, []string{"Forwarded: proto=https"}, told("unknown, 127.0.0.1", "proto=https, for=127.0.0.1~", "127.0.0.1", "https", "a.test")},
		"only Forwarded":                                              {nil, []string{"Forwarded: for=203.0.113.9;proto=https"}, told("203.0.113.9, 127.0.0.1", "for=203.0.113.9;proto=https, for=127.0.0.1~", "203.0.113.9", "https", "a.test")},
		"only Forwarded, with a host":                                 {nil, []string{`Forwarded: For="203.0.113.9:80";Proto=HTTPS;host="outer.test:444"`}, told("203.0.113.9, 127.0.0.1", `For="203.0.113.9:80";Proto=HTTPS;host="outer.test:444", for=127.0.0.1~`, "203.0.113.9", "https", "outer.test:444")},
		"only Forwarded, where it is expected":                        {[]string{byRFC7239}, []string{"Forwarded: for=203.0.113.9;proto=https"}, told("203.0.113.9, 127.0.0.1", "for=203.0.113.9;proto=https, for=127.0.0.1~", "203.0.113.9", "https", "a.test")},
		"only X-Forwarded, where Forwarded is":                        {[]string{byRFC7239}, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, of("https", "a.test")},
		"only the scheme, where Forwarded is":                         {[]string{byRFC7239}, []string{"X-Forwarded-Proto: https"}, alone("https")},
		"both, of one mind":                                           {nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Forwarded: for=203.0.113.9;by=_lb;proto=https"}, told("203.0.113.9, 127.0.0.1", "for=203.0.113.9;by=_lb;proto=https, for=127.0.0.1~", "203.0.113.9", "https", "a.test")},
		"both, not of one mind":                                       {nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http", "Forwarded: for=6.6.6.6;proto=https;host=evil.test"}, of("http", "a.test")},
		"about the scheme alone":                                      {nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Forwarded: for=203.0.113.9;proto=http"}, of("https", "a.test")},
		"about the host alone":                                        {nil, []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9;host=evil.test"}, of("http", "a.test")},
		"both, where Forwarded is expected":                           {[]string{byRFC7239}, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.test", "Forwarded: for=203.0.113.9;proto=https"}, told("203.0.113.9, 127.0.0.1", "for=203.0.113.9;proto=https, for=127.0.0.1~", "203.0.113.9", "https", "a.test")},
		"a client's Forwarded behind a load balancer that knows none": {nil, []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: proto=https"}, of("http", "a.test")},
		"one address":                                                 {[]string{byAddress}, []string{"Fly-Client-IP: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-For: 6.6.6.6, 10.0.0.1"}, of("https", "a.test")},
		"one address, of one mind":                                    {[]string{byAddress}, []string{"Fly-Client-IP: 203.0.113.9", "X-Forwarded-For: 6.6.6.6, 203.0.113.9"}, told("6.6.6.6, 203.0.113.9, 127.0.0.1", "for=203.0.113.9~, for=127.0.0.1~", "203.0.113.9", "http", "a.test")},
		"one address that did not come":                               {[]string{byAddress}, []string{"X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"}, alone("http")},
		"one address, scheme in the other":                            {[]string{byAddress}, []string{"Fly-Client-IP: 203.0.113.9", "Forwarded: for=_lb;proto=https"}, of("https", "a.test")},

		"a list of schemes":            {nil, []string{"X-Forwarded-Proto: https,http"}, alone("http")},
		"in two lines":                 {nil, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, alone("http")},
		"with empty elements":          {nil, []string{"X-Forwarded-Proto: , https ,, http"}, alone("http")},
		"in capital letters":           {nil, []string{"X-Forwarded-Proto: HTTPS"}, alone("https")},
		"of a WebSocket over TLS":      {nil, []string{"X-Forwarded-Proto: wss"}, alone("https")},
		"of a WebSocket":               {nil, []string{"X-Forwarded-Proto: ws"}, alone("http")},
		"a scheme that is none":        {nil, []string{"X-Forwarded-Proto: ftp"}, alone("http")},
		"an empty one":                 {nil, []string{"X-Forwarded-Proto: "}, alone("http")},
		"other ways to say it":         {nil, []string{"X-Forwarded-Ssl: on", "Front-End-Https: on", "X-Forwarded-Scheme: https", "X-Url-Scheme: https"}, alone("http")},
		"a list of hosts":              {nil, []string{"X-Forwarded-Host: , outer.test, inner.test"}, told("127.0.0.1", "for=127.0.0.1~", "127.0.0.1", "http", "inner.test")},
		"a host that is none":          {nil, []string{`X-Forwarded-Host: a"b`}, alone("http")},
		"an address in empty ones":     {nil, []string{"X-Forwarded-For: , 10.0.0.5"}, told("10.0.0.5, 127.0.0.1", "for=10.0.0.5~, for=127.0.0.1~", "10.0.0.5", "http", "a.test")},
		"addresses among empty ones":   {nil, []string{"X-Forwarded-For: 203.0.113.9,, 127.0.0.5 ,", "X-Forwarded-For: ,"}, told("203.0.113.9,, 127.0.0.5, 127.0.0.1", "for=203.0.113.9~, for=127.0.0.5~, for=127.0.0.1~", "203.0.113.9", "http", "a.test")},
		"elements among empty ones":    {nil, []string{"Forwarded: , for=203.0.113.9 ,, for=127.0.0.5,"}, told("203.0.113.9, 127.0.0.5, 127.0.0.1", "for=203.0.113.9 ,, for=127.0.0.5, for=127.0.0.1~", "203.0.113.9", "http", "a.test")},
		"empty elements alone":         {nil, []string{"X-Forwarded-For: ,", "X-Forwarded-Proto: https"}, told("unknown, 127.0.0.1", "for=unknown~, for=127.0.0.1~", "127.0.0.1", "https", "a.test")},
		"empty elements alone, by RFC": {nil, []string{"Forwarded: ,"}, told("unknown, 127.0.0.1", "for=unknown~, for=127.0.0.1~", "127.0.0.1", "http", "a.test")},
		"an IPv6 address":              {nil, []string{"X-Forwarded-For: 2001:db8::9"}, told("2001:db8::9, 127.0.0.1", `for="[2001:db8::9]"~, for=127.0.0.1~`, "2001:db8::9", "http", "a.test")},
		"an IPv6 address, by RFC":      {nil, []string{`Forwarded: for="[2001:db8::9]:80"`}, told("2001:db8::9, 127.0.0.1", `for="[2001:db8::9]:80", for=127.0.0.1~`, "2001:db8::9", "http", "a.test")},
		"a client that is hidden":      {nil, []string{"X-Forwarded-For: unknown, 127.0.0.5"}, told("unknown, 127.0.0.5, 127.0.0.1", "for=unknown~, for=127.0.0.5~, for=127.0.0.1~", "127.0.0.5", "http", "a.test")},
		"and is hidden by RFC":         {nil, []string{"Forwarded: for=_secret;proto=https"}, told("unknown, 127.0.0.1", "for=_secret;proto=https, for=127.0.0.1~", "127.0.0.1", "https", "a.test")},
		"a stranger":                   {[]string{stranger}, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "Forwarded: for=6.6.6.6;proto=https", "Front-End-Https: on"}, alone("http")},
		"a stranger, in one dialect":   {[]string{stranger, byRFC7239}, []string{"X-Forwarded-Proto: https"}, alone("http")},
		"what the stranger wrote left": {nil, []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https"}, told("6.6.6.6, 203.0.113.9, 127.0.0.1", "for=203.0.113.9~, for=127.0.0.1~", "203.0.113.9", "https", "a.test")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, received := receiving(t)
			p := start(t, append([]string{"BACKENDS=" + backend, "PROBE_MODE=off", "BALANCER_STICKY_COOKIE=s", "TRUSTED_PROXIES=127.0.0.0/8"}, test.environ...)...)
			check := func(protocol string, setCookie []string) {
				t.Helper()
				h := <-received
				scheme, host := strings.Join(h["X-Forwarded-Proto"], " | "), strings.Join(h["X-Forwarded-Host"], " | ")
				lines := strings.SplitAfterN(test.want, "\n", 3)
				want := fmt.Sprint(lines[0], lines[1])
				got := fmt.Sprintf("X-Forwarded-For: %s\nForwarded: %s\n", strings.Join(h["X-Forwarded-For"], " | "), strings.Join(h["Forwarded"], " | "))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: the backend is told (-want +got):\n%s", protocol, diff)
				}
				if want := strings.SplitN(strings.TrimSpace(lines[2]), " ", 2)[1]; scheme+" "+host != want {
					t.Errorf("%s: X-Forwarded-Proto and -Host are %s %s, want %s", protocol, scheme, host, want)
				}
				if secure := strings.Contains(strings.Join(setCookie, ""), "; Secure"); len(setCookie) != 1 || secure != (scheme == "https") {
					t.Errorf("%s: the cookie is %q, the scheme %s", protocol, setCookie, scheme)
				}
			}
			var text strings.Builder
			text.WriteString("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n")
			r := p.newRequest(t.Context(), "GET", "/", nil)
			r.Host = "a.test"
			for _, field := range test.fields {
				text.WriteString(field + "\r\n")
				name, value, _ := strings.Cut(field, ": ")
				r.Header.Add(name, value)
			}
			var cookies []string
			for line := range strings.Lines(sendRaw(t, p.addr, text.String()+"\r\n")) {
				if cookie, ok := strings.CutPrefix(line, "Set-Cookie: "); ok {
					cookies = append(cookies, cookie)
				}
			}
			check("HTTP/1.1", cookies)
			transport := h2cTransport(t)
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			transport.CloseIdleConnections()
			check("h2c", resp.Header["Set-Cookie"])

			p.stop()
			want := strings.SplitAfterN(test.want, "\n", 3)[2]
			logged := map[any]string{}
			for _, line := range p.log.requests(t) {
				logged[line["span_id"]] = fmt.Sprint(line["client"], " ", line["host"])
			}
			spans := p.spans("SERVER")
			for _, span := range spans {
				client, scheme, host := span.Attributes["client.address"], span.Attributes["url.scheme"], fmt.Sprint(span.Attributes["server.address"])
				if port := fmt.Sprint(span.Attributes["server.port"]); port != "80" && port != "443" {
					host += ":" + port
				}
				if got := fmt.Sprintln(client, scheme, host); got != want {
					t.Errorf("a span says %s, want %s", got, want)
				}
				if got, want := logged[span.SpanID], fmt.Sprint(client, " ", host); got != want {
					t.Errorf("the log says %s, want %s", got, want)
				}
			}
			if len(spans) != 2 {
				t.Errorf("%d spans, want 2", len(spans))
			}
		})
	}
}

// TestEmptyElements sends lists with elements that are empty, which are none (RFC
// 9110 §5.6.1.2), in each field whose list is read. The addresses and schemes are
// in [TestWhatIsBelieved].
func TestEmptyElements(t *testing.T) {
	t.Parallel()
	backend, received := receiving(t)
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.1", "CORS_ALLOWED_ORIGINS=https://app.test", "CORS_ALLOWED_HEADERS=X-A,X-B")
	ask := func(fields string) http.Header {
		t.Helper()
		admitted(t, p.addr, "GET / HTTP/1.1\r\nHost: a.test\r\n"+fields+"\r\n")
		return <-received
	}
	if got := ask("Connection: ,close,, x-hop,\r\nX-Hop: 1\r\n"); got["X-Hop"] != nil {
		t.Error("Connection: X-Hop passes")
	}
	if got := ask("Connection: close,, TE\r\nTE: , trailers,\r\n"); got.Get("Te") != "trailers" {
		t.Errorf("TE is %q", got["Te"])
	}
	const parent = "traceparent: " + callersParent + "-01\r\n"
	if got := ask("Connection: close\r\n" + parent + "tracestate: , a=1, ,b=2,\r\ntracestate:\r\n"); !strings.HasSuffix(got.Get("Tracestate"), "a=1,b=2") {
		t.Errorf("tracestate is %q", got["Tracestate"])
	}
	if got := ask("Connection: close\r\nBaggage: , a=1,, b=2,\r\n" + parent); !strings.Contains(got.Get("Baggage"), "a=1") || !strings.Contains(got.Get("Baggage"), "b=2") {
		t.Errorf("baggage is %q", got["Baggage"])
	}
	if got := ask("Connection: close\r\nVia: , 1.1 a,\r\n"); got.Get("Via") != "1.1 a, 1.1 spangate" {
		t.Errorf("Via is %q", got["Via"])
	}
	preflight := preflightOf("PUT")
	preflight.header = append(preflight.header, "Access-Control-Request-Headers: ,x-a,, X-B ,")
	if got := first(p.knock(t, preflight)); !strings.HasPrefix(got, "204\n") {
		t.Errorf("the preflight is answered %s", got)
	}
}

// TestPrincipalInAForwardedField has backends told who was let in by a field that
// strangers may not write: the proxy may.
func TestPrincipalInAForwardedField(t *testing.T) {
	t.Parallel()
	url, came := headerBackend(t, "x-forwarded-u")
	p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "AUTH_API_KEYS=ci:"+apiKey, "AUTH_PRINCIPAL_HEADER=X-Forwarded-User", "AUTH_EXEMPT_PATHS=/open")
	forged := []string{"X-Api-Key: " + apiKey, "X-Forwarded-User: root", "X_Forwarded_User: root"}
	for target, want := range map[string]string{"/": "X-Forwarded-User=ci ", "/open": ""} {
		if got := first(p.knock(t, knock{method: "GET", target: target, header: forged})); !strings.HasPrefix(got, "200\n") {
			t.Fatalf("%s answered %s", target, got)
		}
		if got := <-came; got != want {
			t.Errorf("of %s the backend gets %q, want %q", target, got, want)
		}
	}
}

// TestStatusOfNamedClients has a trusted peer name its client in each of the fields
// in which some proxy does. Who is not of this house sees no status, whichever
// field is believed elsewhere.
func TestStatusOfNamedClients(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8")
	for _, name := range []string{
		"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Fly-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
		"Client-Ip", "WL-Proxy-Client-Ip", "X-Original-Forwarded-For", "X-Remote-Addr", "X-Remote-Ip", "X-Originating-Ip", "X-Envoy-External-Address",
		"X-Azure-ClientIp", "X-Azure-SocketIp", "X-Appengine-User-Ip", "Cf-Connecting-Ipv6", "CloudFront-Viewer-Address",
	} {
		before := ""
		if name == "Forwarded" {
			before = "for="
		}
		for address, want := range map[string]string{"203.0.113.9": "404", "127.0.0.9": "200", "unknown": "404", "": "404"} {
			if address != "" {
				address = before + address
			}
			for _, spelling := range []string{name, strings.ToLower(name)} {
				answer := sendRaw(t, p.addr, "GET /.spangate/status HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n"+spelling+": "+address+"\r\n\r\n")
				if !strings.HasPrefix(answer, "HTTP/1.1 "+want+" ") {
					t.Errorf("%s: %s: answered %.40q, want %s", spelling, address, answer, want)
				}
			}
		}
	}
}
