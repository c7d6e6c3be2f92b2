package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"spangate/handler/certificate/certtest"
)

// agrees returns the address of a backend that agrees to each WebSocket, after
// which use has the connection and closes it. What it was asked is in asked.
func agrees(t *testing.T, asked chan<- *http.Request, use func(conn *net.TCPConn, in io.Reader)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked != nil {
			asked <- r
		}
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
			base64.StdEncoding.EncodeToString(sum[:]))
		use(conn.(*net.TCPConn), buffered)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func echoes(conn *net.TCPConn, in io.Reader) { io.Copy(conn, in) }

// webSocket is one over HTTP/2, as its client has it.
type webSocket struct {
	*http.Response
	out    *io.PipeWriter
	in     *bufio.Reader
	cancel context.CancelFunc
}

// extended returns a client of HTTP/2 over what dial makes that can ask for a
// WebSocket, as net/http's own cannot: it takes :protocol for no name of a field.
func extended(dial func(ctx context.Context, network, addr string) (net.Conn, error)) http.RoundTripper {
	//lint:ignore SA1019 what replaces it is net/http's own
	return &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return dial(ctx, network, addr)
	}}
}

// connect asks p for a WebSocket, or for what protocol says.
func (p *program) connect(t *testing.T, client http.RoundTripper, protocol string, header ...string) *webSocket {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	body, out := io.Pipe()
	r := p.newRequest(ctx, "CONNECT", "/chat?room=1", body, append([]string{"Sec-WebSocket-Version: 13"}, header...)...)
	r.Header[":protocol"] = []string{protocol}
	resp, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close(); resp.Body.Close() })
	return &webSocket{resp, out, bufio.NewReader(resp.Body), cancel}
}

// end has the client end it, which the backend answers by ending it, too.
func (ws *webSocket) end(t *testing.T) {
	t.Helper()
	ws.out.Close()
	if rest, err := io.ReadAll(ws.in); len(rest) > 0 || err != nil {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

// TestWebSocketOverHTTP2 checks one that goes well: what both ends see, and what is
// told of it.
func TestWebSocketOverHTTP2(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 3)
	p := start(t, "BACKENDS=http://"+agrees(t, asked, echoes), "MAX_REQUEST_BODY=1KiB", "PROBE_MODE=off")
	ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket", "Sec-WebSocket-Protocol: chat", "Origin: https://page.test")
	if ws.StatusCode != 200 {
		t.Fatal(ws.Status)
	}
	for _, text := range []string{"hello\n", strings.Repeat("x", 100<<10) + "\n"} {
		go io.WriteString(ws.out, text)
		if got, err := ws.in.ReadString('\n'); got != text {
			t.Fatalf("%d bytes of %d came back: %v", len(got), len(text), err)
		}
	}
	client := extended(new(net.Dialer).DialContext)                                                         // of which one connection carries several
	for _, ws := range []*webSocket{p.connect(t, client, "websocket"), p.connect(t, client, "websocket")} { // both are open
		go io.WriteString(ws.out, "one of two\n")
		if got, err := ws.in.ReadString('\n'); got != "one of two\n" {
			t.Errorf("%q came back: %v", got, err)
		}
		ws.end(t)
	}
	ws.end(t)

	got := map[string]string{}
	for _, name := range []string{"Sec-Websocket-Protocol", "Sec-Websocket-Accept", "Upgrade", "Connection", "Via"} {
		got[name] = strings.Join(ws.Header[name], "|")
	}
	if diff := cmp.Diff(map[string]string{"Sec-Websocket-Protocol": "chat", "Sec-Websocket-Accept": "", "Upgrade": "", "Connection": "", "Via": "1.1 spangate"}, got); diff != "" {
		t.Errorf("the answer's header (-want +got):\n%s", diff)
	}
	r := <-asked
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	seen := []string{r.Proto, r.Method, r.RequestURI, fmt.Sprint(len(key), err), r.Header.Get("Upgrade"), r.Header.Get("Connection"), r.Header.Get("Sec-WebSocket-Version"), r.Header.Get("Via"), r.Header.Get("Origin"), r.Header.Get(":protocol")}
	if diff := cmp.Diff([]string{"HTTP/1.1", "GET", "/chat?room=1", "16 <nil>", "websocket", "Upgrade", "13", "2 spangate", "https://page.test", ""}, seen); diff != "" {
		t.Errorf("what the backend sees (-want +got):\n%s", diff)
	}
	p.stop()
	p.checkSpans(t, strings.Repeat(`
CONNECT SERVER Unset http.request.method=CONNECT http.response.status_code=200 network.protocol.version=2 http.request.body.size=0 http.response.body.size=0
  GET CLIENT Unset http.request.method=GET http.response.status_code=101 network.protocol.version=1.1
`[1:], 3), "http.request.method", "http.response.status_code", "network.protocol.version", "error.type", "http.request.body.size", "http.response.body.size")
}

// TestWebSocketOverHTTPS checks that TLS changes nothing.
func TestWebSocketOverHTTPS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=http://"+agrees(t, nil, echoes), "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	client := extended((&tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool, NextProtos: []string{"h2"}}}).DialContext)
	ws := p.connect(t, secured{client}, "websocket")
	if ws.StatusCode != 200 {
		t.Fatal(ws.Status)
	}
	go io.WriteString(ws.out, "hello\n")
	if got, err := ws.in.ReadString('\n'); got != "hello\n" {
		t.Errorf("%q came back: %v", got, err)
	}
}

