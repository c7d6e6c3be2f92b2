package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
)

// TestAliases sends fields that a program which descends from CGI would take for
// others, over either protocol, from a peer that is trusted: none passes that
// means something here, wherever it stands. Others do.
func TestAliases(t *testing.T) {
	t.Parallel()
	url, came := headerBackend(t, "")
	p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "TRUSTED_PROXIES=127.0.0.1", "CLIENT_IP_HEADER=X-Own-Client", "AUTH_API_KEYS=ci:"+apiKey)
	ask := func(t *testing.T, fields string) string {
		t.Helper()
		admitted(t, p.addr, "POST / HTTP/1.1\r\nHost: a.test\r\nX-Api-Key: "+apiKey+"\r\nX-Request-Id: 1\r\nConnection: close\r\nContent-Length: 4\r\n"+fields+"\r\nbody")
		return <-came
	}
	honest := ask(t, "")
	for _, name := range []string{
		"Content_Length", "Transfer_Encoding", "content_length", "CONTENT_LENGTH", "TRANSFER_ENCODING", "Transfer.Encoding", "Content~Length",
		"Keep_Alive", "Proxy_Authorization", "X_Forwarded_For", "X-Forwarded_For", "X_FORWARDED-FOR", "X.Forwarded.For", "X_Forwarded_Proto", "X_Real_Ip", "X_Original_Url",
		"X_Own_Client", "X-Own_Client", "X_Auth_Principal", "X_AUTH_METHOD", "X_Api_Key", "X_Request_Id", "X_B3_TraceId", "Content_Type", "If_Match", "Set_Cookie",
		"X_Serverless_Authorization", "Max_Forwards", "Cache_Control", "Accept_Encoding",
	} {
		if diff := cmp.Diff(honest, ask(t, name+": chunked\r\n")); diff != "" {
			t.Errorf("%s (-without +with):\n%s", name, diff)
		}
		if diff := cmp.Diff(honest, ask(t, "Connection: "+name+"\r\n"+name+": 5\r\n")); diff != "" {
			t.Errorf("%s, named by Connection (-without +with):\n%s", name, diff)
		}
	}
	if got := ask(t, "X_Other: 1\r\nX_auth: 2\r\n"); !strings.Contains(got, "X_other=1") || !strings.Contains(got, "X_auth=2") {
		t.Errorf("what is nobody's alias does not pass: %s", got)
	}

	transport := h2cTransport(t)
	over2 := func(name string) string {
		r := p.newRequest(t.Context(), "POST", "/", strings.NewReader("body"))
		r.Host = "a.test"
		r.Header = http.Header{"X-Api-Key": {apiKey}, "X-Request-Id": {"1"}}
		if name != "" {
			r.Header[name] = []string{"5"}
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s over h2c: %v", name, err)
		}
		resp.Body.Close()
		return <-came
	}
	honest = over2("")
	for _, name := range []string{"content_length", "transfer_encoding", "x_forwarded_for", "x_auth_principal", "x_own_client", "x_request_id"} {
		if diff := cmp.Diff(honest, over2(name)); diff != "" {
			t.Errorf("%s over h2c (-without +with):\n%s", name, diff)
		}
	}
}

// TestClientIPHeaderWithAnUnderscore has proxies name the client in a field that
// is spelled like an alias, and is none because it is configured.
func TestClientIPHeaderWithAnUnderscore(t *testing.T) {
	t.Parallel()
	url, came := headerBackend(t, "x-real-ip")
	p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.1", "CLIENT_IP_HEADER=X_Real_IP", "ALLOW_CIDRS=203.0.113.9")
	if got := first(p.knock(t, knock{method: "GET", header: []string{"X_Real_IP: 203.0.113.9", "X-Real_IP: 6.6.6.6"}})); !strings.HasPrefix(got, "200\n") {
		t.Fatalf("answered %s", got)
	}
	if got := <-came; got != "X_real_ip=203.0.113.9 " {
		t.Errorf("the backend gets %q", got)
	}
}

// forAllRecipients are fields that Connection must not remove: the proxy reads them,
// vouches for them, or they are for all recipients by RFC 9110 §7.6.1.
var forAllRecipients = []string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "Cache-Control", "Authorization", "Cookie",
	"Content-Type", "Content-Encoding", "Content-Digest", "X-Own-Client", "X-Real-Ip", "X-Correlation-Id", "X-Tenant",
	"Accept", "Accept-Language", "User-Agent", "Origin", "If-None-Match", "Range", "Idempotency-Key", "Etag",
}

