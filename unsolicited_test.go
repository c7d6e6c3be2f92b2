//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestNobodyGetsWhatNobodyAskedFor has a backend send more than it was asked for
// with some answers: in one piece with them, and later. The next client's answer
// is its own, and each connection that this cost is counted.
func TestNobodyGetsWhatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	const surplus = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
	tests := map[string]struct{ method, answer string }{
		"HEAD":                {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"},
		"204":                 {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		"304":                 {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n"},
		"no content":          {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"content by length":   {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		"content in chunks":   {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		"an answer to a POST": {"POST", "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"},
	}
	for name, test := range tests {
		for _, later := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", later: ", later), func(t *testing.T) {
				t.Parallel()
				const times = 20
				conns := make(chan net.Conn, 1)
				backend := requestsOf(t, func(conn net.Conn, r *http.Request) bool {
					switch {
					case r.URL.Path == "/mine":
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
					case later:
						io.WriteString(conn, test.answer)
						conns <- conn
					default:
						io.WriteString(conn, test.answer+surplus)
					}
					return true
				})
				p := start(t, "BACKENDS=http://"+backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
				for range times {
					if resp, body := p.ask(t, test.method, "/", nil); strings.Contains(body, "stolen") || resp.StatusCode > 399 {
						t.Fatalf("%s with %q", resp.Status, body)
					}
					if later {
						conn := <-conns
						io.WriteString(conn, surplus)
						awaitReceipt(t, conn)
					}
					if resp, body := p.ask(t, "GET", "/mine", nil); body != "mine" {
						t.Fatalf("another client got %s with %q", resp.Status, body)
					}
				}
				p.stop()
				if n := p.counted("spangate.backend.unsolicited_response"); n != times {
					t.Errorf("%v connections counted, want %d", n, times)
				}
			})
		}
	}
}

// awaitReceipt returns when the other end's system has all that was written to
// conn.
func awaitReceipt(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for unreceived, err := int32(1), error(nil); unreceived > 0 && err == nil; { // an error: it has been closed
		err = raw.Control(func(fd uintptr) {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&unreceived))); errno != 0 {
				t.Error(errno)
				unreceived = 0
			}
		})
	}
}
