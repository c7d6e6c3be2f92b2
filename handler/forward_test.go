package handler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler"
)

// proxy serves handler.Forward in front of backend, both on loopback. scheme
// is that of the backend.
type proxy struct {
	url     string
	addr    string
	handler http.Handler // without the server
	failed  chan *balancer.Error
}

func newProxy(t *testing.T, scheme, backendAddr string, change ...func(*handler.ForwardConfig)) proxy {
	t.Helper()
	return newProxyBehind(t, handler.Origin{}, scheme, backendAddr, change...)
}

// newProxyBehind returns one that believes whom origin says.
func newProxyBehind(t *testing.T, origin handler.Origin, scheme, backendAddr string, change ...func(*handler.ForwardConfig)) proxy {
	t.Helper()
	cfg := balancer.Config{
		ConnectTimeout: 2 * time.Second, ResponseTimeout: 10 * time.Second,
		Retry: balancer.RetryConfig{Attempts: 1, Backoff: time.Millisecond},
	}
	if err := cfg.Backends.UnmarshalText([]byte(scheme + "://" + backendAddr)); err != nil {
		t.Fatal(err)
	}
	backends, err := balancer.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := proxy{failed: make(chan *balancer.Error, 16)}
	forward := handler.ForwardConfig{Failures: handler.Failures{
		Report: func(_ *http.Request, e *balancer.Error) { p.failed <- e },
	}}
	for _, f := range change {
		f(&forward)
	}
	p.handler = handler.Chain(handler.Forward(balancer.Retry(balancer.NewPool(balancer.NewRoundRobin(), balancer.PoolConfig{}, backends...), cfg.Retry), forward), handler.Identify(origin))
	p.addr = serve(t, p.handler, forward.ClientTimeout)
	p.url = "http://" + p.addr
	return p
}

// serve runs h with handler.Serve until the test ends.
func serve(t *testing.T, h http.Handler, clientTimeout time.Duration) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- handler.Serve(ctx, ln, h, handler.Config{
			HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
			ClientTimeout: clientTimeout, ShutdownTimeout: 100 * time.Millisecond,
		}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// backend serves h over HTTP/1.1 and h2c.
func backend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols = &protocols
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.Listener.Addr().String()
}

// rawBackend answers each connection with answer, which gets the connection
// once the header of a request has been read from it.
func rawBackend(t *testing.T, answer func(net.Conn, *http.Request)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err == nil {
					answer(conn, r)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// raw sends text to addr and returns the responses' bytes until the connection
// ends.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestForwardPassesTheTargetAsItCame(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	p := newProxy(t, "http", addr)
	many := "/many?" + strings.Repeat("a=b&", 12_000)
	for _, target := range []string{
		"/", "/a%2Fb/c%20d", "//double//slash", "/dots/../x/./y", "/?x=1;y=2", "/?%zz", "/?", "/a?b?c", "/ü%C3%BC", "/;p=1", "/%41", many,
	} {
		name := target[:min(len(target), 20)]
		t.Run(name, func(t *testing.T) {
			answer := raw(t, p.addr, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
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
			resp, err := client(t, false).Do(r)
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
	resp, _ := do(t, client(t, false), "GET", newProxy(t, "http", addr).url, nil, nil)
	resp.Header.Del("Date")
	want := http.Header{"Location": {"http://elsewhere.test/"}, "Set-Cookie": {"a=1", "b=2"}, "Via": {"1.1 spangate"}, "Content-Length": {"0"}}
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("client received (-want +got):\n%s", diff)
	}
	if resp.StatusCode != http.StatusFound {
		t.Errorf("status %d: the redirect must be passed on, not followed", resp.StatusCode)
	}
}

func TestForwardStreamsServerSentEvents(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			next := make(chan string)
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				http.NewResponseController(w).Flush()
				for event := range next {
					io.WriteString(w, event)
					http.NewResponseController(w).Flush()
				}
			})
			r, _ := http.NewRequestWithContext(t.Context(), "GET", newProxy(t, "http", addr).url, nil)
			resp, err := client(t, http2).Do(r) // the header comes before any event
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			buffer := make([]byte, 1024)
			for i := range 3 {
				event := fmt.Sprintf("id: %d\ndata: x\n\n", i)
				next <- event // the next one is sent only when this one has arrived
				n, err := io.ReadAtLeast(resp.Body, buffer, len(event))
				if err != nil || string(buffer[:n]) != event {
					t.Fatalf("event %d: got %q, %v", i, buffer[:n], err)
				}
			}
			close(next)
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %q, %v", rest, err)
			}
		})
	}
}

