//go:build !race

package wire_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestAllocationsOfServing holds what a request and its answer cost the server in memory
// that is not used again: one allocation, for the strings of the request's head.
func TestAllocationsOfServing(t *testing.T) {
	ask := asking(t, newServing(t, kilobyte, time.Second).addr)
	if got := testing.AllocsPerRun(2000, ask); got > 1 {
		t.Errorf("%v allocations for a GET, want one", got)
	}
}

var (
	content       = make([]byte, 1<<10)
	contentLength = []string{"1024"}
	contentType   = []string{"text/plain"}
)

// kilobyte answers without allocations of its own, as far as that can be done.
func kilobyte(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Length"] = contentLength
	w.Header()["Content-Type"] = contentType
	w.Write(content)
}

// asking returns a function that sends a request to addr and reads the answer.
func asking(t testing.TB, addr string) func() {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	request := []byte("GET /path?query=1 HTTP/1.1\r\nHost: backend.test\r\nUser-Agent: test/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	answer := make([]byte, 16<<10)
	conn.Write(request)
	size, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		conn.Write(request)
		if _, err := io.ReadFull(conn, answer[:size]); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkServe compares a GET with that of net/http's server, in one run.
func BenchmarkServe(b *testing.B) {
	reference := &http.Server{Handler: http.HandlerFunc(kilobyte), ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go reference.Serve(ln)
	b.Cleanup(func() { reference.Close() })
	for name, addr := range map[string]string{"ours": newServing(b, kilobyte, time.Second).addr, "net-http": ln.Addr().String()} {
		b.Run(name, func(b *testing.B) {
			ask := asking(b, addr)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}
