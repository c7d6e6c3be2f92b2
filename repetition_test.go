package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// TestNothingRepeatsARequestUnasked counts how often a request reaches a backend
// that takes none, over whatever protocol and connection. With RETRY_ATTEMPTS=0
// that is once. With another backend, which is in order, that one answers.
func TestNothingRepeatsARequestUnasked(t *testing.T) {
	t.Parallel()
	away := func(code http2.ErrCode) func(*http2Backend, uint32) {
		return func(b *http2Backend, _ uint32) { b.framer.WriteGoAway(0, code, nil) }
	}
	tests := map[string]struct {
		backend  func(t *testing.T, reached func()) (url string)
		unsent   bool // a request that it takes none of was not sent: any method may go elsewhere
		wantType string
	}{
		"GOAWAY below each first stream": {
			backend: func(t *testing.T, reached func()) string {
				return newHTTP2Backend(t, func(b *http2Backend, stream uint32) { reached(); away(http2.ErrCodeNo)(b, stream) })
			},
			unsent: true,
		},
		"GOAWAY with an error": {
			backend: func(t *testing.T, reached func()) string {
				return newHTTP2Backend(t, func(b *http2Backend, stream uint32) { reached(); away(http2.ErrCodeEnhanceYourCalm)(b, stream) })
			},
			unsent: true,
		},
		"REFUSED_STREAM": {
			backend: func(t *testing.T, reached func()) string {
				return newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
					reached()
					b.framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				})
			},
			unsent: true,
		},
		"REFUSED_STREAM once there is content": {
			backend: func(t *testing.T, reached func()) string {
				return newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
					reached()
					for frame, err := b.framer.ReadFrame(); err == nil; frame, err = b.framer.ReadFrame() {
						if data, ok := frame.(*http2.DataFrame); ok && (len(data.Data()) > 0 || data.StreamEnded()) {
							break
						}
					}
					b.framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				})
			},
			unsent: true,
		},
		"the end of each connection of HTTP/2": {
			backend: func(t *testing.T, reached func()) string {
				return newHTTP2Backend(t, func(b *http2Backend, _ uint32) { reached(); b.closed = true })
			},
		},
		"the end of each connection": {
			backend: func(t *testing.T, reached func()) string {
				return "http://" + requestsOf(t, func(conn net.Conn, r *http.Request) bool { reached(); return false })
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			backend := test.backend(t, func() { n.Add(1) })
			alone := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=0")
			for range 3 {
				n.Store(0)
				resp, body := alone.ask(t, "GET", "/", strings.NewReader("sum"))
				if resp.StatusCode != http.StatusBadGateway || n.Load() != 1 {
					t.Errorf("alone: %s %s, reached the backend %d times", resp.Status, body, n.Load())
				}
			}
			methods := []string{"GET", "PUT"}
			if test.unsent {
				methods = append(methods, "POST")
			}
			for _, method := range methods {
				n.Store(0)
				p := start(t, "BACKENDS="+backend+","+plainBackend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }), "PROBE_MODE=off", "RETRY_BUDGET=100%")
				for range 4 {
					if resp, body := p.ask(t, method, "/", strings.NewReader("sum")); resp.StatusCode != http.StatusOK || body != "sum" {
						t.Errorf("%s with another backend: %s %s", method, resp.Status, body)
					}
				}
				if n.Load() > 4 {
					t.Errorf("4 times %s reached the backend that takes none %d times", method, n.Load())
				}
			}
		})
	}
}

// TestKeptConnectionsAreNoAttempts has many connections kept to a backend which
// then drops every request, or has closed all of them.
func TestKeptConnectionsAreNoAttempts(t *testing.T) {
	t.Parallel()
	const connections = 150
	for name, drops := range map[string]bool{"dropped": true, "closed before": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dropping atomic.Bool
			var received atomic.Int64
			var all sync.WaitGroup // that must be under way at once
			all.Add(connections)
			var mu sync.Mutex
			var conns []net.Conn
			backend := requestsOf(t, func(conn net.Conn, r *http.Request) bool {
				if dropping.Load() {
					received.Add(1)
					if drops {
						return false
					}
				} else {
					mu.Lock()
					conns = append(conns, conn)
					mu.Unlock()
					all.Done()
					all.Wait()
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				return true
			})
			p := start(t, "BACKENDS=http://"+backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
			var clients sync.WaitGroup
			for range connections {
				clients.Go(func() { p.once(t.Context(), "GET", "/", nil) })
			}
			clients.Wait()
			dropping.Store(true)
			want := http.StatusBadGateway
			if !drops {
				want = http.StatusOK
				for _, conn := range conns {
					conn.Close()
				}
			}
			if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != want || received.Load() != 1 {
				t.Errorf("%s %s, reached the backend %d times", resp.Status, body, received.Load())
			}
		})
	}
}
