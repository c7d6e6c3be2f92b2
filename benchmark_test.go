package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"spangate/handler/wire/wiretest"
)

// addressOf announces the address that the program listens on, and drops what
// it writes beside.
type addressOf chan string

func (a addressOf) Write(p []byte) (int, error) {
	if _, rest, ok := bytes.Cut(p, []byte(`"address":"`)); ok {
		address, _, _ := bytes.Cut(rest, []byte(`"`))
		a <- string(address)
	}
	return len(p), nil
}

// skipHead reads a message up to its body.
func skipHead(r *bufio.Reader) error {
	for {
		if line, err := r.ReadSlice('\n'); err != nil || len(line) == len("\r\n") {
			return err
		}
	}
}

// repeating returns the address of a server that answers each request with
// text, and allocates nothing for it.
func repeating(t testing.TB, text string) string { return repeatingAfter(t, 0, text) }

// repeatingAfter is repeating where each answer takes as long as wait.
func repeatingAfter(t testing.TB, wait time.Duration, text string) string {
	answer := []byte(text)
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		for r := bufio.NewReader(conn); skipHead(r) == nil; {
			time.Sleep(wait)
			conn.Write(answer)
		}
	})
}

const benchmarkSize = 1 << 10 // of the answers

var (
	benchmarkRequest = []byte("GET /a/path?with=query HTTP/1.1\r\nHost: example.com\r\nUser-Agent: benchmark\r\n" +
		"Accept: */*\r\nAccept-Language: en\r\nCookie: session=0123456789\r\n\r\n")
	benchmarkAnswer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n", benchmarkSize) +
		strings.Repeat("x", benchmarkSize)
)

// askAgain makes a request over conn, of which r reads, and allocates nothing for it.
func askAgain(conn net.Conn, r *bufio.Reader) error {
	if _, err := conn.Write(benchmarkRequest); err != nil {
		return err
	}
	if err := skipHead(r); err != nil {
		return err
	}
	_, err := r.Discard(benchmarkSize)
	return err
}

// BenchmarkForward is the whole program between a client and a backend that
// keep their connections. Only the program allocates.
func BenchmarkForward(b *testing.B) {
	backend := repeating(b, benchmarkAnswer)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	b.Cleanup(collector.Close)

	for name, environ := range map[string][]string{
		"bare":                   {"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"},
		"with a log":             {"OTEL_SDK_DISABLED=true"},
		"unsampled":              {"OTEL_TRACES_SAMPLER=always_off", "ACCESS_LOG=off"},
		"sampled":                {"ACCESS_LOG=off"},
		"sampled and with a log": {},
	} {
		b.Run(name, func(b *testing.B) {
			environ := append([]string{"HOST=127.0.0.1", "PORT=0", "BACKENDS=http://" + backend, "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL}, environ...)
			address, ended := make(addressOf, 1), make(chan struct{})
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				defer close(ended)
				if err := run(ctx, environ, address); err != nil {
					b.Errorf("run: %v", err)
				}
			}()
			b.Cleanup(func() { cancel(); <-ended })
			var addr string
			select {
			case addr = <-address:
			case <-ended:
				b.FailNow()
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				if err := askAgain(conn, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
