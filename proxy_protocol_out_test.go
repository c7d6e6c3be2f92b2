package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/proxyproto"
	"spangate/handler/wire/wiretest"
)

// announcedTo is a listener of a backend that is told whose its connections are, and
// counts them.
type announcedTo struct {
	net.Listener
	receiver proxyproto.Receiver

	mu       sync.Mutex
	accepted int
	failed   []error
}

func (l *announcedTo) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	return l.receiver.Conn(conn), nil
}

// seen returns how many connections there have been, and what was wrong with headers.
func (l *announcedTo) seen() (int, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted, l.failed
}

// announcedBackend returns a backend that answers with the ends that it is told of,
// over HTTP/1.1, HTTP/2 and, if so, TLS, and the variables for it.
func announcedBackend(t *testing.T, scheme, version string) (l *announcedTo, environ []string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ends := fmt.Sprint(r.RemoteAddr, " to ", r.Context().Value(http.LocalAddrContextKey))
		if r.Header.Get("Upgrade") != "" {
			hijack(t, w, func(conn net.Conn, in io.Reader) {
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n%s:", ends)
				io.Copy(conn, in)
			})
			return
		}
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Proto, " ", ends)
	}))
	l = &announcedTo{Listener: server.Listener}
	l.receiver = proxyproto.Receiver{Trusts: func(netip.Addr) bool { return true }, Timeout: 1 << 40, Failed: func(_ net.Addr, err *proxyproto.Error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed = append(l.failed, err)
	}}
	server.Listener = l
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols = &protocols
	if scheme == "https" {
		server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	environ = []string{"BACKENDS=" + scheme + "://" + server.Listener.Addr().String() + ";proxy-protocol=" + version}
	if scheme == "https" {
		environ = append(environ, "BACKEND_CA_FILE="+wiretest.CertificateFile(t, server))
	}
	return l, environ
}

// TestProxyProtocolToBackends checks that each request comes over a connection that
// begins with its client's address, whatever is spoken over that.
func TestProxyProtocolToBackends(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scheme, version string
		proto           string
	}{
		"HTTP/1.1, v1":           {"http", "v1", "HTTP/1.1"},
		"HTTP/1.1, v2":           {"http", "v2", "HTTP/1.1"},
		"HTTP/2 in the clear":    {"h2c", "v2", "HTTP/2.0"},
		"HTTP/2 in the clear, 1": {"h2c", "v1", "HTTP/2.0"},
		"https":                  {"https", "v2", "HTTP/2.0"},
		"https, v1":              {"https", "v1", "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, environ := announcedBackend(t, test.scheme, test.version)
			p := start(t, append(environ, "PROBE_MODE=off", "PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.0/8", "BACKEND_MAX_CONNECTIONS=3")...)
			clients := map[string]string{
				"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n":         "203.0.113.9:4711 to 192.0.2.1:80",
				"PROXY TCP4 203.0.113.10 192.0.2.1 4712 80\r\n":        "203.0.113.10:4712 to 192.0.2.1:80",
				"PROXY TCP6 2001:db8::9 2001:db8::1 4713 80\r\n":       "[2001:db8::9]:4713 to [2001:db8::1]:80",
				"PROXY TCP6 2001:db8::9 192.0.2.1 4714 80\r\n":         "[2001:db8::9]:4714 to 192.0.2.1:80",
				"PROXY TCP6 ::ffff:1.2.3.4 ::ffff:1.2.3.5 4715 80\r\n": "1.2.3.4:4715 to 1.2.3.5:80",
			}
			const times = 10
			var wg sync.WaitGroup
			for header, ends := range clients {
				s := p.loadBalanced(t, "127.0.0.1", header)
				wg.Go(func() {
					for i := range times {
						request := "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
						if i%2 > 0 {
							request = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
						}
						if got, _ := s.ask(t, request); got != "200 "+test.proto+" "+ends {
							t.Errorf("the backend was told %q, want %q", got, ends)
						}
					}
				})
			}
			wg.Wait()
			if n, failed := l.seen(); n != times*len(clients) || failed != nil {
				t.Errorf("%d connections, want one for each of %d requests; failures %v", n, times*len(clients), failed)
			}

			if test.scheme == "h2c" {
				return // which has no upgrades
			}
			upgraded := p.loadBalanced(t, "127.0.0.1", ppClient)
			io.WriteString(upgraded, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			if resp, err := http.ReadResponse(upgraded.in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("upgrade: %v, error %v", resp, err)
			}
			io.WriteString(upgraded, "both ways")
			upgraded.Conn.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(upgraded.in); err != nil || string(got) != "203.0.113.9:4711 to 192.0.2.1:80:both ways" {
				t.Errorf("upgraded: %q, error %v", got, err)
			}
		})
	}
}

