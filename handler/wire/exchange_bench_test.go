//go:build !race

package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// repeating returns the address of a backend that gives each request without content
// the same answer, and allocates nothing for it.
func repeating(t testing.TB) string {
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 09:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1<<10))
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		for in := bufio.NewReader(conn); ; {
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == len("\r\n") {
					break
				}
			}
			conn.Write(answer)
		}
	})
}

// exchanged sends a request as a proxy does, again and again: once for each call of
// what is returned.
func exchanged(t testing.TB, rt http.RoundTripper, addr string) func() {
	r := (&http.Request{
		Method: "GET", URL: &url.URL{Scheme: "http", Host: addr, Path: "/a/path", RawQuery: "with=query"}, Host: "example.com",
		Header: http.Header{
			"Accept": {"*/*"}, "Accept-Language": {"en"}, "Cookie": {"session=0123456789"}, "User-Agent": {"benchmark"},
			"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "Via": {"1.1 spangate"},
		},
	}).WithContext(t.Context())
	buffer := make([]byte, 32<<10)
	return func() {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for err == nil {
			var some int
			some, err = resp.Body.Read(buffer)
			n += some
		}
		if n != 1<<10 || err != io.EOF {
			t.Fatalf("%d bytes, %v", n, err)
		}
		resp.Body.Close()
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	standard := &http.Transport{DisableCompression: true}
	b.Cleanup(standard.CloseIdleConnections)
	for name, rt := range map[string]http.RoundTripper{
		"ours":     wire.NewTransport(wire.TransportConfig{ResponseTimeout: 30 * time.Second}, "http", "", nil, wire.ConnectionHooks{}),
		"net-http": standard,
	} {
		b.Run(name, func(b *testing.B) {
			once := exchanged(b, rt, repeating(b))
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// TestAllocations bounds what a request without content, and its answer, take of the
// transport.
func TestAllocations(t *testing.T) {
	rt := wire.NewTransport(wire.TransportConfig{ResponseTimeout: 30 * time.Second}, "http", "", nil, wire.ConnectionHooks{})
	t.Cleanup(rt.CloseIdleConnections)
	once := exchanged(t, rt, repeating(t))
	if got := testing.AllocsPerRun(200, once); got > 8 {
		t.Errorf("%v allocations, want no more than 8", got)
	}
}
