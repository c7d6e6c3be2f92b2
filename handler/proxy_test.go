package handler_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
	"spangate/probe"
)

// proxy serves handler.Forward in front of backend, both on loopback. scheme
// is that of the backend.
type proxy struct {
	url     string
	addr    string
	handler http.Handler // without the server
	failed  chan *fault.Error
}

func newProxy(t *testing.T, scheme, backendAddr string, change ...func(*handler.ForwardConfig)) proxy {
	t.Helper()
	return newProxyBehind(t, handler.Origin{}, scheme, backendAddr, change...)
}

// newProxyBehind returns one that believes whom origin says.
func newProxyBehind(t *testing.T, origin handler.Origin, scheme, backendAddr string, change ...func(*handler.ForwardConfig)) proxy {
	t.Helper()
	cfg := balancer.Config{
		TransportConfig: wire.TransportConfig{ConnectTimeout: 2 * time.Second, ResponseTimeout: 10 * time.Second},
		Retry:           balancer.RetryConfig{Attempts: 1, Backoff: time.Millisecond},
	}
	if err := cfg.Backends.UnmarshalText([]byte(scheme + "://" + backendAddr)); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	p := proxy{failed: make(chan *fault.Error, 16)}
	forward := handler.ForwardConfig{Failures: handler.Failures{
		Report: func(_ *http.Request, e *fault.Error) { p.failed <- e },
	}}
	for _, f := range change {
		f(&forward)
	}
	p.handler = handler.Identify(origin)(handler.Forward(balancer.Retry(cfg.Retry, pool), forward))
	p.addr = serve(t, p.handler, forward.ClientTimeout)
	p.url = "http://" + p.addr
	return p
}

// forwardTo returns a Forward to a backend that may take as long as patience.
func forwardTo(t *testing.T, addr string, patience time.Duration, p *proxy) http.Handler {
	t.Helper()
	cfg := balancer.Config{TransportConfig: wire.TransportConfig{ConnectTimeout: time.Second, ResponseTimeout: patience}}
	if err := cfg.Backends.UnmarshalText([]byte("http://" + addr)); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	return handler.Forward(balancer.Retry(cfg.Retry, pool), handler.ForwardConfig{Failures: handler.Failures{
		Report: func(_ *http.Request, e *fault.Error) { p.failed <- e },
	}})
}

// listen returns a listener that ends with the test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve runs h with handler.Serve until the test ends.
func serve(t *testing.T, h http.Handler, clientTimeout time.Duration) string {
	t.Helper()
	ln := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- wire.Serve(ctx, []net.Listener{ln}, h, wire.Config{
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
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			answer(conn, r)
		}
	})
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

// dial connects to addr for a test that fails when it takes for ever.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// patience is how long the tests' clients may pause.
const patience = 100 * time.Millisecond
