package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// TestWhatIsRefusedTakesNoConnection sends, where one connection is all there
// may be, requests that net/http refuses, and some that are in order.
func TestWhatIsRefusedTakesNoConnection(t *testing.T) {
	tests := map[string]func(*http.Request){
		"a method that is no token":   func(r *http.Request) { r.Method = "G T" },
		"a field's name that is none": func(r *http.Request) { r.Header["X T"] = []string{"v"} },
		"a field's value":             func(r *http.Request) { r.Header["X"] = []string{"a\nb"} },
		"a trailer's name":            func(r *http.Request) { r.Trailer = http.Header{"X T": nil} },
		"a trailer that frames":       func(r *http.Request) { r.Trailer = http.Header{"Content-Length": nil} },
		"a target":                    func(r *http.Request) { r.URL.Opaque = "\x01" },
	}
	for _, scheme := range []string{"http", "h2c"} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		defer server.Close()
		spoiled := &spoiling{}
		hooks := balancer.Hooks{Attempt: func(_ *balancer.Backend, _ func() int, next http.RoundTripper) http.RoundTripper {
			spoiled.RoundTripper = next
			return spoiled
		}}
		b := backendTold(t, balancer.Config{TransportConfig: wire.TransportConfig{MaxConnections: 1}}, hooks, strings.Replace(server.URL, "http", scheme, 1))
		for name, spoil := range tests {
			t.Run(scheme+", "+name, func(t *testing.T) {
				for range 3 {
					r := httptest.NewRequest("GET", "/path", nil)
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader("sum")), -1
					closed := &closedBody{ReadCloser: r.Body}
					r.Body = closed
					spoiled.spoil = spoil
					_, err := b.RoundTrip(r)
					spoiled.spoil = nil
					e, _ := errors.AsType[*fault.Error](err)
					if e == nil || e.Type != fault.MalformedRequest || e.Sent || e.Counts() {
						t.Errorf("%+v, want a malformed request, unsent", e)
					}
					if !closed.closed.Load() {
						t.Error("the body was left open")
					}
					resp, err := b.RoundTrip(httptest.NewRequest("GET", "/path", nil))
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
				}
			})
		}
	}
}

// spoiling changes a request that has been addressed.
type spoiling struct {
	http.RoundTripper
	spoil func(*http.Request) // nil: not
}

func (s *spoiling) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.spoil != nil {
		s.spoil(r)
	}
	return s.RoundTripper.RoundTrip(r)
}

type closedBody struct {
	io.ReadCloser
	closed atomic.Bool
}

func (c *closedBody) Close() error {
	c.closed.Store(true)
	return c.ReadCloser.Close()
}

// TestRequestsShareConnections has several requests under way at once, and
// counts over how many connections.
func TestRequestsShareConnections(t *testing.T) {
	tests := map[string]struct {
		scheme   string
		streams  int // that a connection of HTTP/2 may carry
		max      int // connections
		requests int
		want     int // connections
		atOnce   int // requests that are served at once
	}{
		"one each":                          {scheme: "http", requests: 10, want: 10, atOnce: 10},
		"one each, limited":                 {scheme: "http", max: 3, requests: 10, want: 3, atOnce: 3},
		"one for all":                       {scheme: "h2c", streams: 250, requests: 20, want: 1, atOnce: 20},
		"another when full":                 {scheme: "h2c", streams: 5, requests: 20, want: 4, atOnce: 20},
		"another when full, limited":        {scheme: "h2c", streams: 5, max: 2, requests: 20, want: 2, atOnce: 10},
		"one for all, after TLS":            {scheme: "https", streams: 250, requests: 20, want: 1, atOnce: 20},
		"another when full after TLS":       {scheme: "https", streams: 1, requests: 7, want: 7, atOnce: 7},
		"one each, after TLS":               {scheme: "https", requests: 6, want: 6, atOnce: 6},
		"one each, after TLS, limited":      {scheme: "https", max: 2, requests: 6, want: 2, atOnce: 2},
		"one stream in one connection":      {scheme: "h2c", streams: 1, max: 1, requests: 5, want: 1, atOnce: 1},
		"more than one connection may take": {scheme: "h2c", streams: 1000, requests: 300, want: 2, atOnce: 300},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var connections, served atomic.Int64
			arrived, release := make(chan struct{}, test.requests), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				served.Add(1)
				arrived <- struct{}{}
				<-release
				served.Add(-1)
			}))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connections.Add(1)
				}
			}
			server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: test.streams}
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(test.streams == 0)
			server.Config.Protocols.SetUnencryptedHTTP2(test.scheme == "h2c")
			cfg := balancer.Config{TransportConfig: wire.TransportConfig{MaxConnections: test.max}}
			if test.scheme == "https" {
				server.Config.Protocols.SetHTTP2(test.streams > 0)
				server.EnableHTTP2 = test.streams > 0
				server.StartTLS()
				cfg.CAFile = wiretest.CertificateFile(t, server)
			} else {
				server.Start()
			}
			defer server.Close()
			target := test.scheme + "://" + server.Listener.Addr().String()
			b := backendAt(t, cfg, target)
			var got atomic.Int64
			var clients sync.WaitGroup
			for range test.requests {
				clients.Go(func() {
					trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
						if info.Conn.RemoteAddr().String() == server.Listener.Addr().String() {
							got.Add(1)
						}
					}}
					resp, err := b.RoundTrip(httptest.NewRequest("GET", "/path", nil).WithContext(httptrace.WithClientTrace(t.Context(), trace)))
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				})
			}
			for range test.atOnce {
				<-arrived
			}
			if n := served.Load(); n != int64(test.atOnce) {
				t.Errorf("%d requests at once, want %d", n, test.atOnce)
			}
			if n := b.OpenConnections(); n != int64(test.want) {
				t.Errorf("%d connections open, want %d", n, test.want)
			}
			close(release)
			clients.Wait()
			if n := connections.Load(); n != int64(test.want) {
				t.Errorf("over %d connections, want %d", n, test.want)
			}
			if n := got.Load(); test.max > 0 && n != int64(test.requests) {
				t.Errorf("%d requests were told their connection, want %d", n, test.requests)
			}
		})
	}
}

