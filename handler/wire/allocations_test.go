//go:build !race

package wire_test

import (
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
