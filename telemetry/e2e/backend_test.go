package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// serve returns the URL of a backend, as status, saying, refusing and h2c do.
func (s *stage) serve(handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	s.t.Cleanup(server.Close)
	return server.URL
}

func (s *stage) status(code int) string {
	return s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// saying is a backend that answers with this text and closes the connection.
func (s *stage) saying(text string) string {
	return s.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(conn, text)
		conn.Close()
	})
}

func (s *stage) h2c(handle http.HandlerFunc) string {
	server := httptest.NewUnstartedServer(handle)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	s.t.Cleanup(server.Close)
	return "h2c" + strings.TrimPrefix(server.URL, "http")
}

// prompted is a backend that answers when, and with what, the test says.
type prompted struct {
	url   string
	asked chan chan<- int // each request that waits for its status
}

func (s *stage) prompted() *prompted {
	b := &prompted{asked: make(chan chan<- int)}
	b.url = s.serve(func(w http.ResponseWriter, r *http.Request) {
		status := make(chan int, 1)
		select {
		case b.asked <- status:
			w.WriteHeader(<-status)
		case <-r.Context().Done():
		}
	})
	return b
}

func (b *prompted) answer(t *testing.T, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case asked := <-b.asked:
		asked <- status
	case <-ctx.Done():
		t.Fatal("the backend was never asked")
	}
}

// echoUpgraded switches to a protocol in which each line comes back.
func echoUpgraded(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(conn, rw)
}

// refusing is a backend whose port is taken and where nobody listens, nor will
// until the test ends.
func (s *stage) refusing() string { return "http://" + refusing(s.t) }

// refusing returns an address whose port is taken, and where nobody listens
// until the test ends.
func refusing(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}
