package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"spangate/handler/certificate/certtest"
)

// unreadable are requests that the proxy answers by itself.
var unreadable = []struct {
	sent   string
	status string
	kind   string // error.type of the counter
	span   string // its name, method, path and version; "": there is none
}{
	{"\x00\x01\x02\r\n\r\n", "400", "malformed_request", ""},
	{"GET /\r\n\r\n", "400", "malformed_request", ""},
	{"GET / HTTP/1.1\nHost: x\n\n", "400", "malformed_request", ""},
	{"PRI * HTTP/2.0\r\n\r\nSMALL\r\n\r\n", "400", "malformed_request", ""},
	{strings.Repeat("x", 10<<10), "431", "header_too_large", ""},
	{"GET /name?a=b HTTP/1.1\r\nHost: x\r\nB ad: 1\r\n\r\n", "400", "malformed_request", "GET GET /name 1.1"},
	{"GET /old HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400", "malformed_request", "GET GET /old 1.0"},
	{"POST /both HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400", "malformed_request", "POST POST /both 1.1"},
	{"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400", "malformed_request", "GET GET  1.1"},
	{"BREW /no-host HTTP/1.1\r\n\r\n", "400", "malformed_request", "HTTP _OTHER /no-host 1.1"},
	{"GET /long HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("x", 10<<10), "431", "header_too_large", "GET GET /long 1.1"},
	{"GET /many HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:\r\n", 1001) + "\r\n", "431", "header_too_large", "GET GET /many 1.1"},
	{"GET /slow HTTP/1.1\r\nHost: ", "408", "client_timeout", "GET GET /slow 1.1"},
	{"GET /slo", "408", "client_timeout", ""},
	{"POST /coded HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501", "501", "POST POST /coded 1.1"},
	{"GET /new HTTP/3.0\r\nHost: x\r\n\r\n", "505", "505", "GET GET /new 1.1"},
}

// Requests that cannot be read are counted, logged, and told of as others are where
// their first line can be, whichever way they come.
func TestUnreadableRequestsAreSeen(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	secure := func(conn net.Conn) net.Conn {
		return tls.Client(conn, &tls.Config{ServerName: "localhost", RootCAs: ca.Pool})
	}
	overTLS := []string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}
	relayed := []string{"PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.1"}
	for name, door := range map[string]struct {
		environ []string
		before  string // what a connection begins with
		secure  func(net.Conn) net.Conn
		client  string
		scheme  string
	}{
		"plain":         {nil, "", nil, "127.0.0.1", "http"},
		"TLS":           {overTLS, "", secure, "127.0.0.1", "https"},
		"relayed":       {relayed, ppClient, nil, "203.0.113.9", "http"},
		"TLS, relayed":  {append(relayed, overTLS...), ppClient, secure, "203.0.113.9", "https"},
		"telemetry off": {[]string{"OTEL_SDK_DISABLED=true"}, "", nil, "127.0.0.1", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(door.environ, "BACKENDS=echo:a", "PROBE_MODE=off", "MAX_HEADER_BYTES=8KiB", "READ_HEADER_TIMEOUT=3s", "OTEL_LOGS_EXPORTER=otlp")...)
			want := seen{map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}}
			for _, test := range unreadable {
				want.counted[test.kind]++
				if test.span != "" {
					error := ""
					if test.status >= "500" {
						error = " " + test.status
					}
					want.spans[test.span+" "+test.status+error+" "+door.scheme+" "+door.client]++
					want.measured[test.status+error]++
					want.logged[test.status+" "+test.kind+" "+door.client]++
				}
				t.Run(test.sent[:min(len(test.sent), 20)], func(t *testing.T) {
					conn := net.Conn(p.loadBalanced(t, "127.0.0.1", door.before).Conn)
					if door.secure != nil {
						conn = door.secure(conn)
					}
					if _, err := io.WriteString(conn, test.sent); err != nil {
						t.Fatal(err)
					}
					if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+test.status+" ") {
						t.Errorf("answered with %.80q, error %v", answer, err)
					}
				})
			}
			p.stop()
			if name == "telemetry off" {
				want = seen{map[string]float64{}, map[string]float64{}, map[string]float64{}, want.logged}
			}
			if diff := cmp.Diff(want, p.seen(t), cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
			p.checkRefusals(t, len(unreadable), door.client)
		})
	}
}