// TestWhoWaitsForAConnectionComesInTurn holds the only connection, and has
// others wait for it. One of them goes away.
func TestWhoWaitsForAConnectionComesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		answer := make(chan struct{})
		b := piped(t, wire.TransportConfig{MaxConnections: 1}, func(conn net.Conn, r *http.Request) bool {
			order = append(order, r.URL.Path)
			<-answer
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return true
		})
		var clients sync.WaitGroup
		leaving, leave := context.WithCancel(t.Context())
		for i := range 6 {
			ctx := t.Context()
			if i == 3 {
				ctx = leaving
			}
			clients.Go(func() {
				resp, err := b.RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "http://backend/"+strconv.Itoa(i), nil))
				if i == 3 {
					e, _ := errors.AsType[*fault.Error](err)
					if e == nil || e.Type != fault.ClientDisconnected || e.Sent {
						t.Errorf("who went away got %v, %v", resp, err)
					}
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		for range 5 {
			answer <- struct{}{}
			synctest.Wait()
		}
		clients.Wait()
		if diff := cmp.Diff([]string{"/0", "/1", "/2", "/4", "/5"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		closeIdle(b)
		synctest.Wait()
	})
}

// TestUnusedConnectionsGetOld checks that the connection used last is used next,
// and that those too many are closed.
func TestUnusedConnectionsGetOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keep = time.Minute
		var mu sync.Mutex
		open := 0
		var all sync.WaitGroup
		all.Add(3)
		b := piped(t, wire.TransportConfig{IdleTimeout: keep}, func(conn net.Conn, r *http.Request) bool {
			if r.URL.Path == "/all" {
				all.Done()
				all.Wait()
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return true
		}, func(change int) {
			mu.Lock()
			defer mu.Unlock()
			open += change
		})
		ask := func(path string) {
			resp, err := b.RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://backend"+path, nil))
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		var clients sync.WaitGroup
		for range 3 {
			clients.Go(func() { ask("/all") })
		}
		clients.Wait()
		var got []int
		for range 4 {
			synctest.Wait()
			mu.Lock()
			got = append(got, open)
			mu.Unlock()
			time.Sleep(keep * 2 / 3)
			ask("/one")
		}
		time.Sleep(2 * keep)
		synctest.Wait()
		got = append(got, open)
		if diff := cmp.Diff([]int{3, 3, 1, 1, 0}, got); diff != "" {
			t.Errorf("connections open over time (-want +got):\n%s", diff)
		}
	})
}

// TestConnectionsThatDieTogether checks that one request waits in vain for a backend that
// is gone without a word: none of the connections that were unused then is used again.
// Those that another request has given back since are.
func TestConnectionsThatDieTogether(t *testing.T) {
	for _, test := range []struct {
		path string // of the first request on each of two connections
		want []bool // which of further requests get answers
		made int    // connections
	}{
		{"/dies", []bool{false, true, true}, 3},
		{"/lives", []bool{true, true, true}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			var met sync.WaitGroup
			met.Add(2)
			var dead sync.Map
			var made atomic.Int64
			b := piped(t, wire.TransportConfig{}, func(conn net.Conn, r *http.Request) bool {
				if _, silent := dead.Load(conn); silent || r.URL.Path == "/slow" {
					return true // and goes on reading
				}
				if r.URL.Path != "/" {
					met.Done()
					met.Wait()
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				if r.URL.Path == "/dies" {
					dead.Store(conn, true)
				}
				return true
			}, func(change int) { made.Add(int64(max(change, 0))) })
			defer closeIdle(b)
			ask := func(path string) bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				resp, err := b.RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "http://backend"+path, nil))
				if err != nil {
					return false
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				return true
			}
			var clients sync.WaitGroup
			for range 2 {
				clients.Go(func() { ask(test.path) })
			}
			clients.Wait()
			time.Sleep(time.Millisecond)
			var got []bool
			if test.path == "/lives" {
				clients.Go(func() { ask("/slow") })
				time.Sleep(time.Millisecond)
			}
			got = append(got, ask("/"))
			clients.Wait()
			got = append(got, ask("/"), ask("/"))
			if diff := cmp.Diff(test.want, got); diff != "" || made.Load() != int64(test.made) {
				t.Errorf("%s: %d connections; answers (-want +got):\n%s", test.path, made.Load(), diff)
			}
		})
	}
}

