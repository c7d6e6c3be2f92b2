package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deaths are ways in which a connection ends while nobody is there to see it.
var deaths = map[string]func(*net.TCPConn) error{
	"closed": func(conn *net.TCPConn) error { return nil },
	"reset":  func(conn *net.TCPConn) error { return conn.SetLinger(0) },
	// The other end forgets it without a word, as a machine does that is moved: who
	// sends on it learns it then.
	"forgotten": func(conn *net.TCPConn) error {
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		const repair = 19 // TCP_REPAIR
		var failed error
		err = raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, repair, 1) })
		return errors.Join(err, failed)
	},
}

// TestSuspendAndResume stops the program as a platform suspends a machine: meanwhile all
// its connections to backends die, and time passes. What has come by the moment it goes
// on is served, without a second attempt, also where that would not be allowed.
func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		death, idle string
		gap         time.Duration
		methods     []string
	}{
		{"closed", "1s", 1500 * time.Millisecond, []string{"GET", "POST"}},
		{"reset", "1s", 1500 * time.Millisecond, []string{"GET", "POST"}},
		{"forgotten", "1s", 1500 * time.Millisecond, []string{"GET", "POST"}},
		{"forgotten", "90s", 5500 * time.Millisecond, []string{"POST"}}, // nobody has looked at them for long by then
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, kept for %s, HTTP/2: %v", test.death, test.idle, http2), func(t *testing.T) {
				t.Parallel()
				kill := deaths[test.death]
				const together = 4
				var met sync.WaitGroup
				backend, connections := mortal(t, http2, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/meet" {
						met.Done()
						met.Wait() // so that each has a connection
					}
					io.Copy(w, r.Body)
				})
				p := startLimited(t, "true", "BACKENDS="+backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKEND_IDLE_TIMEOUT="+test.idle)
				for _, method := range test.methods {
					met.Add(together)
					var clients sync.WaitGroup
					for range together {
						clients.Go(func() { p.once(t.Context(), "GET", "/meet", nil) })
					}
					clients.Wait()

					p.signal(t, syscall.SIGSTOP)
					for _, conn := range connections() {
						if err := kill(conn); errors.Is(err, syscall.EPERM) {
							p.signal(t, syscall.SIGCONT)
							t.Skip("a connection cannot be forgotten: ", err)
						} else if err != nil {
							t.Error(err)
						}
						conn.Close()
					}
					time.Sleep(test.gap)
					s := p.session(t)
					fmt.Fprintf(s, "%s / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nonce", method)
					p.signal(t, syscall.SIGCONT)
					if resp, body := s.response(t, method); resp.StatusCode != http.StatusOK || body != "once" {
						t.Errorf("%s: %s with %q", method, resp.Status, body)
					}
				}
			})
		}
	}
}

func (p *program) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// mortal returns a backend's URL, and what returns the connections to it so far that it
// did not return before.
func mortal(t *testing.T, http2 bool, h http.HandlerFunc) (url string, connections func() []*net.TCPConn) {
	t.Helper()
	var mu sync.Mutex
	var conns []*net.TCPConn
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, conn.(*net.TCPConn))
		}
	}
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(!http2)
	server.Config.Protocols.SetUnencryptedHTTP2(http2)
	server.Start()
	t.Cleanup(server.Close)
	url = server.URL
	if http2 {
		url = "h2c" + url[len("http"):]
	}
	return url, func() []*net.TCPConn {
		mu.Lock()
		defer mu.Unlock()
		all := conns
		conns = nil
		return all
	}
}
