package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
)

// dated has h answer at a time that is known.
func dated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "now")
		h(w, r)
	}
}

// TestAnswersAsBytes looks at the bytes that an answer is.
func TestAnswersAsBytes(t *testing.T) {
	const get, old, head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
	const ok, chunks = "HTTP/1.1 200 OK\r\nDate: now\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	large := strings.Repeat("x", 40<<10)
	flush := func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }
	typed := func(w http.ResponseWriter, text string) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, text)
	}
	trailers := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		typed(w, "body")
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	}
	for name, test := range map[string]struct {
		request string
		h       http.HandlerFunc
		want    string
	}{
		"nothing":        {get, func(http.ResponseWriter, *http.Request) {}, ok + "Content-Length: 0\r\n\r\n"},
		"a little":       {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "hello") }, ok + "Content-Length: 5\r\n\r\nhello"},
		"pieces":         {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "a"); typed(w, "b") }, ok + "Content-Length: 2\r\n\r\nab"},
		"of a type":      {get, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, ok + "Content-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>"},
		"flushed":        {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "a"); flush(w); typed(w, "b") }, ok + chunks + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		"flushed before": {get, func(w http.ResponseWriter, _ *http.Request) { flush(w); typed(w, "a") }, ok + chunks + "1\r\na\r\n0\r\n\r\n"},
		"much":           {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "a"); typed(w, large) }, ok + chunks + "a001\r\na" + large + "\r\n0\r\n\r\n"},
		"much, of a length": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "40960")
			typed(w, large)
		}, "HTTP/1.1 200 OK\r\nContent-Length: 40960\r\nDate: now\r\n\r\n" + large},
		"more than its length": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			typed(w, "a")
			if _, err := io.WriteString(w, "b"); err != http.ErrContentLength {
				t.Errorf("a write beyond the length: %v", err)
			}
		}, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nDate: now\r\n\r\na"},
		"a length that is none":   {get, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "+1"); typed(w, "a") }, ok + "Content-Length: 1\r\n\r\na"},
		"less than its length":    {get, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9"); typed(w, "a") }, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nDate: now\r\n\r\na"},
		"a panic":                 {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "a"); panic(http.ErrAbortHandler) }, ""},
		"a panic amid chunks":     {get, func(w http.ResponseWriter, _ *http.Request) { typed(w, "a"); flush(w); typed(w, "b"); panic("why") }, ok + chunks + "1\r\na\r\n"},
		"a header that cannot be": {get, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", "a\nb"); typed(w, "a") }, "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"},
		"a field too late":        {get, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.Header().Set("X", "y") }, "HTTP/1.1 201 Created\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"a second status":         {get, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) }, "HTTP/1.1 201 Created\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"an unknown status":       {get, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) }, "HTTP/1.1 299 status code 299\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"trailers":                {get, trailers, ok + "Trailer: X-Announced\r\n" + chunks + "4\r\nbody\r\n0\r\nX-Announced: 1\r\nX-Late: 2\r\n\r\n"},
		"an interim one": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "x")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
		}, "HTTP/1.1 103 Early Hints\r\nDate: now\r\nLink: x\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"},
		"204": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "a"); err != http.ErrBodyNotAllowed {
				t.Errorf("content of a 204: %v", err)
			}
		}, "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n"},
		"304": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "x")
			w.WriteHeader(304)
			flush(w)
		}, "HTTP/1.1 304 Not Modified\r\nDate: now\r\n\r\n"},
		"to HEAD":                 {head, func(w http.ResponseWriter, _ *http.Request) { typed(w, "hello") }, ok + "Content-Length: 5\r\n\r\n"},
		"to HEAD, of a length":    {head, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5"); typed(w, "he") }, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\n"},
		"to HEAD, flushed":        {head, func(w http.ResponseWriter, _ *http.Request) { flush(w); typed(w, "hello") }, ok + "\r\n"},
		"to HTTP/1.0":             {old, func(w http.ResponseWriter, _ *http.Request) { typed(w, "hello") }, "HTTP/1.0 200 OK\r\nDate: now\r\nContent-Length: 5\r\n\r\nhello"},
		"to HTTP/1.0, flushed":    {old, func(w http.ResponseWriter, _ *http.Request) { flush(w); typed(w, "hello") }, "HTTP/1.0 200 OK\r\nDate: now\r\n\r\nhello"},
		"to HTTP/1.0, trailers":   {old, trailers, "HTTP/1.0 200 OK\r\nDate: now\r\nTrailer: X-Announced\r\n\r\nbody"},
		"to HTTP/1.0, interim":    {old, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints) }, "HTTP/1.0 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"to a client that leaves": {strings.Replace(get, "Host", "Connection: close\r\nHost", 1), func(http.ResponseWriter, *http.Request) {}, "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"to an offer of a switch": {strings.Replace(get, "Host", "Upgrade: x\r\nHost", 1), func(http.ResponseWriter, *http.Request) {}, "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"to CONNECT":              {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(501) }, "HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nDate: now\r\nContent-Length: 0\r\n\r\n"},
		"unread":                  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", func(http.ResponseWriter, *http.Request) {}, "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		"unread, but there":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", func(http.ResponseWriter, *http.Request) {}, ok + "Content-Length: 0\r\n\r\n"},
		"unread chunks":           {"POST / HTTP/1.1\r\nHost: x\r\n" + chunks + "3\r\nabc\r\n0\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, ok + "Content-Length: 0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServing(t, dated(test.h), time.Second)
			conn := dial(t, s.addr)
			io.WriteString(conn, test.request)
			got := make([]byte, len(test.want))
			if _, err := io.ReadFull(conn, got); err != nil {
				t.Errorf("of %d bytes: %v", len(test.want), err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Fatalf("(-want +got):\n%.2000s", diff)
			}
			// Behind it either the connection ends, or another request is answered.
			closes := strings.Contains(test.want, "Connection: close") || strings.HasPrefix(test.want, "HTTP/1.0") || strings.Contains(name, "panic") || strings.Contains(name, "less")
			conn.(*net.TCPConn).CloseWrite()
			rest, err := io.ReadAll(conn)
			if err != nil || len(rest) > 0 {
				t.Errorf("then %q, %v", rest, err)
			}
			if closes {
				return
			}
			again := wiretest.Raw(t, s.addr, test.request+strings.Replace(test.request, "Host", "Connection: close\r\nHost", 1))
			if !strings.HasPrefix(again, test.want+"HTTP/1.1 ") && !strings.Contains(name, "interim") {
				t.Errorf("two requests: %.2000q", again)
			}
		})
	}
}