// piped returns a transport to a backend of HTTP/1.1 that has handle answer each
// request until that returns false. changed is told of connections that open, 1,
// and end, -1.
func piped(t *testing.T, cfg wire.TransportConfig, handle func(net.Conn, *http.Request) bool, changed ...func(int)) http.RoundTripper {
	t.Helper()
	return wire.TransportOver(cfg, func() net.Conn {
		near, far := net.Pipe()
		for _, f := range changed {
			f(1)
		}
		go func() {
			defer far.Close()
			serveRequests(far, handle)
			for _, f := range changed {
				f(-1)
			}
		}()
		return near
	})
}

func serveRequests(conn net.Conn, handle func(net.Conn, *http.Request) bool) {
	for in := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(in)
		if err != nil || !handle(conn, r) {
			return
		}
	}
}

func closeIdle(rt http.RoundTripper) { rt.(interface{ CloseIdleConnections() }).CloseIdleConnections() }

// TestWindows checks what the program allows a backend of HTTP/2 to send without
// being read: a part of it for each stream, such that all streams have theirs.
func TestWindows(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	windows := make(chan [2]uint32, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
		framer := http2.NewFramer(conn, conn)
		framer.WriteSettings()
		var got [2]uint32
		for got[0] == 0 || got[1] == 0 {
			switch frame, err := framer.ReadFrame(); frame := frame.(type) {
			case *http2.SettingsFrame:
				if window, ok := frame.Value(http2.SettingInitialWindowSize); ok {
					got[0] = window
				}
			case *http2.WindowUpdateFrame:
				got[1] = frame.Increment
			case nil:
				t.Error(err)
				return
			}
		}
		windows <- got
	}()
	b := backendAt(t, balancer.Config{}, "h2c://"+ln.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var client sync.WaitGroup
	client.Go(func() { b.RoundTrip(httptest.NewRequest("GET", "/path", nil).WithContext(ctx)) })
	if diff := cmp.Diff([2]uint32{256 << 10, 64 << 20}, <-windows); diff != "" {
		t.Errorf("windows of a stream and of a connection (-want +got):\n%s", diff)
	}
	cancel()
	client.Wait()
}

// TestBackendsThatAreNotOfHTTP2 checks what is said of what answers otherwise.
func TestBackendsThatAreNotOfHTTP2(t *testing.T) {
	tests := map[string]struct {
		answer string // to the connection
		want   fault.Type
	}{
		"HTTP/1.1":          {"HTTP/1.1 400 Bad Request\r\n\r\n", fault.MalformedResponse},
		"something short":   {"220 \r\n", fault.ConnectionReset},
		"nothing":           {"", fault.ConnectionReset},
		"another frame":     {string([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}), fault.MalformedResponse},
		"half its settings": {string([]byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 1, 2}), fault.ConnectionReset},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
					io.WriteString(conn, test.answer)
					conn.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, conn)
					conn.Close()
				}
			}()
			b := backendAt(t, balancer.Config{}, "h2c://"+ln.Addr().String())
			_, err = b.RoundTrip(httptest.NewRequest("GET", "/path", nil))
			e, _ := errors.AsType[*fault.Error](err)
			if e == nil || e.Type != test.want || e.Sent {
				t.Errorf("%+v, want %s, unsent", e, test.want)
			}
			if n := b.OpenConnections(); n != 0 {
				t.Errorf("%d connections open", n)
			}
		})
	}
}

// TestAConnectionThatSaysGoodbye checks that what is under way on a connection
// of HTTP/2 goes on after GOAWAY, and that others go over another one.
func TestAConnectionThatSaysGoodbye(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	held, release := make(chan string, 1), make(chan struct{})
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/held":
			held <- r.RemoteAddr
			<-release
		case "/goodbye":
			w.Header().Set("Connection", "close")
		}
		io.WriteString(w, r.RemoteAddr)
	})
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	b := backendAt(t, balancer.Config{}, strings.Replace(server.URL, "http", "h2c", 1))
	ask := func(path string) string {
		r := httptest.NewRequest("GET", "/path", nil)
		r.URL.Path = path
		resp, err := b.RoundTrip(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(resp.Body)
		return body.String()
	}
	answer := make(chan string)
	go func() { answer <- ask("/held") }()
	first := <-held
	if got := ask("/"); got != first {
		t.Errorf("two at once went over %s and %s", first, got)
	}
	if got := ask("/goodbye"); got != first {
		t.Errorf("while it serves, another went over %s", got)
	}
	got := ask("/")
	for got == first { // GOAWAY may come behind the answer
		got = ask("/")
	}
	if !strings.HasPrefix(got, "127.0.0.1:") {
		t.Error(got)
	}
	close(release)
	if got := <-answer; got != first {
		t.Errorf("what was under way got %q, want %q", got, first)
	}
}
