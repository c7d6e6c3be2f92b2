//go:build !race

package wire_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"spangate/handler/wire"
)

// TestMemoryOfConnections holds what a connection costs in memory of Go's: heap and
// stacks. It is not parallel: it counts those of the process.
func TestMemoryOfConnections(t *testing.T) {
	const (
		goroutine = 2<<10 + 480                                   // the least stack, and what the runtime knows of it
		client    = 256 + 96 + 192 + 32                           // clientConn, its reader, and socket with what waits
		netConn   = 16 + 128 + 2*(48+16+48) + 144                 // TCPConn, netFD, both ends, timers, the peer's text
		idle      = goroutine + client + netConn + 7<<8           // and half as much again, as memory has gaps
		backend   = 2*client + netConn + 512                      // with what limits it, and counts it
		exchange  = 3 << 10                                       // a request and its copy, with headers and contexts
		inFlight  = idle + 2<<10 + goroutine + backend + exchange // on a stack of 4 KiB, and somebody watches the client
	)
	backends := newSilent(t)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		request string
		open    func() int64 // connections that are as the name says; nil: all, once they are accepted
		most    int
		runs    int // goroutines of each
	}{
		"without a request":          {kilobyte, "", nil, idle, 1},
		"that has been answered":     {kilobyte, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil, idle, 1},
		"whose answer is waited for": {backends.forward, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", backends.OpenConnections, inFlight, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCounting(t, test.handler)
			addr := &syscall.SockaddrInet4{Port: s.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
			const number = 500
			before := inUse()
			for range number {
				fd := connectTo(t, addr)
				if _, err := syscall.Write(fd, []byte(test.request)); err != nil {
					t.Fatal(err)
				}
				if answer := make([]byte, 4<<10); test.request != "" && test.open == nil {
					if n, err := syscall.Read(fd, answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
						t.Fatalf("answered %q, %v", answer[:max(n, 0)], err)
					}
				}
			}
			open := s.accepted.Load
			if test.open != nil {
				open = test.open
			}
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				now, each := open(), (inUse()-before)/number
				if now == number && runtime.NumGoroutine() >= test.runs*number && each <= test.most {
					t.Logf("%d bytes each, at most %d", each, test.most)
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%d connections, each of which takes %d bytes, want %d of at most %d", now, each, number, test.most)
				}
			}
		})
	}
}

// counting is a server that counts its connections.
type counting struct {
	net.Listener
	accepted atomic.Int64
}

func newCounting(t *testing.T, h http.HandlerFunc) *counting {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, ended := &counting{Listener: ln}, make(chan error)
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		ended <- wire.Serve(ctx, []net.Listener{s}, h, wire.Config{
			HeaderTimeout: time.Minute, IdleTimeout: time.Minute, ClientTimeout: time.Minute, MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Second,
		}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { leave(); <-ended })
	return s
}

// Accept implements [net.Listener].
func (s *counting) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err == nil {
		s.accepted.Add(1)
	}
	return conn, err
}

// silent is a backend that takes connections and requests, and never answers.
type silent struct{ *wire.Transport }

func newSilent(t *testing.T) silent {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // which nobody accepts from: the system does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return silent{wire.NewTransport(wire.TransportConfig{ConnectTimeout: time.Minute}, "http", ln.Addr().String(), nil, wire.ConnectionHooks{})}
}

func (s silent) forward(_ http.ResponseWriter, r *http.Request) {
	if resp, err := s.RoundTrip(r.WithContext(r.Context())); err == nil {
		resp.Body.Close()
	}
	panic(http.ErrAbortHandler)
}

// inUse returns how many bytes of heap and stacks are, once garbage is collected.
func inUse() int {
	runtime.GC() // which halves the stacks that are four times too large
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return int(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}

// connectTo returns a connection that takes no memory of Go's.
func connectTo(t *testing.T, addr syscall.Sockaddr) (fd int) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		t.Cleanup(func() { syscall.Close(fd) })
		err = syscall.Connect(fd, addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