// TestConnectionOfRequests has a peer that is trusted pass on what its client
// wrote into Connection.
func TestConnectionOfRequests(t *testing.T) {
	t.Parallel()
	backend, received := receiving(t)
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "TRUSTED_PROXIES=127.0.0.1", "CLIENT_IP_HEADER=X-Own-Client",
		"REQUEST_ID_HEADER=X-Correlation-Id", "RATE_LIMIT=1000/s", "RATE_LIMIT_KEY=header:X-Tenant")
	ask := func(fields string) http.Header {
		t.Helper()
		admitted(t, p.addr, "GET / HTTP/1.1\r\nHost: a.test\r\n"+fields+"\r\n")
		h := <-received
		if id := h.Get("X-Correlation-Id"); id != "1" {
			delete(h, "X-Correlation-Id") // is made for each
		}
		return h
	}
	for _, name := range forAllRecipients {
		value := "1"
		if name == "Range" {
			value = "bytes=0-1"
		}
		for _, option := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_")} {
			without, with := ask("Connection: close\r\n"+name+": "+value+"\r\n"), ask("Connection: close, "+option+"\r\n"+name+": "+value+"\r\n")
			if diff := cmp.Diff(without, with); diff != "" {
				t.Errorf("Connection: %s (-without +with):\n%s", option, diff)
			}
		}
	}
	for _, test := range [][2]string{
		{"Connection: close, X-Hop", "X-Hop"}, {"Connection: close, x-hop", "X-Hop"}, {"Connection: ,, X-Hop ,close,", "X-Hop"},
		{"Connection: X-Hop\r\nConnection: close", "X-Hop"}, {"Connection: close, X_Hop", "X_hop"},
	} {
		if got := ask(test[0] + "\r\n" + test[1] + ": 1\r\n"); got[test[1]] != nil || got["Connection"] != nil {
			t.Errorf("%s: %s passes", test[0], test[1])
		}
	}
}

// TestConnectionEvadesNothing has a client name in Connection what the trusted
// proxy before us adds about it. Lists, limits, the status page and telemetry go
// on seeing the client.
func TestConnectionEvadesNothing(t *testing.T) {
	t.Parallel()
	const client = "203.0.113.9"
	for header, value := range map[string]string{"X-Forwarded-For": client, "Forwarded": "for=" + client, "Fly-Client-IP": client} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.1", "CLIENT_IP_HEADER="+header, "DENY_CIDRS="+client)
			ask := func(target string, option string) string {
				t.Helper()
				answer := sendRaw(t, p.addr, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nConnection: "+option+"\r\n"+header+": "+value+"\r\nVia: 1.1 front\r\n\r\n")
				status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
				return status
			}
			for _, option := range []string{header, strings.ToLower(header), header + ", Via", "Via," + header, "X-Forwarded-For, Forwarded, Via, Host, X-Real-Ip, Fly-Client-Ip", strings.ReplaceAll(header, "-", "_")} {
				if got := ask("/", option); got != "403" {
					t.Errorf("Connection: %s: status %s, want 403", option, got)
				}
				if got := ask("/.spangate/status", option); got != "404" {
					t.Errorf("Connection: %s: the status page answers %s, want 404", option, got)
				}
			}
			p.stop()
			for _, span := range p.spans("SERVER") {
				if got := fmt.Sprint(span.Attributes["client.address"]); got != client {
					t.Errorf("a span says the client is %s", got)
				}
			}
		})
	}
	t.Run("of this host", func(t *testing.T) {
		t.Parallel()
		p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off") // a local proxy that is not trusted
		for _, fields := range []string{"Connection: close, X-Forwarded-For\r\nX-Forwarded-For: 203.0.113.9\r\n", "Connection: close, Via\r\nVia: 1.1 front\r\n"} {
			if answer := sendRaw(t, p.addr, "GET /.spangate/status HTTP/1.1\r\nHost: localhost\r\n"+fields+"\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 404 ") {
				t.Errorf("%s: answered %q", fields, answer)
			}
		}
	})
}

// TestConnectionOfResponses has backends name fields in Connection. net/http
// hides these names where close is among them.
func TestConnectionOfResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ fields, want string }{
		"close and another":           {"Connection: close, X-H\r\nX-H: 1\r\nX-Kept: 2\r\n", "X-Kept: 2\r\n"},
		"another and close":           {"X-H: 1\r\nConnection: x-h , close\r\nX-Kept: 2\r\n", "X-Kept: 2\r\n"},
		"two lines":                   {"X-H: 1\r\nConnection: close\r\nConnection: X-H\r\n", ""},
		"empty elements":              {"X-H: 1\r\nConnection: ,close,,X-H,\r\n", ""},
		"without close":               {"X-H: 1\r\nConnection: X-H\r\n", ""},
		"kept alive":                  {"X-H: 1\r\nConnection: keep-alive, X-H\r\nKeep-Alive: timeout=5\r\n", ""},
		"what is for all recipients":  {"Connection: close, Set-Cookie, Cache-Control, Etag\r\nSet-Cookie: a=b\r\nCache-Control: private\r\nEtag: \"x\"\r\n", "Cache-Control: private\r\nEtag: \"x\"\r\nSet-Cookie: a=b\r\n"},
		"what would frame it anew":    {"Connection: close, Content-Length\r\nTransfer_Encoding: chunked\r\nContent_Length: 7\r\n", ""},
		"what policies have to say":   {"Connection: close, X-Request-Id, Vary\r\nVary: Accept\r\n", "Vary: Accept\r\n"},
		"an upgrade that was no case": {"Connection: close, Upgrade, X-H\r\nUpgrade: x\r\nX-H: 1\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
				p := start(t, "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "BACKENDS=http://"+saying(t, version+" 200 OK\r\nContent-Length: 4\r\n"+test.fields+"\r\nbody"))
				r := p.newRequest(t.Context(), "GET", "/", nil)
				for protocol, transport := range map[string]http.RoundTripper{"HTTP/1.1": &http.Transport{DisableKeepAlives: true}, "h2c": h2cTransport(t)} {
					resp, err := transport.RoundTrip(r)
					if err != nil {
						t.Fatalf("%s: %v", protocol, err)
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || string(body) != "body" {
						t.Errorf("%s: body %q, %v", protocol, body, err)
					}
					for _, ours := range []string{"Via", "Date", "Content-Length", "X-Request-Id"} {
						resp.Header.Del(ours)
					}
					if resp.Header.Get("Connection") == "close" { // said of the client's connection
						resp.Header.Del("Connection")
					}
					var got strings.Builder
					resp.Header.Write(&got)
					if diff := cmp.Diff(test.want, got.String()); diff != "" {
						t.Errorf("%s, from %s (-want +got):\n%s", protocol, version, diff)
					}
				}
			}
		})
	}
}

