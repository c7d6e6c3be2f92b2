package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/proxyproto"
	"spangate/handler/wire/wiretest"
)

// loadBalanced returns a session that begins with a header of the PROXY protocol,
// or with whatever stands in its place, from an address of the loopback.
func (p *program) loadBalanced(t *testing.T, from, header string) session {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, header); err != nil {
		t.Fatal(err)
	}
	return session{conn, bufio.NewReader(conn)}
}

// ppv2 returns a header of version 2 about these ends.
func ppv2(source, destination string) string {
	return string(proxyproto.Header{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}.Append(nil, proxyproto.V2))
}

const (
	pp2Signature = "\r\n\r\n\x00\r\nQUIT\n"
	ppLocal      = pp2Signature + "\x20\x00\x00\x00"
	ppClient     = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n"
)

// tellsWhoAsks is a backend that answers with what it is told of the client.
func tellsWhoAsks(t *testing.T) string {
	return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s / %s", r.Header.Get("X-Forwarded-For"), strings.Join(r.Header["Forwarded"], "; "))
	})
}

// TestProxyProtocol checks whom a request is taken to be from, by what its
// connection begins with.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+tellsWhoAsks(t), "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.1,198.51.100.0/24")
	const get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
	spoofed := strings.Replace(get, "\r\n\r\n", "\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", 1)
	for name, test := range map[string]struct {
		from, header, request string // from the load balancer, unless it says otherwise
		client, forwardedFor  string // nothing: the connection is closed unanswered
	}{
		"v1, TCP4":                               {header: ppClient, client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"v1, TCP6":                               {header: "PROXY TCP6 2001:db8::9 2001:db8::1 4711 80\r\n", client: "2001:db8::9", forwardedFor: "2001:db8::9"},
		"v1, TCP6, IPv4 as IPv6":                 {header: "PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 4711 80\r\n", client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"v1, TCP6, as nginx has it":              {header: "PROXY TCP6 2001:db8::9 192.0.2.1 4711 80\r\n", client: "2001:db8::9", forwardedFor: "2001:db8::9"},
		"v1, UNKNOWN":                            {header: "PROXY UNKNOWN\r\n", client: "127.0.0.1", forwardedFor: "unknown, 127.0.0.1"},
		"v2, TCP4":                               {header: ppv2("203.0.113.9:4711", "192.0.2.1:80"), client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"v2, TCP6":                               {header: ppv2("[2001:db8::9]:4711", "[2001:db8::1]:80"), client: "2001:db8::9", forwardedFor: "2001:db8::9"},
		"v2, additions of 64 KiB":                {header: pp2Signature + "\x21\x11\xff\xff\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x00\x50" + strings.Repeat("x", 0xffff-12), client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"v2, additions of more than 256":         {header: pp2Signature + "\x21\x11\x01\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x00\x50\xe0\x00\xfd" + strings.Repeat("x", 253), client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"v2, LOCAL":                              {header: ppLocal, client: "127.0.0.1", forwardedFor: "127.0.0.1"},
		"v2, LOCAL, with addresses":              {header: pp2Signature + "\x20\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x00\x50", client: "127.0.0.1", forwardedFor: "127.0.0.1"},
		"v2, of no family":                       {header: pp2Signature + "\x21\x00\x00\x00", client: "127.0.0.1", forwardedFor: "unknown, 127.0.0.1"},
		"v2, of a Unix socket":                   {header: pp2Signature + "\x21\x31\x00\xd8" + strings.Repeat("x", 216), client: "127.0.0.1", forwardedFor: "unknown, 127.0.0.1"},
		"a client that lies":                     {header: ppClient, request: spoofed, client: "203.0.113.9", forwardedFor: "203.0.113.9"},
		"a client that is trusted":               {header: strings.Replace(ppClient, "203.0.113.9", "198.51.100.7", 1), request: spoofed, client: "6.6.6.6", forwardedFor: "6.6.6.6, 198.51.100.7"},
		"nobody's own word":                      {header: ppLocal, request: spoofed, client: "127.0.0.1", forwardedFor: "127.0.0.1"},
		"a client without a name, who lies":      {header: "PROXY UNKNOWN\r\n", request: spoofed, client: "127.0.0.1", forwardedFor: "unknown, 127.0.0.1"},
		"the load balancer's loopback, who lies": {header: strings.Replace(ppClient, "203.0.113.9", "127.0.0.1", 1), request: spoofed, client: "127.0.0.1", forwardedFor: "127.0.0.1"},

		"no header":                    {},
		"HTTP/2 without a header":      {request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
		"two headers":                  {header: ppClient + ppClient, client: "203.0.113.9", forwardedFor: "400"},
		"v1, TCP4 with IPv6":           {header: "PROXY TCP4 2001:db8::9 2001:db8::1 4711 80\r\n"},
		"v1, a line that does not end": {header: "PROXY " + strings.Repeat("x", 100<<10)},
		"v1, another end of the line":  {header: strings.Replace(ppClient, "\r\n", "\n", 1)},
		"v2, without addresses":        {header: pp2Signature + "\x21\x11\x00\x00"},
		"v2, another version":          {header: pp2Signature + "\x31\x11\x00\x0c\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x00\x50"},

		"a stranger, without a header": {from: "127.0.0.2", client: "127.0.0.2", forwardedFor: "127.0.0.2"},
		"a stranger, v1":               {from: "127.0.0.2", header: ppClient, client: "127.0.0.2", forwardedFor: "400"},
		"a stranger, v2":               {from: "127.0.0.2", header: ppv2("203.0.113.9:4711", "192.0.2.1:80"), client: "127.0.0.2", forwardedFor: "400"},
		"a stranger, LOCAL":            {from: "127.0.0.2", header: ppLocal, client: "127.0.0.2", forwardedFor: "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.from == "" {
				test.from = "127.0.0.1"
			}
			if test.request == "" {
				test.request = get
			}
			s := p.loadBalanced(t, test.from, test.header)
			io.WriteString(s, test.request)
			resp, err := http.ReadResponse(s.in, nil)
			if test.client == "" {
				if err == nil {
					t.Fatalf("answered with %s", resp.Status)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if test.forwardedFor == "400" {
				if resp.StatusCode != http.StatusBadRequest {
					t.Errorf("answered with %s, %q, want 400", resp.Status, body)
				}
				return
			}
			if got, _, _ := strings.Cut(string(body), " / "); got != test.forwardedFor || resp.StatusCode != http.StatusOK {
				t.Errorf("answered with %s, told of %q, want %q", resp.Status, body, test.forwardedFor)
			}
		})
	}
}

// TestProxyProtocolOfOneConnection checks that all that comes over a connection is
// the client's, whatever is spoken on it, and what span and log say of it.
func TestProxyProtocolOfOneConnection(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			hijack(t, w, func(conn net.Conn, in io.Reader) {
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n%s:", r.Header.Get("X-Forwarded-For"))
				io.Copy(conn, in)
			})
			return
		}
		io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.1", "DENY_CIDRS=203.0.113.66", "READ_HEADER_TIMEOUT=1h")

	kept := p.loadBalanced(t, "127.0.0.1", ppClient)
	for range 3 {
		if got, _ := kept.ask(t, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); got != "200 203.0.113.9" {
			t.Errorf("a kept connection: %s", got)
		}
	}
	pipelined := p.loadBalanced(t, "127.0.0.1", ppClient+strings.Repeat("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 2))
	for range 2 {
		if _, body := pipelined.response(t, "GET"); body != "203.0.113.9" {
			t.Errorf("behind one another: %s", body)
		}
	}
	denied := p.loadBalanced(t, "127.0.0.1", strings.Replace(ppClient, "203.0.113.9", "203.0.113.66", 1))
	if got, _ := denied.ask(t, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); !strings.HasPrefix(got, "403") {
		t.Errorf("an address that is denied: %s", got)
	}
	unnamed := p.loadBalanced(t, "127.0.0.1", "PROXY UNKNOWN\r\n")
	if got, _ := unnamed.ask(t, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); !strings.HasPrefix(got, "403") {
		t.Errorf("an address that is not named, and may be one that is denied: %s", got)
	}

	upgraded := p.loadBalanced(t, "127.0.0.1", ppClient)
	io.WriteString(upgraded, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if resp, err := http.ReadResponse(upgraded.in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, error %v", resp, err)
	}
	io.WriteString(upgraded, "both ways")
	upgraded.Conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(upgraded.in); err != nil || string(got) != "203.0.113.9:both ways" {
		t.Errorf("upgraded: %q, error %v", got, err)
	}

	overHTTP2 := &http.Transport{Protocols: new(http.Protocols)}
	overHTTP2.Protocols.SetUnencryptedHTTP2(true)
	overHTTP2.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return p.loadBalanced(t, "127.0.0.1", ppv2("[2001:db8::9]:4711", "[2001:db8::1]:80")).Conn, nil
	}
	for range 2 {
		resp, err := overHTTP2.RoundTrip(p.newRequest(t.Context(), "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "2001:db8::9" || resp.ProtoMajor != 2 {
			t.Errorf("over %s: %q", resp.Proto, body)
		}
	}
	overHTTP2.CloseIdleConnections()

	p.stop()
	for _, span := range p.spans("SERVER") {
		told := fmt.Sprint(span.Attributes["client.address"], " ", span.Attributes["network.peer.address"], " ", span.Attributes["network.peer.port"])
		if told != "203.0.113.9 203.0.113.9 4711" && told != "2001:db8::9 2001:db8::9 4711" && told != "203.0.113.66 203.0.113.66 4711" && !strings.HasPrefix(told, "127.0.0.1 127.0.0.1 ") {
			t.Errorf("a span is of %s", told)
		}
	}
}

// TestProxyProtocolFailures checks what is told of connections that are closed for
// their header, and that those which only look whether anybody listens, as health
// checks do, are none.
func TestProxyProtocolFailures(t *testing.T) {
	t.Parallel()
	for reason, test := range map[string]struct{ timeout, sent string }{
		"":                        {"1h", ""},
		"proxy_header_missing":    {"1h", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		"proxy_header_malformed":  {"1h", "PROXY TCP4 nonsense\r\n"},
		"proxy_header_incomplete": {"1h", "PROXY TCP4 203.0.113.9 192"},
		"proxy_header_late":       {"1s", "PROXY TCP4 203.0.113.9 192"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "READ_HEADER_TIMEOUT="+test.timeout)
			const times = 3
			for range times {
				s := p.loadBalanced(t, "127.0.0.1", test.sent)
				if test.timeout == "1h" {
					s.Conn.(*net.TCPConn).CloseWrite()
				}
				if answer, _ := io.ReadAll(s); len(answer) > 0 {
					t.Errorf("answered with %q", answer)
				}
			}
			p.stop()
			got, want := map[any]float64{}, map[any]float64{}
			for _, point := range p.points("spangate.proxy_protocol.failures") {
				got[point.Attributes["error.type"]] += point.Value
			}
			if reason != "" {
				want[reason] = times
				line := p.line(t, "connection closed for its PROXY protocol header") // once
				if peer, _, _ := net.SplitHostPort(fmt.Sprint(line["peer"])); peer != "127.0.0.1" || line["reason"] != reason || line["level"] != "WARN" {
					t.Errorf("the log says %v", line)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if requests := p.log.requests(t); len(requests) > 0 {
				t.Errorf("requests in the log: %v", requests)
			}
		})
	}
}

// TestProxyProtocolDoesNotWait checks that connections whose header does not come
// keep nobody else waiting.
func TestProxyProtocolDoesNotWait(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "READ_HEADER_TIMEOUT=1h", "OTEL_SDK_DISABLED=true")
	for range 100 {
		p.loadBalanced(t, "127.0.0.1", "PROXY ")
	}
	if got, _ := p.loadBalanced(t, "127.0.0.1", ppClient).ask(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "200") {
		t.Errorf("answered %s", got)
	}
}

// TestProxyProtocolDrain checks that a drain goes as without it: who has connected is
// answered, and whose header does not come does not hold it up longer than others.
func TestProxyProtocolDrain(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		io.WriteString(w, "ok")
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "READ_HEADER_TIMEOUT=1h", "OTEL_SDK_DISABLED=true", "SHUTDOWN_TIMEOUT=20s")
	slow, late := p.loadBalanced(t, "127.0.0.1", ppClient), p.loadBalanced(t, "127.0.0.1", "")
	silent := p.loadBalanced(t, "127.0.0.1", "PROXY TCP4 ")
	io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.stop()
	}()
	p.await(`"draining"`)
	io.WriteString(late, ppClient+"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := late.response(t, "GET"); body != "ok" {
		t.Errorf("who had just connected got %q", body)
	}
	close(release)
	if _, body := slow.response(t, "GET"); body != "ok" {
		t.Errorf("who had asked got %q", body)
	}
	<-ended
	silent.ended(t)
}

// TestProxyProtocolStatus checks that no address which a load balancer tells of opens
// the status.
func TestProxyProtocolStatus(t *testing.T) {
	t.Parallel()
	port := wiretest.FreePort(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8,198.51.100.0/24", "OTEL_SDK_DISABLED=true")
	for name, test := range map[string]struct {
		header string
		want   string
	}{
		"a loopback address":            {strings.Replace(ppClient, "203.0.113.9", "127.0.0.1", 1), "404"},
		"a loopback address of IPv6":    {ppv2("[::1]:1", "[::1]:80"), "404"},
		"the address that it came to":   {ppv2("192.0.2.1:1", "192.0.2.1:80"), "404"},
		"an address that is trusted":    {strings.Replace(ppClient, "203.0.113.9", "198.51.100.7", 1), "404"},
		"an address that is not named":  {"PROXY UNKNOWN\r\n", "404"},
		"an address of no family":       {pp2Signature + "\x21\x00\x00\x00", "404"},
		"the load balancer, for itself": {ppLocal, "200"},
	} {
		got, _ := p.loadBalanced(t, "127.0.0.1", test.header).ask(t, "GET /.spangate/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: answered %.40s, want %s", name, got, test.want)
		}
		if got, _ := p.loadBalanced(t, "127.0.0.1", test.header).ask(t, "GET /.spangate/live HTTP/1.1\r\nHost: localhost\r\n\r\n"); got != "200 ok" {
			t.Errorf("%s: live answered %q", name, got)
		}
	}
	for _, host := range []string{"a.test", "localhost\r\nX-Forwarded-For: 127.0.0.1"} {
		if got, _ := p.loadBalanced(t, "127.0.0.1", ppLocal).ask(t, "GET /.spangate/status HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); !strings.HasPrefix(got, "404") {
			t.Errorf("by %q on a connection that is said to be a load balancer's own: answered %.40s, want 404", host, got)
		}
	}
	apart := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "OTEL_SDK_DISABLED=true", "ADMIN_PORT="+port)
	apart.await("listening for the proxy's own endpoints")
	admitted(t, "127.0.0.1:"+port, "GET /.spangate/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

// TestProxyProtocolCommands checks that the commands that ask a running instance get
// their answers, whether it awaits a header from this host or not.
func TestProxyProtocolCommands(t *testing.T) {
	t.Parallel()
	for name, trusted := range map[string]string{"this host is trusted": "127.0.0.0/8", "it is not": "198.51.100.0/24"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := []string{"HOST=127.0.0.1", "BACKENDS=echo:a", "PORT=" + wiretest.FreePort(t), "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=" + trusted}
			start(t, environ...)
			for _, arg := range []string{"healthcheck", "status"} {
				var stderr strings.Builder
				if code := report(&stderr, command(t.Context(), []string{arg}, environ, io.Discard)); code != 0 {
					t.Errorf("%s: exit code %d, stderr %q", arg, code, &stderr)
				}
			}
		})
	}
}

func TestProxyProtocolNeedsTrust(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"nobody is trusted": {[]string{"PROXY_PROTOCOL=on"}, []string{`PROXY_PROTOCOL="on": needs the addresses of the load balancers in TRUSTED_PROXIES, which has none`}},
		"none are":          {[]string{"PROXY_PROTOCOL=on", "TRUSTED_PROXIES=none"}, []string{`PROXY_PROTOCOL="on": needs the addresses of the load balancers in TRUSTED_PROXIES, which has none`}},
		"another word":      {[]string{"PROXY_PROTOCOL=v2"}, []string{`PROXY_PROTOCOL="v2": must be off or on`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), append(test.environ, "BACKENDS=echo:a", "PORT=0"), io.Discard)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestProxyProtocolBelowTLS checks that the header goes before the handshake, on both
// ports, and that one which is no header is no handshake that failed.
func TestProxyProtocolBelowTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	port := wiretest.FreePort(t)
	environ := []string{"HOST=127.0.0.1", "PORT=" + port, "BACKENDS=" + tellsWhoAsks(t), "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}
	p := start(t, environ...)
	for _, header := range []string{ppClient, ppv2("203.0.113.9:4711", "192.0.2.1:80")} {
		for _, http2 := range []bool{false, true} {
			transport := overTLS(t, &tls.Config{RootCAs: ca.Pool}, http2)
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return p.loadBalanced(t, "127.0.0.1", header).Conn, nil
			}
			for range 2 {
				if _, body := get(t, transport, "https://"+p.addr+"/"); body != "203.0.113.9 / for=203.0.113.9;host=\""+p.addr+"\";proto=https" {
					t.Errorf("http2=%v: the backend is told %q", http2, body)
				}
			}
			resp, _ := get(t, transport, "https://"+p.addr+"/.spangate/status")
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("the status is shown: %s", resp.Status)
			}
		}
	}
	if answer, _ := io.ReadAll(p.loadBalanced(t, "127.0.0.1", "\x16\x03\x01\x02\x00\x01")); len(answer) > 0 {
		t.Errorf("without a header: %q", answer)
	}
	if err := command(t.Context(), []string{"healthcheck"}, environ, io.Discard); err != nil {
		t.Error(err)
	}
	p.stop()
	if n := p.counted("spangate.proxy_protocol.failures"); n != 1 {
		t.Errorf("%v connections counted, want 1", n)
	}
	if n := p.counted("spangate.tls.handshake.failures"); n != 0 {
		t.Errorf("%v handshakes counted, want none", n)
	}
}