func TestForwardTrailers(t *testing.T) {
	type pair struct{ client, backend bool } // whether each speaks HTTP/2
	for _, http2 := range []pair{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", http2), func(t *testing.T) {
			received := make(chan http.Header, 1)
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "X-Announced")
				io.Copy(io.Discard, r.Body)
				received <- r.Trailer
				io.WriteString(w, "body")
				w.Header().Set("X-Announced", "1")
				w.Header().Set(http.TrailerPrefix+"X-Late", "2")
			})
			scheme := "http"
			if http2.backend {
				scheme = "h2c"
			}
			p := newProxy(t, scheme, addr)
			r, _ := http.NewRequestWithContext(t.Context(), "POST", p.url, io.MultiReader(strings.NewReader("sent")))
			r.Trailer = http.Header{"X-Sum": {"3"}}
			resp, err := client(t, http2.client).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if diff := cmp.Diff(http.Header{"X-Sum": {"3"}}, <-received); diff != "" {
				t.Errorf("request trailers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(http.Header{"X-Announced": {"1"}, "X-Late": {"2"}}, resp.Trailer); diff != "" {
				t.Errorf("response trailers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardInterimResponses(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	})
	answer := raw(t, newProxy(t, "http", addr).addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	interim, final, _ := strings.Cut(answer, "\r\n\r\n")
	if !strings.HasPrefix(interim, "HTTP/1.1 103 ") || !strings.Contains(interim, "Link: </a.css>; rel=preload") {
		t.Errorf("interim response: %q", interim)
	}
	if !strings.HasPrefix(final, "HTTP/1.1 200 OK\r\n") || strings.Contains(final, "Link:") {
		t.Errorf("final response: %q", final)
	}
}

func TestForwardExpectContinue(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	p := newProxy(t, "http", addr)
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	in := textproto.NewReader(bufio.NewReader(conn))
	if line, err := in.ReadLine(); err != nil || line != "HTTP/1.1 100 Continue" {
		t.Fatalf("before the body: %q, %v", line, err)
	}
	io.WriteString(conn, "hello")
	for {
		line, err := in.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if line == "HTTP/1.1 200 OK" {
			break
		}
	}
	if answer := raw(t, p.addr, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
		t.Errorf("a refusal must come instead of 100: %q", answer)
	}
}

func TestForwardUpgrade(t *testing.T) {
	addr := rawBackend(t, func(conn net.Conn, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo/1" {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nhello ")
		io.Copy(conn, conn) // until the half-close
		io.WriteString(conn, " bye")
	})
	p := newProxy(t, "http", addr)
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The first bytes of the new protocol are glued to the request.
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nglued,")
	in := bufio.NewReader(conn)
	head, err := textproto.NewReader(in).ReadLine()
	if err != nil || head != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("%q, %v", head, err)
	}
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil || header.Get("Upgrade") != "echo/1" || header.Get("Connection") != "Upgrade" {
		t.Errorf("header of the 101: %v, %v", header, err)
	}
	io.WriteString(conn, "then")
	conn.(*net.TCPConn).CloseWrite()
	carried, err := io.ReadAll(in)
	if want := "hello glued,then bye"; err != nil || string(carried) != want {
		t.Errorf("upgraded connection carried %q, want %q; %v", carried, want, err)
	}
	// RFC 9110 §7.8 lets a server pass over an Upgrade: with a body it is not passed on.
	withBody := raw(t, p.addr, "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: echo/1\r\nContent-Length: 2\r\n\r\nhi")
	if !strings.HasPrefix(withBody, "HTTP/1.1 200 ") {
		t.Errorf("an upgrade with a body: %q", withBody)
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
		answer := raw(t, p.addr, request+"Connection: close\r\n\r\n")
		if got := strings.Fields(answer)[1]; got != want {
			t.Errorf("%q: status %s, want %s", request, got, want)
		}
	}
}

func TestForwardTakesEveryValidHost(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	p := newProxy(t, "http", addr)
	for _, host := range []string{"a", "A.test:80", "[::1]", "[2001:db8::1]:443", "127.0.0.1:8080", "x_y-z~.test", "a:"} {
		answer := raw(t, p.addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.HasSuffix(answer, host) {
			t.Errorf("Host: %s: %q", host, answer)
		}
	}
}

func TestForwardFailures(t *testing.T) {
	// Bound, but nothing listens: the port is taken, and connections are refused.
	gone, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(gone)
	if err := syscall.Bind(gone, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(gone)
	if err != nil {
		t.Fatal(err)
	}
	refuses := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	says := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return rawBackend(t, func(conn net.Conn, _ *http.Request) { io.WriteString(conn, text) })
		}
	}
	tests := []struct {
		name   string
		scheme string
		addr   func(*testing.T) string
		status int
		kind   balancer.ErrorType
	}{
		{"nothing listens", "http", func(*testing.T) string { return refuses }, 502, balancer.ConnectionRefused},
		{"the name does not resolve", "http", func(*testing.T) string { return "no-such-name.invalid:80" }, 502, balancer.DNSError},
		{"TLS to a server without it", "https", says("HTTP/1.1 200 OK\r\n\r\n"), 502, balancer.TLSHandshakeError},
		{"closed before a response", "http", says(""), 502, balancer.ConnectionReset},
		{"closed amid the header", "http", says("HTTP/1.1 200 OK\r\nX: "), 502, balancer.ConnectionReset},
		{"not HTTP", "http", says("SSH-2.0-OpenSSH\r\n"), 502, balancer.MalformedResponse},
		{"an impossible version", "http", says("HTTP/5.6 200 OK\r\nContent-Length: 0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"a bare CR in the status line", "http", says("HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"a space in a field name", "http", says("HTTP/1.1 200 OK\r\nX y: 1\r\nContent-Length: 0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"both lengths", "http", says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"a folded line", "http", says("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"a bare LF", "http", says("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"), 502, balancer.MalformedResponse},
		{"two lengths that differ", "http", says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, balancer.MalformedResponse},
		{"an endless header", "http", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), 502, balancer.MalformedResponse},
		{"a switch nobody asked for", "http", says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), 502, balancer.MalformedResponse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newProxy(t, test.scheme, test.addr(t))
			resp, body := do(t, client(t, false), "GET", p.url, nil, nil)
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if got := (<-p.failed).Type; got != test.kind {
				t.Errorf("error type %q, want %q", got, test.kind)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" || strings.Contains(body, "127.0.0.1") {
				t.Errorf("body of type %q tells of the inside or is no problem: %s", got, body)
			}
		})
	}
}

