package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spangate/handler/wire"
)

// halfClose ends the sending side of conn, and returns when the other end has heard of
// it.
func halfClose(t *testing.T, conn net.Conn) {
	t.Helper()
	tcp := conn.(*net.TCPConn)
	tcp.CloseWrite()
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	heard := func() (heard bool) {
		raw.Control(func(fd uintptr) {
			const finWait2 = 5
			info, err := unix.GetsockoptTCPInfo(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
			heard = err == nil && info.State == finWait2
		})
		return heard
	}
	for end := time.Now().Add(20 * time.Second); !heard(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the end of the sending side is not heard of")
		}
	}
}

// watched has the client of r be watched, and returns what is closed when it has done
// something.
func watched(r *http.Request) <-chan struct{} {
	seen := make(chan struct{})
	if !wire.OnNext(r, func() { close(seen) }) {
		close(seen)
	}
	return seen
}

const halfClosedGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// A client that closes its sending side behind its request gets its answer, whenever
// that is seen.
func TestClientsThatSendNothingMore(t *testing.T) {
	t.Parallel()
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: now\r\n"
	const chunks = head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
	flush := func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }
	write := func(w http.ResponseWriter, text string) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, text)
	}
	for name, test := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"nobody looks": {func(w http.ResponseWriter, r *http.Request) { write(w, "a") }, head + "Content-Length: 1\r\n\r\na"},
		"before the answer": {func(w http.ResponseWriter, r *http.Request) {
			<-watched(r)
			write(w, "a")
		}, interim + head + "Content-Length: 1\r\n\r\na"},
		"before an answer in pieces": {func(w http.ResponseWriter, r *http.Request) {
			<-watched(r)
			write(w, "a")
			flush(w)
			write(w, "b")
		}, interim + chunks},
		"amid the answer": {func(w http.ResponseWriter, r *http.Request) {
			write(w, "a")
			flush(w)
			<-watched(r)
			write(w, "b")
		}, chunks},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goOn, ended := make(chan struct{}), make(chan error, 1)
			s := newServing(t, dated(func(w http.ResponseWriter, r *http.Request) {
				<-goOn
				test.h(w, r)
				ended <- r.Context().Err()
			}), time.Second)
			conn := dial(t, s.addr)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			halfClose(t, conn)
			close(goOn)
			if got, err := io.ReadAll(conn); err != nil || string(got) != test.want {
				t.Errorf("%q, %v", got, err)
			}
			if err := <-ended; err != nil {
				t.Errorf("the context is over: %v", err)
			}
		})
	}
}

// A client that has gone is missed, whether it was reading or not, and however its
// leaving looks at first.
func TestClientsThatLeave(t *testing.T) {
	t.Parallel()
	const old = "GET / HTTP/1.0\r\n\r\n"
	for name, test := range map[string]struct {
		request string
		begins  bool // the answer does, before the client leaves
		leave   func(t *testing.T, conn net.Conn)
	}{
		"closes": {halfClosedGet, false, func(_ *testing.T, conn net.Conn) { conn.Close() }},
		"closes its sending side first": {halfClosedGet, false, func(t *testing.T, conn net.Conn) {
			halfClose(t, conn)
			conn.Close()
		}},
		"resets":                        {halfClosedGet, false, func(_ *testing.T, conn net.Conn) { conn.(*net.TCPConn).SetLinger(0); conn.Close() }},
		"over HTTP/1.0":                 {old, false, func(_ *testing.T, conn net.Conn) { conn.Close() }},
		"over HTTP/1.0, sending side":   {old, false, func(t *testing.T, conn net.Conn) { halfClose(t, conn) }},
		"amid the answer":               {halfClosedGet, true, func(_ *testing.T, conn net.Conn) { conn.Close() }},
		"amid the answer, sending side": {halfClosedGet, true, func(t *testing.T, conn net.Conn) { halfClose(t, conn) }},
	} {
		for _, watched := range []bool{true, false} {
			t.Run(map[bool]string{true: "watched, ", false: "unwatched, "}[watched]+name, func(t *testing.T) {
				t.Parallel()
				arrived, left, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
				s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
					if test.begins {
						io.WriteString(w, "a")
						http.NewResponseController(w).Flush()
					}
					if watched {
						r.Context().Done()
					}
					close(arrived)
					<-left
					<-r.Context().Done()
					close(ended)
				}, time.Second)
				conn := dial(t, s.addr)
				io.WriteString(conn, test.request)
				<-arrived
				if test.begins {
					if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
						t.Fatal(err)
					}
				}
				test.leave(t, conn)
				close(left)
				<-ended
			})
		}
	}
}
