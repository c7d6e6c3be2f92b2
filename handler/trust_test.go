package handler_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/wire/wiretest"
)

// trusting returns an origin whose trusted peers name clients in header.
func trusting(t testing.TB, trusted, header string) (o handler.Origin) {
	t.Helper()
	if err := o.Trusted.UnmarshalText([]byte(trusted)); err != nil {
		t.Fatal(err)
	}
	if header != "" {
		if err := o.Header.UnmarshalText([]byte(header)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func ExampleOrigin() {
	o := handler.Origin{Trusted: config.CIDRsOf(netip.MustParsePrefix("10.0.0.0/8"))}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.0.0.2")
	r.RemoteAddr = "10.0.0.1:1234"
	fmt.Println(o.Client(r).Addr)
	r.RemoteAddr = "198.51.100.1:1234"
	fmt.Println(o.Client(r).Addr)
	// Output:
	// 203.0.113.9
	// 198.51.100.1
}

func TestOriginAddr(t *testing.T) {
	const hidden = "hidden" // an address that is only the last hop that is known
	tests := []struct {
		name, peer, trusted, header string
		lines                       []string
		want, known                 string
	}{
		{name: "nobody trusted", peer: "10.0.0.1:1", trusted: "none", lines: []string{"1.2.3.4"}, want: "10.0.0.1"},
		{name: "peer not trusted", peer: "192.0.2.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4"}, want: "192.0.2.1"},
		{name: "peer trusted", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4"}, want: "1.2.3.4"},
		{name: "rightmost untrusted", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, want: "1.2.3.4"},
		{name: "all trusted", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"10.0.0.3,10.0.0.2"}, want: "10.0.0.3"},
		{name: "everybody trusted", peer: "10.0.0.1:1", trusted: "all", lines: []string{"6.6.6.6", "1.2.3.4"}, want: "6.6.6.6"},
		{name: "no header", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", want: "10.0.0.1"},
		{name: "an empty header", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{""}, want: "10.0.0.1", known: hidden},
		{name: "several lines", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, 1.2.3.4", "10.0.0.3,10.0.0.2"}, want: "1.2.3.4"},
		{name: "the first line begins in nonsense", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{`"`, "1.2.3.4"}, want: "1.2.3.4"},
		{name: "nonsense ends it", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, nonsense, 10.0.0.2"}, want: "10.0.0.2", known: hidden},
		{name: "unknown ends it", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, unknown"}, want: "10.0.0.1", known: hidden},
		{name: "a hidden one ends it", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, _secret, 10.0.0.2"}, want: "10.0.0.2", known: hidden},
		{name: "an empty one is none", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, , 10.0.0.2"}, want: "6.6.6.6"},
		{name: "empty ones before and behind", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{", 1.2.3.4,, 10.0.0.5, ,", ","}, want: "1.2.3.4"},
		{name: "none but empty ones", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{", ,", ""}, want: "10.0.0.1", known: hidden},
		{name: "a socket ends it", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, unix:"}, want: "10.0.0.1", known: hidden},
		{name: "white space", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"\t 1.2.3.4 \t,\t10.0.0.2\t "}, want: "1.2.3.4"},
		{name: "port", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4:5678"}, want: "1.2.3.4"},
		{name: "a port that is none", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4:http"}, want: "10.0.0.1", known: hidden},
		{name: "IPv6", peer: "[::1]:1", trusted: "::1", lines: []string{"2001:db8::1"}, want: "2001:db8::1"},
		{name: "IPv6 in brackets", peer: "[::1]:1", trusted: "::1", lines: []string{"[2001:db8::1]"}, want: "2001:db8::1"},
		{name: "IPv6 with a port", peer: "[::1]:1", trusted: "::1", lines: []string{"[2001:db8::1]:443"}, want: "2001:db8::1"},
		{name: "IPv6 with a zone", peer: "[::1]:1", trusted: "::1", lines: []string{"fe80::1%eth0"}, want: "fe80::1"},
		{name: "a peer with a zone", peer: "[fe80::1%eth0]:1", trusted: "fe80::/10", lines: []string{"1.2.3.4"}, want: "1.2.3.4"},
		{name: "a peer with a zone that is not trusted", peer: "[fe80::1%eth0]:1", trusted: "none", want: "fe80::1"},
		{name: "brackets the wrong way", peer: "[::1]:1", trusted: "::1", lines: []string{"]2001:db8::1["}, want: "::1", known: hidden},
		{name: "a bracket too few", peer: "[::1]:1", trusted: "::1", lines: []string{"[2001:db8::1"}, want: "::1", known: hidden},
		{name: "IPv4 in brackets", peer: "[::1]:1", trusted: "::1", lines: []string{"[1.2.3.4]"}, want: "::1", known: hidden},
		{name: "behind a bracket", peer: "[::1]:1", trusted: "::1", lines: []string{"[2001:db8::1]x"}, want: "::1", known: hidden},
		{name: "IPv4 in IPv6, peer", peer: "[::ffff:10.0.0.1]:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4"}, want: "1.2.3.4"},
		{name: "IPv4 in IPv6, hops", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"::ffff:1.2.3.4, ::ffff:10.0.0.2, [::ffff:10.0.0.3]:1"}, want: "1.2.3.4"},
		{name: "not decimal", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, 0x0a000002"}, want: "10.0.0.1", known: hidden},
		{name: "octal", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, 010.0.0.2"}, want: "10.0.0.1", known: hidden},

		{name: "one address", header: "Fly-Client-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4"}, want: "1.2.3.4"},
		{name: "one address, trusted itself", header: "X-Real-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"10.0.0.2"}, want: "10.0.0.2"},
		{name: "one address, of a stranger", header: "CF-Connecting-IP", peer: "192.0.2.1:1", trusted: "10.0.0.0/8", lines: []string{"1.2.3.4"}, want: "192.0.2.1"},
		{name: "one address, with a port", header: "X-Client", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{" [2001:db8::1]:80 "}, want: "2001:db8::1"},
		{name: "one address, absent", header: "Fly-Client-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", want: "10.0.0.1"},
		{name: "one address, two in a line", header: "Fly-Client-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6, 1.2.3.4"}, want: "10.0.0.1", known: hidden},
		{name: "one address, two lines", header: "Fly-Client-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"6.6.6.6", "1.2.3.4"}, want: "10.0.0.1", known: hidden},
		{name: "one address, unknown", header: "Fly-Client-IP", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"unknown"}, want: "10.0.0.1", known: hidden},

		{name: "Forwarded", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=6.6.6.6, for=1.2.3.4;proto=https , For=10.0.0.2"}, want: "1.2.3.4"},
		{name: "Forwarded, of a stranger", header: "Forwarded", peer: "192.0.2.1:1", trusted: "10.0.0.0/8", lines: []string{"for=1.2.3.4"}, want: "192.0.2.1"},
		{name: "Forwarded, absent", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", want: "10.0.0.1"},
		{name: "Forwarded, several lines", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{`for="6.6.6.6`, "for=1.2.3.4", `for="10.0.0.2:80"`}, want: "1.2.3.4"},
		{name: "Forwarded, IPv6", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{`by=_me;FOR="[2001:db8::1]:_p0rt";host="a,b;c=\"d\\"`}, want: "2001:db8::1"},
		{name: "Forwarded, unknown", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=6.6.6.6, for=unknown, for=10.0.0.2"}, want: "10.0.0.2", known: hidden},
		{name: "Forwarded, hidden", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=6.6.6.6, for=_secret"}, want: "10.0.0.1", known: hidden},
		{name: "Forwarded, without for", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=6.6.6.6, proto=https"}, want: "10.0.0.1", known: hidden},
		{name: "Forwarded, for twice", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=1.2.3.4;for=6.6.6.6"}, want: "10.0.0.1", known: hidden},
		{name: "Forwarded, a quote that is left open", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{`for="6.6.6.6, for=1.2.3.4`}, want: "1.2.3.4"},
		{name: "Forwarded, quotes that would meet", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{`for=6.6.6.6;x="\, for="[2001:db8::1]"`}, want: "2001:db8::1"},
		{name: "Forwarded, the sender's own addition", header: "Forwarded", peer: "10.0.0.1:1", trusted: "10.0.0.0/8", lines: []string{"for=6.6.6.6,for=10.9.9.9", "for=1.2.3.4"}, want: "1.2.3.4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := trusting(t, test.trusted, test.header)
			r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
			name := "X-Forwarded-For"
			if test.header != "" {
				name = http.CanonicalHeaderKey(test.header)
			}
			if test.lines != nil {
				r.Header[name] = test.lines
			}
			want := netip.MustParseAddr(test.want)
			if got := o.Client(r).Addr; got != want {
				t.Errorf("Addr is %v, want %s", got, want)
			}
			if test.known == hidden {
				want = netip.Addr{}
			}
			if got := o.Client(r).NamedAddr(); got != want {
				t.Errorf("NamedAddr is %v, want %s", got, want)
			}
		})
	}
	if got := (handler.Origin{}).Client(&http.Request{RemoteAddr: "@"}).Addr; got.IsValid() {
		t.Errorf("a peer without an address has %v", got)
	}
}

// Whoever asks of a request that is sent is told what was believed of the one
// that came.
func TestClientOfWhatIsSent(t *testing.T) {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "Fly-Client-Ip"} {
		for _, peer := range []string{"127.0.0.1", "198.51.100.1", "::1"} {
			for _, value := range []string{"", "203.0.113.9", "unknown", "203.0.113.9, 127.0.0.2", "for=203.0.113.9", `for="[2001:db8::1]:1", for=127.0.0.2`, "for=unknown", "6.6.6.6,for=127.0.0.3", `"`} {
				o := trusting(t, "127.0.0.0/8,::1", name)
				r := httptest.NewRequest("GET", "/", nil)
				r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(peer), 1).String()
				if value != "" {
					r.Header[name] = []string{value}
				}
				want := o.Client(r)
				asked := false
				h := handler.Identify(o)(handler.Forward(roundTripper(func(out *http.Request) (*http.Response, error) {
					asked = true
					if got := handler.ClientOf(out); got.Addr != want.Addr || got.NamedAddr() != want.NamedAddr() || got.Scheme != want.Scheme || got.Host != want.Host {
						t.Errorf("%s: %q from %s: %+v of the request that is sent, %+v of the one that came", name, value, peer, got, want)
					}
					return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody}, nil
				}), handler.ForwardConfig{}))
				if h.ServeHTTP(httptest.NewRecorder(), r); !asked {
					t.Fatal("nothing was sent")
				}
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOriginHostAndScheme(t *testing.T) {
	for name, test := range map[string]struct {
		peer, header string // the peer is trusted unless given
		fields       http.Header
		tls          bool
		want         string
	}{
		"nothing said":            {want: "http site.test"},
		"nothing said, over TLS":  {tls: true, want: "https site.test"},
		"said":                    {fields: http.Header{"X-Forwarded-Host": {"outer.test, inner.test"}, "X-Forwarded-Proto": {"HTTPS"}}, want: "https inner.test"},
		"by the first of two":     {fields: http.Header{"X-Forwarded-For": {"6.6.6.6, 1.2.3.4", "10.0.0.2"}, "X-Forwarded-Host": {"evil, outer.test", "inner.test"}, "X-Forwarded-Proto": {"http, https, http"}}, want: "https outer.test"},
		"by one, to a list":       {fields: http.Header{"X-Forwarded-For": {"6.6.6.6, 1.2.3.4"}, "X-Forwarded-Host": {"evil, outer.test"}, "X-Forwarded-Proto": {"https, http"}}, want: "http outer.test"},
		"by the first alone":      {fields: http.Header{"X-Forwarded-For": {"1.2.3.4, 10.0.0.2"}, "X-Forwarded-Host": {"outer.test"}, "X-Forwarded-Proto": {"https"}}, want: "https outer.test"},
		"by one that hides":       {fields: http.Header{"X-Forwarded-For": {"unknown, 10.0.0.2"}, "X-Forwarded-Host": {"evil, outer.test, inner.test"}, "X-Forwarded-Proto": {"https, http"}}, want: "https outer.test"},
		"said by a stranger":      {peer: "198.51.100.1:1", fields: http.Header{"X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"https"}}, want: "http site.test"},
		"no scheme of ours":       {fields: http.Header{"X-Forwarded-Proto": {"ftp"}}, want: "http site.test"},
		"empty":                   {fields: http.Header{"X-Forwarded-Host": {" "}}, want: "http site.test"},
		"Forwarded":               {header: "Forwarded", fields: http.Header{"Forwarded": {`for=6.6.6.6;host=evil, for=1.2.3.4;host="outer.test:8080";proto=https, for=10.0.0.2;host=inner.test`}}, want: "https outer.test:8080"},
		"Forwarded, escaped":      {header: "Forwarded", fields: http.Header{"Forwarded": {`for=1.2.3.4;host="out\er.test";proto="h\ttps"`}}, want: "https outer.test"},
		"Forwarded, of others":    {header: "Forwarded", peer: "198.51.100.1:1", fields: http.Header{"Forwarded": {"for=1.2.3.4;host=evil;proto=https"}}, want: "http site.test"},
		"Forwarded, not the rest": {header: "Forwarded", fields: http.Header{"Forwarded": {"for=1.2.3.4"}, "X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"https"}}, want: "http site.test"},
	} {
		t.Run(name, func(t *testing.T) {
			o := trusting(t, "10.0.0.0/8", test.header)
			r := &http.Request{RemoteAddr: "10.0.0.1:1", Host: "site.test", Header: test.fields}
			if test.peer != "" {
				r.RemoteAddr = test.peer
			}
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := o.Client(r).Scheme + " " + o.Client(r).Host; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestClientIPHeader(t *testing.T) {
	for text, want := range map[string]string{
		"X-Forwarded-For": "X-Forwarded-For", "forwarded": "Forwarded", "Fly-Client-IP": "Fly-Client-Ip", "CF-Connecting-IP": "Cf-Connecting-Ip", "x_real": "X_real",
	} {
		var h handler.ClientIPHeader
		if err := h.UnmarshalText([]byte(text)); err != nil || string(h) != want {
			t.Errorf("%q: got %q, %v", text, h, err)
		}
	}
	for _, text := range []string{"", "X Real", "X-Real-IP:", "X-Real-IP,Forwarded", "Host", "connection", "Te", "ä", "a\x00"} {
		var h handler.ClientIPHeader
		if err := h.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, h)
		}
	}
}

// spoofed are attempts of a client to be somebody else, as it would write them.
var spoofed = []http.Header{
	{"X-Forwarded-For": {"6.6.6.6"}},
	{"X-Forwarded-For": {"6.6.6.6", "127.0.0.1"}},
	{"X-Forwarded-For": {"6.6.6.6, 127.0.0.1, ::1"}},
	{"X-Forwarded-For": {"[::1]:80, 6.6.6.6:80, fe80::1%lo"}},
	{"X-Forwarded-For": {","}},
	{"X-Forwarded-For": {"unknown, _hidden, nonsense"}},
	{"X-Forwarded-For": {strings.Repeat("127.0.0.1,", 3000) + "6.6.6.6"}},
	{"x-forwarded-for": {"6.6.6.6"}},
	{"X_Forwarded_For": {"6.6.6.6"}},
	{"X-Forwarded_For": {"6.6.6.6"}},
	{"X_FORWARDED-FOR": {"6.6.6.6"}},
	{"Forwarded": {"for=6.6.6.6;host=evil;proto=https;by=127.0.0.1"}},
	{"Forwarded": {`for="6.6.6.6`, `for="`}},
	{"Forwarded": {`for="[::1]:80", for=127.0.0.1`}},
	{"Forwarded": {"for=_hidden, for=unknown, ;;,="}},
	{"forwarded": {"for=6.6.6.6"}},
	{"X-Real-Ip": {"6.6.6.6"}, "X_Real_Ip": {"6.6.6.6"}},
	{"True-Client-Ip": {"6.6.6.6"}, "X-Client-Ip": {"6.6.6.6"}, "X-Cluster-Client-Ip": {"6.6.6.6"}},
	{"Fly-Client-Ip": {"6.6.6.6"}, "Cf-Connecting-Ip": {"6.6.6.6"}, "Fastly-Client-Ip": {"6.6.6.6"}},
	{"X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/x"}},
	{"X-Original-Url": {"/admin"}, "X-Rewrite-Url": {"/admin"}, "X-Forwarded-Ssl": {"on"}, "X-Forwarded-Scheme": {"https"}, "X-Forwarded-Server": {"x"}},
	{"Connection": {"X-Forwarded-For, Forwarded, X-Own-Client"}, "X-Forwarded-For": {"6.6.6.6"}},
	{"Connection": {"X-Forwarded-For"}},
}

// spoofedOwn are for a proxy whose CLIENT_IP_HEADER is X-Own-Client.
var spoofedOwn = []http.Header{
	{"X-Own-Client": {"6.6.6.6"}},
	{"x-own-client": {"6.6.6.6", "127.0.0.1"}},
	{"X_Own_Client": {"6.6.6.6"}},
	{"X-Own_client": {"6.6.6.6"}},
}

// Nothing that a peer who is not trusted writes changes whom a request is said
// to come from, to anybody.
func TestSpoofedFieldsChangeNothing(t *testing.T) {
	received := make(chan http.Header, 1)
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { received <- r.Header })
	for _, header := range []string{"", "Forwarded", "X-Own-Client", "Fly-Client-IP"} {
		for _, http2 := range []bool{false, true} {
			origin := trusting(t, "10.0.0.0/8,::1", header)
			p := newProxyBehind(t, origin, "http", addr)
			c := wiretest.Client(t, http2)
			send := func(fields http.Header) http.Header {
				r, _ := http.NewRequestWithContext(t.Context(), "GET", p.url, nil)
				r.Host, r.Header = "site.test", fields.Clone()
				resp, err := c.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%v: status %d", fields, resp.StatusCode)
				}
				return <-received
			}
			honest := send(http.Header{})
			if got := honest.Get("X-Forwarded-For"); got != "127.0.0.1" {
				t.Fatalf("X-Forwarded-For is %q", got)
			}
			attempts := spoofed
			if header == "X-Own-Client" {
				attempts = append(attempts[:len(attempts):len(attempts)], spoofedOwn...)
			}
			for _, fields := range attempts {
				if http2 && fields["Connection"] != nil {
					continue // is not part of HTTP/2
				}
				if diff := cmp.Diff(honest, send(fields)); diff != "" {
					t.Errorf("CLIENT_IP_HEADER=%s, HTTP/2 %t: %.100q changes what the backend gets (-without +with):\n%s", header, http2, fmt.Sprint(fields), diff)
				}
				r := &http.Request{RemoteAddr: "198.51.100.1:1", Host: "site.test", Header: http.Header{}}
				for name, values := range fields {
					for _, value := range values {
						r.Header.Add(name, value)
					}
				}
				if got := fmt.Sprintln(origin.Client(r).Addr, origin.Client(r).NamedAddr(), origin.Client(r).Host, origin.Client(r).Scheme); got != "198.51.100.1 198.51.100.1 site.test http\n" {
					t.Errorf("CLIENT_IP_HEADER=%s: %.100q makes it %s", header, fmt.Sprint(fields), got)
				}
			}
		}
	}
}

// A proxy that is trusted passes on what its clients wrote and adds whom it got
// it from. They must not get around that.
func TestSpoofedFieldsBehindAProxyChangeNothing(t *testing.T) {
	for _, fields := range spoofed {
		for _, field := range [][2]string{{"X-Forwarded-For", "203.0.113.9"}, {"Forwarded", "for=203.0.113.9"}, {"Forwarded", `for="203.0.113.9:80";host="x"`}} {
			name, added := field[0], field[1]
			written := append(fields[name][:len(fields[name]):len(fields[name])], fields[strings.ToLower(name)]...)
			last := strings.Join(append(written[:len(written):len(written)], added), ", ")
			for _, lines := range [][]string{append(written, added), {last}} {
				r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{name: lines}}
				if got := trusting(t, "127.0.0.0/8,::1", name).Client(r).NamedAddr(); got != netip.MustParseAddr("203.0.113.9") {
					t.Errorf("%s: %.100q: the client is %v", name, lines, got)
				}
			}
		}
	}
}

func FuzzForwardedFields(f *testing.F) {
	f.Add("1.2.3.4", "host", "127.0.0.1:1")
	f.Add("[::1]:8,, ", `a"b`, "[::1]:1")
	f.Add(`for="[::1]"`, "", "10.0.0.1:1")
	f.Add(`for=127.0.0.1;x="\`, "x", "127.0.0.1:1")
	f.Add(`for="a\", for=127.0.0.1`, "x", "127.0.0.1:1")
	trusted := config.CIDRsOf(netip.MustParsePrefix("127.0.0.0/8"))
	real4, real6 := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")
	f.Fuzz(func(t *testing.T, written, host, peer string) {
		for _, header := range []handler.ClientIPHeader{"", "Forwarded", "X-Own"} {
			o := handler.Origin{Trusted: trusted, Header: header}
			fields := http.Header{"X-Forwarded-For": {written}, "Forwarded": {written}, "X-Own": {written}, "X-Forwarded-Host": {host}}
			r := &http.Request{RemoteAddr: peer, Host: host, Header: fields}
			addr := o.Client(r).Addr
			if named := o.Client(r).NamedAddr(); named.IsValid() && named != addr {
				t.Errorf("Addr is %v, NamedAddr %v", addr, named)
			}
			if addr.Zone() != "" || addr.Is4In6() {
				t.Errorf("%v is not the only way to write it", addr)
			}
			if s := o.Client(r).Scheme; s != "http" && s != "https" {
				t.Errorf("scheme is %q", s)
			}
			if !trusted.Contains(handler.PeerAddr(r)) && addr != handler.PeerAddr(r) {
				t.Errorf("an untrusted peer made itself %v", addr)
			}
		}
		// Whatever a client wrote, what a trusted proxy adds to it holds.
		for _, proxy := range []struct {
			header handler.ClientIPHeader
			adds   string
			want   netip.Addr
		}{
			{"X-Forwarded-For", "203.0.113.9", real4}, {"X-Forwarded-For", "[2001:db8::9]:80", real6},
			{"Forwarded", "for=203.0.113.9", real4}, {"Forwarded", `proto=https;for="[2001:db8::9]";host="a\",\\"`, real6},
		} {
			o := handler.Origin{Trusted: trusted, Header: proxy.header}
			for _, lines := range [][]string{{written, proxy.adds}, {written + "," + proxy.adds}, {written + ", " + proxy.adds, "for=127.0.0.3"}} {
				if len(lines) == 2 && lines[1] == "for=127.0.0.3" && proxy.header != "Forwarded" {
					lines[1] = "127.0.0.3"
				}
				r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{string(proxy.header): lines}}
				if got := o.Client(r).NamedAddr(); got != proxy.want {
					t.Errorf("%s: %q: the client is %v, want %v", proxy.header, lines, got, proxy.want)
				}
			}
		}
	})
}

func BenchmarkOriginAddr(b *testing.B) {
	for _, test := range []struct{ name, peer, header, value string }{
		{"nobody trusted", "198.51.100.1:1234", "X-Forwarded-For", "6.6.6.6"},
		{"stranger", "198.51.100.1:1234", "X-Forwarded-For", "6.6.6.6"},
		{"X-Forwarded-For", "10.0.0.1:1234", "X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.0.0.2"},
		{"Forwarded", "10.0.0.1:1234", "Forwarded", `for=6.6.6.6, for="[2001:db8::1]:80";host="a.test";proto=https, for=10.0.0.2`},
		{"one address", "10.0.0.1:1234", "Fly-Client-IP", "203.0.113.9"},
	} {
		trusted := "10.0.0.0/8,192.168.0.0/16,fd00::/8"
		if test.name == "nobody trusted" {
			trusted = "none"
		}
		o := trusting(b, trusted, test.header)
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{http.CanonicalHeaderKey(test.header): {test.value}}}
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o.Client(r)
			}
		})
	}
}