// TestProxyProtocolOfOtherClients checks whose a connection is said to be where the
// client's address is another's word, or not known.
func TestProxyProtocolOfOtherClients(t *testing.T) {
	t.Parallel()
	for version, unknown := range map[string]string{"v1": "PROXY UNKNOWN\r\n", "v2": ppLocal} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			headers := make(chan string, 1)
			backend := beginning(t, func(in *bufio.Reader) { headers <- headerOf(t, in) })
			p := start(t, "BACKENDS=http://"+backend+";proxy-protocol="+version, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8")
			here := netip.MustParseAddrPort(p.addr)
			for _, test := range []struct{ forwardedFor, client string }{
				{"", ""},
				{"203.0.113.9", "203.0.113.9:0"},
				{"2001:db8::9", "[2001:db8::9]:0"},
				{"unknown", "unknown"},
			} {
				s := p.session(t)
				request := "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
				if test.forwardedFor != "" {
					request = strings.Replace(request, "\r\n\r\n", "\r\nX-Forwarded-For: "+test.forwardedFor+"\r\n\r\n", 1)
				}
				s.ask(t, request)
				got, want := <-headers, unknown
				if test.client == "" {
					test.client = s.LocalAddr().String()
				}
				if test.client != "unknown" {
					v := proxyproto.V1
					if version == "v2" {
						v = proxyproto.V2
					}
					want = string(proxyproto.Header{Source: netip.MustParseAddrPort(test.client), Destination: here}.Append(nil, v))
				}
				if got != want {
					t.Errorf("for %q: %q, want %q", test.forwardedFor, got, want)
				}
			}
		})
	}
}

// TestProxyProtocolOfProbes checks that probes speak for the proxy itself, so that a
// backend which awaits a header is found fit.
func TestProxyProtocolOfProbes(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string][]string{"tcp": nil, "http": {"PROBE_PATH=/"}} {
		for version, want := range map[string]string{"v1": "PROXY UNKNOWN\r\n", "v2": ppLocal} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				headers := make(chan string, 100)
				backend := beginning(t, func(in *bufio.Reader) { headers <- headerOf(t, in) })
				p := start(t, append(environ, "BACKENDS=http://"+backend+";proxy-protocol="+version, "OTEL_SDK_DISABLED=true")...)
				if got := <-headers; got != want {
					t.Errorf("a probe begins with %q, want %q", got, want)
				}
				p.await(`"spangate.backend.state":"ready"`)
			})
		}
	}
}

// beginning returns where a backend listens that hands the beginning of each
// connection on and answers one request, if there is any.
func beginning(t *testing.T, begun func(in *bufio.Reader)) string {
	t.Helper()
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		in := bufio.NewReader(conn)
		begun(in)
		if _, err := http.ReadRequest(in); err == nil {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
}

// headerOf reads the header that a connection begins with.
func headerOf(t *testing.T, in *bufio.Reader) string {
	if first, _ := in.Peek(1); string(first) == "P" {
		line, _ := in.ReadString('\n')
		return line
	}
	fixed, err := in.Peek(16)
	if err != nil {
		t.Errorf("no header: %v", err)
		return ""
	}
	whole := make([]byte, 16+int(fixed[14])<<8+int(fixed[15]))
	io.ReadFull(in, whole)
	return string(whole)
}

// TestProxyProtocolFaultsOfBackends checks that what fails on the way is told as it
// is without the header, and blamed on nobody else.
func TestProxyProtocolFaultsOfBackends(t *testing.T) {
	t.Parallel()
	closing := func(t *testing.T) string { return wiretest.Listen(t, func(net.Conn, int) {}) }
	for name, test := range map[string]struct {
		backend func(t *testing.T) string
		status  int
		failure string
	}{
		"nobody listens":    {refusing, http.StatusBadGateway, "connection_refused"},
		"it closes at once": {closing, http.StatusBadGateway, "connection_reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=http://"+test.backend(t)+";proxy-protocol=v1", "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
			resp, _ := p.ask(t, "GET", "/", nil)
			p.stop()
			if got, _ := p.span(t, "CLIENT").Attributes["error.type"].(string); resp.StatusCode != test.status || test.failure != "" && got != test.failure {
				t.Errorf("answered %s, error.type %s, want %d, %s", resp.Status, got, test.status, test.failure)
			}
		})
	}
	t.Run("it knows no header", func(t *testing.T) {
		t.Parallel()
		p := start(t, "BACKENDS="+plainBackend(t, http.NotFound)+";proxy-protocol=v1", "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
		resp, err := p.send(t.Context(), "GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()                                                                         // it may be cut off: who answers so closes at once, whatever is on its way
		if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusBadGateway { // the latter where it answers before it is asked
			t.Errorf("answered %s", resp.Status)
		}
	})
	t.Run("options that are none", func(t *testing.T) {
		t.Parallel()
		err := run(t.Context(), []string{"BACKENDS=http://a:1;proxy-protocol=v3,echo:a;proxy-protocol=v1", "PORT=0"}, io.Discard)
		want := []string{
			`BACKENDS: backend "http://a:1;proxy-protocol=v3": proxy-protocol "v3" must be v1 or v2`,
			`BACKENDS: backend "echo:a;proxy-protocol=v1": proxy-protocol is not for an echo backend, which does not speak it`,
		}
		if diff := cmp.Diff(want, lines(err)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