func TestForwardTimeouts(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := newProxy(t, "http", addr)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, r)
	if got := (<-p.failed).Type; w.Code != http.StatusGatewayTimeout || got != balancer.Timeout {
		t.Errorf("past its deadline: status %d, error type %q", w.Code, got)
	}
}

// forwardTo returns a Forward to a backend that may take as long as patience.
func forwardTo(t *testing.T, addr string, patience time.Duration, p *proxy) http.Handler {
	t.Helper()
	cfg := balancer.Config{ConnectTimeout: time.Second, ResponseTimeout: patience}
	if err := cfg.Backends.UnmarshalText([]byte("http://" + addr)); err != nil {
		t.Fatal(err)
	}
	backends, err := balancer.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return handler.Forward(balancer.NewPool(balancer.NewRandom(), balancer.PoolConfig{}, backends...), handler.ForwardConfig{Failures: handler.Failures{
		Report: func(_ *http.Request, e *balancer.Error) { p.failed <- e },
	}})
}

func TestForwardResponseTimeout(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := proxy{failed: make(chan *balancer.Error, 1)}
	w := httptest.NewRecorder()
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if got := (<-p.failed).Type; w.Code != http.StatusGatewayTimeout || got != balancer.ResponseTimeout {
		t.Errorf("a black hole: status %d, error type %q", w.Code, got)
	}
}

