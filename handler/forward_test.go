package handler_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
)

func TestForwardPassesTheTargetAsItCame(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	p := newProxy(t, "http", addr)
	many := "/many?" + strings.Repeat("a=b&", 12_000)
	for _, target := range []string{
		"/", "/a%2Fb/c%20d", "//double//slash", "/dots/../x/./y", "/?x=1;y=2", "/?%zz", "/?", "/a?b?c", "/ü%C3%BC", "/;p=1", "/%41", many,
	} {
		name := target[:min(len(target), 20)]
		t.Run(name, func(t *testing.T) {
			answer := wiretest.Raw(t, p.addr, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			_, got, _ := strings.Cut(answer, "\r\n\r\n")
			if strings.Contains(answer, "Transfer-Encoding: chunked") {
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				got = string(body)
			}
			want := strings.ReplaceAll(target, "ü", "%C3%BC")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardHeaders(t *testing.T) {
	tests := []struct {
		name    string
		trusted string
		send    http.Header
		want    http.Header // nil values: must be absent
	}{
		{
			name: "hop-by-hop fields end here, those named by Connection too",
			send: http.Header{
				"Connection": {"close, X-Private", "x-second"}, "X-Private": {"1"}, "X-Second": {"2"}, "Keep-Alive": {"timeout=5"},
				"Proxy-Authorization": {"Basic eA=="}, "Proxy-Connection": {"keep-alive"}, "Te": {"gzip, trailers"}, "X-Kept": {"a", "b"},
			},
			want: http.Header{
				"Connection": {"TE"}, "X-Private": nil, "X-Second": nil, "Keep-Alive": nil, "Proxy-Authorization": nil, "Proxy-Connection": nil,
				"Te": {"trailers"}, "X-Kept": {"a", "b"}, "Via": {"1.1 spangate"},
			},
		},
		{
			name: "an untrusted peer's word on where it comes from is replaced",
			send: http.Header{
				"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"https"},
				"Forwarded": {"for=1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"}, "X-Forwarded-Port": {"1"},
				"X_Forwarded_For": {"1.2.3.4"}, "X-Forwarded_for": {"1.2.3.4"}, "X_other": {"1"},
			},
			want: http.Header{
				"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"site.test"}, "X-Forwarded-Proto": {"http"},
				"Forwarded": {`for=127.0.0.1;host="site.test";proto=http`}, "X-Real-Ip": nil, "X-Forwarded-Port": nil,
				"X_forwarded_for": nil, "X-Forwarded_for": nil, "X_other": {"1"},
			},
		},
		{
			name:    "a trusted peer's is extended",
			trusted: "127.0.0.0/8",
			send: http.Header{
				"X-Forwarded-For": {"1.2.3.4", "10.0.0.1"}, "X-Forwarded-Host": {"outer.test"}, "X-Forwarded-Proto": {"https"},
				"Forwarded": {"for=1.2.3.4, for=10.0.0.1;by=_edge"}, "Via": {"1.1 edge"},
			},
			want: http.Header{
				"X-Forwarded-For": {"1.2.3.4, 10.0.0.1, 127.0.0.1"}, "X-Forwarded-Host": {"outer.test"}, "X-Forwarded-Proto": {"https"},
				"Forwarded": {`for=1.2.3.4, for=10.0.0.1;by=_edge, for=127.0.0.1;host="outer.test";proto=https`}, "Via": {"1.1 edge, 1.1 spangate"},
			},
		},
		{
			name:    "what it does not agree with in the other dialect is replaced",
			trusted: "127.0.0.0/8",
			send:    http.Header{"X-Forwarded-For": {"1.2.3.4", "10.0.0.1"}, "X-Forwarded-Host": {"outer.test"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=1.2.3.4"}},
			want: http.Header{
				"X-Forwarded-For": {"1.2.3.4, 10.0.0.1, 127.0.0.1"}, "X-Forwarded-Host": {"outer.test"}, "X-Forwarded-Proto": {"https"},
				"Forwarded": {`for=10.0.0.1;host="outer.test";proto=https, for=127.0.0.1;host="outer.test";proto=https`},
			},
		},
		{
			name: "no user agent is made up",
			send: http.Header{"User-Agent": nil},
			want: http.Header{"User-Agent": nil, "Accept-Encoding": nil},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			received := make(chan http.Header, 1)
			addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { received <- r.Header })
			if test.trusted == "" {
				test.trusted = "none"
			}
			p := newProxyBehind(t, trusting(t, test.trusted, ""), "http", addr)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", p.url, nil)
			r.Host, r.Header = "site.test", test.send
			resp, err := wiretest.Client(t, false).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			got, all := http.Header{}, <-received
			for name := range test.want {
				got[name] = all[name]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("backend received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardResponseHeaders(t *testing.T) {
	addr := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")
	})
	resp, _ := do(t, wiretest.Client(t, false), "GET", newProxy(t, "http", addr).url, nil, nil)
	resp.Header.Del("Date")
	want := http.Header{"Location": {"http://elsewhere.test/"}, "Set-Cookie": {"a=1", "b=2"}, "Via": {"1.1 spangate"}, "Content-Length": {"0"}}
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("client received (-want +got):\n%s", diff)
	}
	if resp.StatusCode != http.StatusFound {
		t.Errorf("status %d: the redirect must be passed on, not followed", resp.StatusCode)
	}
}

func TestForwardRefusesWhatIsNotForAGateway(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("backend got %s %s", r.Method, r.RequestURI) })
	p := newProxy(t, "http", addr)
	for request, want := range map[string]string{
		"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n":                                          "501",
		"TRACE / HTTP/1.1\r\nHost: x\r\n":                                                    "405",
		"GET * HTTP/1.1\r\nHost: x\r\n":                                                      "400",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n":                                                  "204",
		"GET / HTTP/1.1\r\nHost: x\r\nVia: " + strings.Repeat("1.1 spangate, ", 10) + "\r\n": "508",
		"GET / HTTP/1.1\r\n":                                                                 "400",
		"GET / HTTP/1.1\r\nHost: a[\r\n":                                                     "400",
		"GET / HTTP/1.1\r\nHost: a:b\r\n":                                                    "400",
		"GET / HTTP/1.1\r\nHost: [::1]x\r\n":                                                 "400",
		"GET / HTTP/1.1\r\nHost: [zz]:80\r\n":                                                "400",
		"GET / HTTP/1.1\r\nHost: a b\r\n":                                                    "400",
		"GET / HTTP/1.1\r\nHost: a@b\r\n":                                                    "400",
	} {
		answer := wiretest.Raw(t, p.addr, request+"Connection: close\r\n\r\n")
		if got := strings.Fields(answer)[1]; got != want {
			t.Errorf("%q: status %s, want %s", request, got, want)
		}
	}
}

func TestForwardTakesEveryValidHost(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	p := newProxy(t, "http", addr)
	for _, host := range []string{"a", "A.test:80", "[::1]", "[2001:db8::1]:443", "127.0.0.1:8080", "x_y-z~.test", "a:"} {
		answer := wiretest.Raw(t, p.addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.HasSuffix(answer, host) {
			t.Errorf("Host: %s: %q", host, answer)
		}
	}
}

func TestForwardHostRule(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+" "+r.URL.Path) })
	for option, want := range map[string]string{
		"":               "site.test /base/x",
		";host=preserve": "site.test /base/x",
		";host=auto":     "site.test /base/x",
		";host=backend":  addr + " /base/x",
	} {
		p := newProxy(t, "http", addr+"/base/"+option)
		r, _ := http.NewRequestWithContext(t.Context(), "GET", p.url+"/x", nil)
		r.Host = "site.test"
		resp, err := wiretest.Client(t, false).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want {
			t.Errorf("%q: backend got %q, want %q", option, body, want)
		}
	}
}