// What a handler does with its request, be it beside the answer, is nothing to that.
func TestRequestsAreTheHandlers(t *testing.T) {
	t.Parallel()
	s := newServing(t, dated(func(w http.ResponseWriter, r *http.Request) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Header.Set("Upgrade", "x")
			r.Header.Set("Connection", "close")
			r.Method, r.ProtoMinor, r.Close = "HEAD", 0, true
		}()
		r.Context().Done()
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "a")
		http.NewResponseController(w).Flush()
		io.WriteString(w, "b")
		<-ended
	}), time.Second)
	const want = "HTTP/1.1 200 OK\r\nDate: now\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
	conn := dial(t, s.addr)
	for range 10 {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Fatalf("%q, error %v", got, err)
		}
	}
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// Where the end of an answer is that of its connection, one that breaks off must not
// end like that.
func TestAnAnswerThatBreaksOffIsNoEnd(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, time.Second)
	conn := dial(t, s.addr)
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v", got, err)
	}
}

// An HTTP/1.0 client may keep its connection if it asks for that and the length of the
// answer is known.
func TestKeptConnectionsOfHTTP10(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path)
		if r.URL.Path == "/stream" {
			http.NewResponseController(w).Flush()
		}
	}, time.Second)
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	for _, path := range []string{"/a", "/b", "/stream"} {
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", path)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if kept := resp.Header.Get("Connection") == "keep-alive"; err != nil || string(body) != path || kept != (path != "/stream") {
			t.Errorf("%s: %q, %v, kept %v", path, body, err, kept)
		}
	}
}

// What a handler does with an answer that is no longer its own fails.
func TestAnswersThatAreOver(t *testing.T) {
	kept := make(chan http.ResponseWriter, 2)
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hijacked" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := io.WriteString(w, "x"); err != http.ErrHijacked {
				t.Errorf("a write behind Hijack: %v", err)
			}
			io.WriteString(conn, "mine")
		}
		kept <- w
	}, time.Second)
	if got := wiretest.Raw(t, s.addr, "GET /hijacked HTTP/1.1\r\nHost: x\r\n\r\n"); got != "mine" {
		t.Errorf("hijacked: %q", got)
	}
	wiretest.Raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for range 2 {
		w := <-kept
		rc := http.NewResponseController(w)
		w.WriteHeader(200)
		_, err := io.WriteString(w, "x")
		_, _, hijack := rc.Hijack()
		for _, err := range []error{err, hijack, rc.Flush(), rc.SetReadDeadline(time.Time{}), rc.SetWriteDeadline(time.Time{})} {
			if err == nil {
				t.Error("something can be done with it")
			}
		}
	}
}