// secured sends requests over HTTPS.
type secured struct{ http.RoundTripper }

func (s secured) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Scheme = "https"
	return s.RoundTripper.RoundTrip(r)
}

// TestWebSocketOverHTTP2Ends checks that each way to end passes to the other side.
func TestWebSocketOverHTTP2Ends(t *testing.T) {
	t.Parallel()
	read := func(ws *webSocket) string {
		got, err := io.ReadAll(ws.in)
		if err != nil {
			return string(got) + " reset"
		}
		return string(got) + " end"
	}
	for name, test := range map[string]struct {
		backend func(conn *net.TCPConn, in io.Reader)
		client  func(ws *webSocket, p *program)
		want    string // what the client reads; empty: it does not matter
	}{
		"the client ends first": {
			backend: func(conn *net.TCPConn, in io.Reader) {
				got, err := io.ReadAll(in)
				fmt.Fprintf(conn, "read %s, %v", got, err)
			},
			client: func(ws *webSocket, _ *program) { io.WriteString(ws.out, "all"); ws.out.Close() },
			want:   "read all, <nil> end",
		},
		"the backend ends first": {
			backend: func(conn *net.TCPConn, _ io.Reader) { io.WriteString(conn, "bye") },
			want:    "bye end",
		},
		"the backend ends its sending side": {
			backend: func(conn *net.TCPConn, in io.Reader) {
				io.WriteString(conn, "bye")
				conn.CloseWrite()
				io.Copy(io.Discard, in)
			},
			want: "bye end",
		},
		"the backend resets": {
			backend: func(conn *net.TCPConn, in io.Reader) {
				in.Read(make([]byte, 1))
				conn.SetLinger(0)
			},
			client: func(ws *webSocket, _ *program) { io.WriteString(ws.out, "x") },
			want:   " reset",
		},
		"the client resets": {client: func(ws *webSocket, _ *program) {
			io.WriteString(ws.out, "x") // what comes back shows that the proxy, too, has seen its answer go
			ws.in.ReadByte()
			ws.cancel()
			ws.out.CloseWithError(context.Canceled) // which x/net/http2 reads before it looks at the context
		}},
		"the proxy stops":  {client: func(_ *webSocket, p *program) { go p.stop() }, want: "\x88\x02\x03\xe9 reset"},
		"the time is over": {client: func(ws *webSocket, _ *program) {}, want: " reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan bool)
			backend := test.backend
			if backend == nil {
				backend = echoes
			}
			environ := []string{"BACKENDS=http://" + agrees(t, nil, func(conn *net.TCPConn, in io.Reader) {
				backend(conn, in)
				conn.Close()
				close(ended)
			})}
			switch name {
			case "the proxy stops":
				environ = append(environ, "SHUTDOWN_TIMEOUT=1s")
			case "the time is over":
				environ = append(environ, "REQUEST_TIMEOUT=1s")
			}
			p := start(t, environ...)
			ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket")
			if test.client != nil {
				test.client(ws, p)
			}
			if got := read(ws); test.want != "" && got != test.want {
				t.Errorf("the client reads %q, want %q", got, test.want)
			}
			<-ended // the backend's connection, too
			if name == "the proxy stops" {
				return
			}
			p.stop()
			s := p.span(t, "SERVER")
			wantError := map[string]any{"the time is over": "timeout"}[name]
			if s.Attributes["http.response.status_code"] != int64(200) || s.Attributes["error.type"] != wantError {
				t.Errorf("span: %v", s.Attributes)
			}
		})
	}
}