// seen is what telemetry has of requests: a number for each kind.
type seen struct{ counted, spans, measured, logged map[string]float64 }

func (p *program) seen(t *testing.T) seen {
	t.Helper()
	s := seen{map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}}
	for _, point := range p.points("spangate.request.refusals") {
		s.counted[fmt.Sprint(point.Attributes["error.type"])] += point.Value
	}
	errorType := func(attributes map[string]any) (error string) {
		if kind, ok := attributes["error.type"]; ok {
			error = fmt.Sprint(" ", kind)
		}
		return error
	}
	for _, span := range p.spans("SERVER") {
		a := span.Attributes
		s.spans[fmt.Sprint(span.Name, " ", a["http.request.method"], " ", a["url.path"], " ", a["network.protocol.version"], " ", a["http.response.status_code"], errorType(a), " ", a["url.scheme"], " ", a["client.address"])]++
	}
	for _, point := range p.points("http.server.request.duration") {
		s.measured[fmt.Sprint(point.Attributes["http.response.status_code"], errorType(point.Attributes))] += float64(point.Count)
	}
	for _, line := range p.log.requests(t) {
		s.logged[fmt.Sprint(line["status"], " ", line["error_type"], " ", line["client"])]++
	}
	return s
}

// checkRefusals looks at the lines that tell of them, of which there may be one a
// second.
func (p *program) checkRefusals(t *testing.T, all int, peer string) {
	t.Helper()
	events := p.log.named(t, "event.name", "spangate.request.refused")
	if len(events) == 0 || len(events) >= all {
		t.Fatalf("%d lines of %d requests", len(events), all)
	}
	first := events[0]
	delete(first, "time")
	delete(first, "network.peer.port")
	if diff := cmp.Diff(map[string]any{
		"level": "INFO", "msg": "a request that cannot be read was refused", "event.name": "spangate.request.refused", "http.response.status_code": 400.0,
		"error.type": "malformed_request", "network.peer.address": peer, "spangate.request.count": 1.0,
		"exception.message": first["exception.message"],
	}, first); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if message := fmt.Sprint(first["exception.message"]); !strings.HasPrefix(message, "malformed message: ") || strings.Contains(message, "\x00") {
		t.Errorf("the message is %q", message)
	}
}

// A client that speaks HTTP/2 where HTTP/1.1 was agreed on is refused, and told of as
// others.
func TestAnotherProtocolThanAgreedOnIsSeen(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(_ context.Context, network, _ string) (net.Conn, error) {
		return tls.Dial(network, p.addr, &tls.Config{ServerName: "localhost", RootCAs: ca.Pool, NextProtos: []string{"http/1.1"}})
	}}
	transport.Protocols.SetUnencryptedHTTP2(true) // so it looks to the transport
	resp, err := transport.RoundTrip(p.newRequest(t.Context(), "GET", "/a", nil))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("answered with %s", resp.Status)
	}
	transport.CloseIdleConnections()
	p.stop()
	want := seen{
		map[string]float64{"malformed_request": 1}, map[string]float64{"GET GET /a 2 400 https 127.0.0.1": 1},
		map[string]float64{"400": 1}, map[string]float64{"400 malformed_request 127.0.0.1": 1},
	}
	if diff := cmp.Diff(want, p.seen(t), cmp.AllowUnexported(seen{})); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// A flood of frames of HTTP/2 is counted and told of.
func TestFloodsAreSeen(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=otlp")
	const floods = 3
	for range floods {
		sendRaw(t, p.addr, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+
			strings.Repeat("\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", 12000)) // PING, each to be answered
	}
	p.stop()
	if got := p.counted("spangate.floods"); got != floods {
		t.Errorf("counted %v, want %d", got, floods)
	}
	line := p.line(t, "connection closed for a flood of frames")
	delete(line, "network.peer.port")
	if diff := cmp.Diff(map[string]any{
		"level": "WARN", "event.name": "spangate.flood.stopped", "network.peer.address": "127.0.0.1",
		"exception.message": line["exception.message"], "spangate.flood.count": 1.0,
	}, line); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}
