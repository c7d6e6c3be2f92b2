package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spangate/handler/wire/wiretest"
)

// TestAnAnswerGoesBeforeTheUploadsError has a backend refuse uploads at once and
// close, so that the rest of them cannot be sent any more.
func TestAnAnswerGoesBeforeTheUploadsError(t *testing.T) {
	t.Parallel()
	const times, size = 200, 3 << 20
	answers := map[string]string{
		"with content": "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 9\r\n\r\nwho's it?",
		"without":      "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"in chunks":    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var received atomic.Int64
			backend := wiretest.Listen(t, func(conn net.Conn, _ int) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					received.Add(1)
					io.WriteString(conn, answer)
				}
			})
			p := start(t, "BACKENDS=http://"+backend, "PROBE_MODE=off", "OTEL_TRACES_SAMPLER=always_off")
			content := make([]byte, size)
			for i := range times {
				method := []string{"PUT", "POST"}[i%2]
				s := p.session(t)
				go func() {
					fmt.Fprintf(s, "%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", method, size)
					s.Write(content)
				}()
				resp, err := http.ReadResponse(s.in, nil)
				if err != nil {
					t.Fatalf("%s number %d: %v", method, i, err)
				}
				body, err := io.ReadAll(resp.Body)
				if !strings.Contains(answer, fmt.Sprint(" ", resp.StatusCode, " ")) || err != nil {
					t.Fatalf("%s number %d: %s %s, %v", method, i, resp.Status, body, err)
				}
				s.Close()
			}
			if n := received.Load(); n != times {
				t.Errorf("%d uploads reached the backend %d times", times, n)
			}
		})
	}
}

// TestUnreadResponsesHoldNobodyUp has clients not read long answers of a backend
// of HTTP/2. What is held of each is bounded, and others are answered.
func TestUnreadResponsesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	const stalled = 100
	var connections sync.Map
	backend := h2c(t, func(w http.ResponseWriter, r *http.Request) {
		connections.Store(r.RemoteAddr, true)
		if r.URL.Path != "/long" {
			return
		}
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off")
	for range stalled {
		conn := dial(t, p.addr)
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		io.WriteString(conn, "GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 200 OK"))); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if resp, body := p.ask(t, "GET", "/short", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
	n := 0
	connections.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("over %d connections, want 1", n)
	}
}

// TestAnEarlyAnswerTakesItsTime has a backend refuse an upload over HTTP/2 in an answer
// with pauses, for which the client waits before it sends the rest.
func TestAnEarlyAnswerTakesItsTime(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS=h2c://"+h2cServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		for _, part := range []string{"there ", "is ", "none"} {
			io.WriteString(w, part)
			http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}))
	c := newHTTP2Client(t, p.addr)
	if got := c.answer(c.open(false, request("POST", "/")...)).String(); got != "404 there is none" {
		t.Errorf("got %s", got)
	}
}