// TestConnectionOfInterimResponses has backends name fields in the Connection of
// interim responses, of which several may be read at once.
func TestConnectionOfInterimResponses(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\n"
	for name, test := range map[string]struct{ interim, want string }{
		"without close":     {hints + "Connection: X-H\r\nX-H: 1\r\nX-Kept: 2\r\n\r\n", "103 X-Kept: 2, 200 X-Final: 3"},
		"close and another": {hints + "Connection: close, X-H\r\nX-H: 1\r\nX-Kept: 2\r\n\r\n", "103 X-Kept: 2, 200 X-Final: 3"},
		"another and close": {hints + "X-H: 1\r\nX-Kept: 2\r\nConnection: x-h,close\r\nKeep-Alive: 5\r\nUpgrade: x\r\n\r\n", "103 X-Kept: 2, 200 X-Final: 3"},
		"the first of three": {
			hints + "Connection: close, X-H\r\nX-H: 1\r\n\r\n" + hints + "X-Kept: 2\r\n\r\n" + hints + "Connection: close\r\nX-Kept: 2\r\n\r\n",
			"103, 103 X-Kept: 2, 103 X-Kept: 2, 200 X-Final: 3",
		},
		"what is for all recipients": {hints + "Connection: close, Cache-Control\r\nCache-Control: no-store\r\n\r\n", "103 Cache-Control: no-store, 200 X-Final: 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "BACKENDS=http://"+saying(t, test.interim+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Final: 3\r\n\r\n"))
			for protocol, transport := range map[string]http.RoundTripper{"HTTP/1.1": &http.Transport{DisableKeepAlives: true}, "h2c": h2cTransport(t)} {
				var got []string
				tell := func(status int, header http.Header) {
					var text strings.Builder
					text.WriteString(fmt.Sprint(status))
					for _, name := range []string{"Cache-Control", "Connection", "Keep-Alive", "Upgrade", "X-Final", "X-H", "X-Kept"} {
						if value := header.Get(name); value != "" && value != "close" { // close is said of the client's connection
							text.WriteString(" " + name + ": " + value)
						}
					}
					got = append(got, text.String())
				}
				r := p.newRequest(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
						tell(status, http.Header(header))
						return nil
					},
				}), "GET", "/", nil)
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatalf("%s: %v", protocol, err)
				}
				resp.Body.Close()
				tell(resp.StatusCode, resp.Header)
				if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", protocol, diff)
				}
			}
		})
	}
}

// TestConnectionOfResponsesOverTLS has such a backend speak TLS.
func TestConnectionOfResponsesOverTLS(t *testing.T) {
	t.Parallel()
	backend := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hijack(t, w, func(conn net.Conn, _ io.Reader) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close, X-H\r\nX-H: 1\r\nX-Kept: 2\r\n\r\n")
		})
	}))
	t.Cleanup(backend.Close)
	p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "BACKEND_CA_FILE="+wiretest.CertificateFile(t, backend))
	resp, _ := p.ask(t, "GET", "/", nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Kept") != "2" || resp.Header["X-H"] != nil {
		t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
	}
}

// TestConnectionOfAnUpgrade has a backend that agrees to an upgrade name a field
// beside it.
func TestConnectionOfAnUpgrade(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS=http://"+saying(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade, X-H\r\nX-H: 1\r\nX-Kept: 2\r\n\r\n"))
	answer := sendRaw(t, p.addr, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, X-Forwarded-For\r\nUpgrade: x\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 101 ") || strings.Contains(answer, "X-H:") || !strings.Contains(answer, "X-Kept: 2\r\n") {
		t.Errorf("answered %q", answer)
	}
}