func TestForwardABackendThatDoesNotReadTimesOut(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := proxy{failed: make(chan *balancer.Error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only where nothing else ends it
	defer cancel()
	const size = 64 << 20 // more than two sockets hold
	body := io.LimitReader(zeros{}, size)
	r := httptest.NewRequestWithContext(ctx, "PUT", "/", body)
	r.ContentLength = size
	w := httptest.NewRecorder()
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, r)
	if e := <-p.failed; w.Code != http.StatusGatewayTimeout || e.Type != balancer.ResponseTimeout || e.Blameless() {
		t.Errorf("status %d, error %v, blameless %v", w.Code, e, e.Blameless())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// stalled is a request's body of which nothing comes after sent until ctx ends.
func stalled(ctx context.Context, sent string) io.Reader {
	rest, out := io.Pipe()
	context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	return io.MultiReader(strings.NewReader(sent), rest)
}

func TestForwardKeepsTheDeadlineWhileTheClientStalls(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("backend=%s,http2=%v", scheme, http2), func(t *testing.T) {
				addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
				p := newProxy(t, scheme, addr)
				bounded := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, cancel := context.WithTimeout(r.Context(), patience)
					defer cancel()
					p.handler.ServeHTTP(w, r.WithContext(ctx))
				}), 0)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only where nothing else ends it
				defer cancel()
				r, _ := http.NewRequestWithContext(ctx, "POST", "http://"+bounded, stalled(ctx, "abc"))
				resp, err := client(t, http2).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				cancel() // net/http's client closes no body while its upload is open
				resp.Body.Close()
				if resp.StatusCode != http.StatusGatewayTimeout || resp.Close == http2 {
					t.Errorf("status %d, closes the connection: %v", resp.StatusCode, resp.Close)
				}
				if got := (<-p.failed).Type; got != balancer.Timeout {
					t.Errorf("error type %q", got)
				}
			})
		}
	}
}

// A client that is not told would send its next request on a connection that
// ends.
func TestForwardSaysThatAnUnreadUploadEndsTheConnection(t *testing.T) {
	early := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
		io.Copy(io.Discard, conn) // to close it over unread bytes might lose the answer
	})
	tests := map[string]struct{ addr, fields, status string }{
		"answered early":        {early, "", "413"},
		"answered by the proxy": {"no-such-name.invalid:80", "", "502"},
		"refused":               {early, "Via: " + strings.Repeat("1.1 spangate, ", 10) + "\r\n", "508"},
	}
	for name, test := range tests {
		for _, body := range []string{"abc", "abcdefghij"} {
			t.Run(fmt.Sprint(name, ", ", len(body), " of 10 bytes"), func(t *testing.T) {
				conn := dial(t, newProxy(t, "http", test.addr).addr)
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"+test.fields+"\r\n"+body)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if want := len(body) < 10; resp.Close != want || !strings.HasPrefix(resp.Status, test.status) {
					t.Errorf("status %s, closes the connection: %v, want %v", resp.Status, resp.Close, want)
				}
			})
		}
	}
}

func TestForwardABackendLostAmidTheBodyAbortsTheResponse(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
		for _, http2 := range []bool{false, true} {
			addr := rawBackend(t, func(conn net.Conn, _ *http.Request) { io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+framing) })
			p := newProxy(t, "http", addr)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", p.url, nil)
			resp, err := client(t, http2).Do(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Errorf("%q, http2=%v: the response looks complete", framing, http2)
			}
			if got := (<-p.failed).Type; got != balancer.BackendReset {
				t.Errorf("%q, http2=%v: error type %q", framing, http2, got)
			}
		}
	}
}