// TestHandshakesOverHTTP2 checks what comes of those to which the backend does not
// agree.
func TestHandshakesOverHTTP2(t *testing.T) {
	t.Parallel()
	const upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
	for name, test := range map[string]struct {
		backend string // what it says
		want    string
	}{
		"a refusal":                {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Kept: 1\r\n\r\nno", "403 1 no"},
		"a redirect":               {"HTTP/1.1 302 Found\r\nLocation: /\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n", "302 1 "},
		"a version that it has":    {"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 12\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n", "426 1 "},
		"a failure":                {"HTTP/1.1 500 X\r\nContent-Length: 0\r\nX-Kept: 1\r\n\r\n", "500 1 "},
		"no WebSocket, but a page": {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Kept: 1\r\n\r\npage", "501  There is no WebSocket here."},
		"no content":               {"HTTP/1.1 204 No Content\r\nX-Kept: 1\r\n\r\n", "501  There is no WebSocket here."},
		"another key":              {upgrade + "websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "502  The server behind the gateway gave no valid answer."},
		"no key":                   {upgrade + "websocket\r\n\r\n", "502  The server behind the gateway gave no valid answer."},
		"another protocol":         {upgrade + "tls/1.2\r\n\r\n", "502  The server behind the gateway gave no valid answer."},
		"no protocol":              {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "502  The server behind the gateway gave no valid answer."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=http://"+saying(t, test.backend), "PROBE_MODE=off")
			ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket", "Accept: text/plain")
			body, err := io.ReadAll(ws.in)
			if err != nil {
				t.Fatal(err)
			}
			text := string(body)
			if _, problem, ok := strings.Cut(text, "\n\n"); ok {
				text, _, _ = strings.Cut(problem, "\n")
			}
			if got := fmt.Sprint(ws.StatusCode, " ", ws.Header.Get("X-Kept"), " ", text); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestDoorsOfWebSocketsOverHTTP2 checks that each door takes one for what it is.
func TestDoorsOfWebSocketsOverHTTP2(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]int{
		"DENY_CIDRS=127.0.0.0/8":                             403,
		"AUTH_API_KEYS=ops:0123456789abcdef0123456789abcdef": 401,
		"CORS_ALLOWED_ORIGINS=https://page.test":             200,
		"MAX_HEADERS=2":                                      431,
		"MAX_CONCURRENT_REQUESTS=1":                          200,
	} {
		t.Run(environ, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=http://"+agrees(t, nil, echoes), environ)
			client := extended(new(net.Dialer).DialContext)
			ws := p.connect(t, client, "websocket", "Origin: https://page.test")
			if ws.StatusCode != want {
				t.Errorf("%s, want %d", ws.Status, want)
			}
			if environ == "MAX_CONCURRENT_REQUESTS=1" {
				if ws := p.connect(t, client, "websocket"); ws.StatusCode != 503 {
					t.Errorf("one more: %s", ws.Status)
				}
			}
			if got := ws.Header.Get("Access-Control-Allow-Origin"); (got == "https://page.test") != strings.HasPrefix(environ, "CORS") {
				t.Errorf("Access-Control-Allow-Origin: %q", got)
			}
		})
	}
}

// TestOtherProtocolsOverHTTP2 checks that there are no tunnels.
func TestOtherProtocolsOverHTTP2(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=http://"+agrees(t, nil, echoes))
	for _, protocol := range []string{"connect-udp", "webtransport", "websocket2", "web socket", ""} {
		c := newHTTP2Client(t, p.addr)
		got := c.answer(c.open(false, ":method", "CONNECT", ":protocol", protocol, ":scheme", "http", ":path", "/", ":authority", "x"))
		if !strings.HasPrefix(got.String(), "501 ") && got.reset == "" {
			t.Errorf("%q: %s", protocol, got)
		}
		if protocol != "" {
			c.get("/")
		}
	}
	c := newHTTP2Client(t, p.addr)
	if got := c.answer(c.open(true, ":method", "CONNECT", ":authority", "x")); !strings.HasPrefix(got.String(), "501 ") {
		t.Errorf("CONNECT: %s", got)
	}
	if got := c.answer(c.open(true, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "*", ":authority", "x")); !strings.HasPrefix(got.String(), "400 ") {
		t.Errorf("a target that is none: %s", got)
	}
}

// TestWebSocketOverHTTP2PushesBack checks that what its client does not take stays
// with the backend, and that the client's patience ends it.
func TestWebSocketOverHTTP2PushesBack(t *testing.T) {
	t.Parallel()
	wrote := make(chan int64, 1)
	p := start(t, "CLIENT_TIMEOUT=500ms", "BACKENDS=http://"+agrees(t, nil, func(conn *net.TCPConn, _ io.Reader) {
		n, err := io.Copy(struct{ io.Writer }{conn}, io.LimitReader(zeros{}, 1<<30))
		if err == nil {
			err = errors.New("none")
		}
		t.Logf("after %d bytes: %v", n, err)
		wrote <- n
	}))
	ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket")
	if n := <-wrote; n > 64<<20 {
		t.Errorf("the backend got rid of %d bytes that nobody took", n)
	}
	if _, err := io.Copy(io.Discard, ws.in); err == nil {
		t.Error("the client sees an end")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
