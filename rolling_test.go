package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/wiretest"
)

// TestRollingReplacement replaces two instances one after the other, as an orchestrator
// does it: the next one is in before the one that leaves is told to, and that one is sent
// connections until it says that it is not ready. Each request, which must not be
// repeated, is answered, and each WebSocket told to come back, as it does.
func TestRollingReplacement(t *testing.T) {
	t.Parallel()
	backend := h2c(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	sockets := framedBackend(t, echo)
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	clear, secure := newSpread(t), newSpread(t)
	next := func() (p *program, tlsAddr string) {
		port := wiretest.FreePort(t)
		p = startLimited(t, "true", "BACKENDS=http://"+sockets, "PROBE_MODE=off", "OTEL_TRACES_SAMPLER=always_off",
			"ROUTES=once", "ROUTE_ONCE_MATCH=/once", "ROUTE_ONCE_BACKENDS="+backend,
			"TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_PORT="+port, "SHUTDOWN_TIMEOUT=10s", "SHUTDOWN_DELAY=2s")
		tlsAddr = net.JoinHostPort("127.0.0.1", port)
		clear.add(p.addr)
		secure.add(tlsAddr)
		return p, tlsAddr
	}
	old := map[*program]string{}
	for range 2 {
		p, tlsAddr := next()
		old[p] = tlsAddr
	}

	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	counts := map[string]*atomic.Int64{}
	for name, send := range map[string]func() error{
		"HTTP/1.1":          posts(t, "http://"+clear.addr, nil, false),
		"h2c":               posts(t, "http://"+clear.addr, nil, true),
		"HTTP/1.1 over TLS": posts(t, "https://"+secure.addr, ca.Pool, false),
		"HTTP/2 over TLS":   posts(t, "https://"+secure.addr, ca.Pool, true),
	} {
		count := &atomic.Int64{}
		counts[name] = count
		load.Go(func() {
			for ctx.Err() == nil {
				if err := send(); err != nil {
					t.Errorf("%s, request %d: %v", name, count.Load(), err)
					return
				}
				count.Add(1)
			}
		})
	}
	var told atomic.Int64
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				if staysUntilTold(t, ctx, &program{addr: clear.addr}) {
					told.Add(1)
				}
			}
		})
	}

	for p, tlsAddr := range old {
		next()
		left := make(chan struct{})
		go func() {
			defer close(left)
			p.stop()
		}()
		for ready(p) {
		}
		clear.remove(p.addr)
		secure.remove(tlsAddr)
		<-left
	}
	end()
	load.Wait()
	for name, count := range counts {
		t.Logf("%s: %d requests", name, count.Load())
		if count.Load() == 0 {
			t.Errorf("%s: no request", name)
		}
	}
	// Each was with one of the two, and perhaps came back to the other.
	if n := told.Load(); n < 4 {
		t.Errorf("WebSockets were told to leave %d times, want one each at least", n)
	}
}

// ready is what an orchestrator asks.
func ready(p *program) bool {
	resp, err := p.send(context.Background(), "GET", "/.spangate/ready", nil)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// posts returns what sends a request that net/http cannot repeat, as it cannot get its
// body once more, and takes the answer.
func posts(t *testing.T, url string, roots *x509.CertPool, http2 bool) func() error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	transport.Protocols.SetUnencryptedHTTP2(http2 && roots == nil)
	t.Cleanup(transport.CloseIdleConnections)
	return func() error {
		r, err := http.NewRequest("POST", url+"/once", struct{ io.Reader }{strings.NewReader("once")})
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); string(text) != "once" || err != nil {
			return fmt.Errorf("%s %q, %v", resp.Status, text, err)
		}
		return nil
	}
}

// staysUntilTold talks over a WebSocket until it is told to leave, which it reports, or
// ctx ends.
func staysUntilTold(t *testing.T, ctx context.Context, p *program) bool {
	s := p.framed(t)
	for ctx.Err() == nil {
		s.send(1, "hello")
		switch got := s.next(); got {
		case "1 hello":
		case "8 1001":
			s.send(8, "\x03\xe9")
			return true
		default:
			t.Errorf("a WebSocket is answered %s", got)
			return false
		}
	}
	s.send(8, "\x03\xe8")
	return false
}

// spread is a balancer of connections, which knows nothing of what is on them.
type spread struct {
	addr string

	mu   sync.Mutex
	to   []string
	next int
}

func newSpread(t *testing.T) *spread {
	t.Helper()
	s := &spread{}
	s.addr = wiretest.Listen(t, func(conn net.Conn, _ int) { s.relay(conn) })
	return s
}

func (s *spread) add(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = append(s.to, addr)
}

func (s *spread) remove(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = slices.DeleteFunc(s.to, func(a string) bool { return a == addr })
}

// relay connects conn to the instance whose turn it is, and no other one.
func (s *spread) relay(conn net.Conn) {
	s.mu.Lock()
	s.next++
	addr := s.to[s.next%len(s.to)]
	s.mu.Unlock()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(conn, to)
		conn.(*net.TCPConn).CloseWrite()
	})
	io.Copy(to, conn)
	to.(*net.TCPConn).CloseWrite()
	back.Wait()
}