func TestForwardTheClientsCancellationReachesTheBackend(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		arrived, canceled := make(chan struct{}), make(chan struct{})
		addr := backend(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(canceled)
		})
		p := newProxy(t, "http", addr)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		r, _ := http.NewRequestWithContext(ctx, "GET", p.url, nil)
		if _, err := client(t, http2).Do(r); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		<-canceled
		if got := (<-p.failed).Type; got != balancer.ClientDisconnected {
			t.Errorf("http2=%v: error type %q", http2, got)
		}
	}
}

func TestForwardBlamesTheClientForItsBody(t *testing.T) {
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	tests := []struct {
		name, body string
		close      bool
		status     string
		kind       balancer.ErrorType
	}{
		{"a bad chunk size", "zz\r\nab\r\n0\r\n\r\n", false, "400", balancer.MalformedRequest},
		{"a chunk longer than it says", "1\r\nabc\r\n0\r\n\r\n", false, "400", balancer.MalformedRequest},
		{"it stops", "5\r\nab", false, "408", balancer.ClientTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newProxy(t, "http", addr, func(cfg *handler.ForwardConfig) { cfg.ClientTimeout = 100 * time.Millisecond })
			answer := raw(t, p.addr, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+test.body)
			if got := strings.Fields(answer)[1]; got != test.status {
				t.Errorf("status %s, want %s", got, test.status)
			}
			if e := <-p.failed; e.Type != test.kind || !e.Blameless() {
				t.Errorf("error %v, blameless %v, want %s", e, e.Blameless(), test.kind)
			}
		})
	}
}

// golang/go#80085: closing the response's body waits for the client.
func TestForwardEndsWithTheResponseThoughTheRequestIsOpen(t *testing.T) {
	type pair struct{ client, backend bool }
	for _, http2 := range []pair{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("%+v", http2), func(t *testing.T) {
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor == 1 {
					http.NewResponseController(w).EnableFullDuplex()
				}
				io.ReadFull(r.Body, make([]byte, 4))
				w.Header().Set("Trailer", "Grpc-Status")
				io.WriteString(w, "answer")
				w.Header().Set("Grpc-Status", "5")
			})
			scheme := "http"
			if http2.backend {
				scheme = "h2c"
			}
			p := newProxy(t, scheme, addr)
			body, out := io.Pipe()
			defer out.Close()
			r, _ := http.NewRequestWithContext(t.Context(), "POST", p.url, body)
			go io.WriteString(out, "open")
			resp, err := client(t, http2.client).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || string(text) != "answer" || resp.Trailer.Get("Grpc-Status") != "5" {
				t.Errorf("got %q, trailer %v, %v", text, resp.Trailer, err)
			}
		})
	}
}

// With net/http's defaults about one response in 600 is cut short, as the
// server and the transport both read the end of the request's body.
func TestForwardPostsAreAnsweredWhole(t *testing.T) {
	answer := strings.Repeat("x", 10_000)
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		io.CopyN(io.Discard, r.Body, 1)
		io.WriteString(w, answer)
		io.Copy(io.Discard, r.Body)
	})
	p := newProxy(t, "http", addr)
	c := client(t, false)
	var sent atomic.Int64
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for sent.Add(1) <= 2000 {
				resp, err := c.Post(p.url, "text/plain", io.MultiReader(strings.NewReader("some body")))
				if err != nil {
					done <- err
					return
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(text) != answer {
					done <- fmt.Errorf("%d bytes, %w", len(text), err)
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
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
		resp, err := client(t, false).Do(r)
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

func TestFailuresRespondInTheFormThatIsAccepted(t *testing.T) {
	failures := handler.Failures{TraceID: func(context.Context) string { return "0af7651916cd43dd8448eb211c80319c" }}
	for accept, want := range map[string]string{
		"":                     "{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"No server is available for this request at the moment.\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}\n",
		"text/html, */*;q=0.1": "503 Service Unavailable\n\nNo server is available for this request at the moment.\n\ntrace 0af7651916cd43dd8448eb211c80319c\n",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		failures.Respond(w, r, &balancer.Error{Type: balancer.NoHealthyBackend})
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("Accept: %q (-want +got):\n%s", accept, diff)
		}
		if w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
}
