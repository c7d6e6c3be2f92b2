package handler_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
)

func TestForwardStreamsServerSentEvents(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			next := make(chan string)
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				http.NewResponseController(w).Flush()
				for event := range next {
					io.WriteString(w, event)
					http.NewResponseController(w).Flush()
				}
			})
			r, _ := http.NewRequestWithContext(t.Context(), "GET", newProxy(t, "http", addr).url, nil)
			resp, err := wiretest.Client(t, http2).Do(r) // the header comes before any event
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			buffer := make([]byte, 1024)
			for i := range 3 {
				event := fmt.Sprintf("id: %d\ndata: x\n\n", i)
				next <- event // the next one is sent only when this one has arrived
				n, err := io.ReadAtLeast(resp.Body, buffer, len(event))
				if err != nil || string(buffer[:n]) != event {
					t.Fatalf("event %d: got %q, %v", i, buffer[:n], err)
				}
			}
			close(next)
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %q, %v", rest, err)
			}
		})
	}
}

func TestForwardTrailers(t *testing.T) {
	type pair struct{ client, backend bool } // whether each speaks HTTP/2
	for _, http2 := range []pair{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", http2), func(t *testing.T) {
			received := make(chan http.Header, 1)
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "X-Announced")
				io.Copy(io.Discard, r.Body)
				received <- r.Trailer
				io.WriteString(w, "body")
				w.Header().Set("X-Announced", "1")
				w.Header().Set(http.TrailerPrefix+"X-Late", "2")
			})
			scheme := "http"
			if http2.backend {
				scheme = "h2c"
			}
			p := newProxy(t, scheme, addr)
			r, _ := http.NewRequestWithContext(t.Context(), "POST", p.url, io.MultiReader(strings.NewReader("sent")))
			r.Trailer = http.Header{"X-Sum": {"3"}}
			resp, err := wiretest.Client(t, http2.client).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if diff := cmp.Diff(http.Header{"X-Sum": {"3"}}, <-received); diff != "" {
				t.Errorf("request trailers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(http.Header{"X-Announced": {"1"}, "X-Late": {"2"}}, resp.Trailer); diff != "" {
				t.Errorf("response trailers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardInterimResponses(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	})
	answer := wiretest.Raw(t, newProxy(t, "http", addr).addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	interim, final, _ := strings.Cut(answer, "\r\n\r\n")
	if !strings.HasPrefix(interim, "HTTP/1.1 103 ") || !strings.Contains(interim, "Link: </a.css>; rel=preload") {
		t.Errorf("interim response: %q", interim)
	}
	if !strings.HasPrefix(final, "HTTP/1.1 200 OK\r\n") || strings.Contains(final, "Link:") {
		t.Errorf("final response: %q", final)
	}
}

func TestForwardExpectContinue(t *testing.T) {
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	p := newProxy(t, "http", addr)
	conn := dial(t, p.addr)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	in := textproto.NewReader(bufio.NewReader(conn))
	if line, err := in.ReadLine(); err != nil || line != "HTTP/1.1 100 Continue" {
		t.Fatalf("before the body: %q, %v", line, err)
	}
	io.WriteString(conn, "hello")
	for {
		line, err := in.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if line == "HTTP/1.1 200 OK" {
			break
		}
	}
	if answer := wiretest.Raw(t, p.addr, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
		t.Errorf("a refusal must come instead of 100: %q", answer)
	}
}

func TestForwardUpgrade(t *testing.T) {
	addr := rawBackend(t, func(conn net.Conn, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo/1" {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nhello ")
		io.Copy(conn, conn) // until the half-close
		io.WriteString(conn, " bye")
	})
	p := newProxy(t, "http", addr)
	conn := dial(t, p.addr)
	// The first bytes of the new protocol are glued to the request.
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nglued,")
	in := bufio.NewReader(conn)
	head, err := textproto.NewReader(in).ReadLine()
	if err != nil || head != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("%q, %v", head, err)
	}
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil || header.Get("Upgrade") != "echo/1" || header.Get("Connection") != "Upgrade" {
		t.Errorf("header of the 101: %v, %v", header, err)
	}
	io.WriteString(conn, "then")
	conn.(*net.TCPConn).CloseWrite()
	carried, err := io.ReadAll(in)
	if want := "hello glued,then bye"; err != nil || string(carried) != want {
		t.Errorf("upgraded connection carried %q, want %q; %v", carried, want, err)
	}
	// RFC 9110 §7.8 lets a server pass over an Upgrade: with a body it is not passed on.
	withBody := wiretest.Raw(t, p.addr, "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: echo/1\r\nContent-Length: 2\r\n\r\nhi")
	if !strings.HasPrefix(withBody, "HTTP/1.1 200 ") {
		t.Errorf("an upgrade with a body: %q", withBody)
	}
}

// golang/go#80085: closing the response's body waits for the client.
func TestForwardEndsWithTheResponseThoughTheRequestIsOpen(t *testing.T) {
	type pair struct{ client, backend bool }
	for _, http2 := range []pair{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("%+v", http2), func(t *testing.T) {
			addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor == 1 {
					http.NewResponseController(w).EnableFullDuplex()
				}
				io.ReadFull(r.Body, make([]byte, 4))
				w.Header().Set("Trailer", "Grpc-Status")
				io.WriteString(w, "answer")
				w.Header().Set("Grpc-Status", "5")
			})
			scheme := "http"
			if http2.backend {
				scheme = "h2c"
			}
			p := newProxy(t, scheme, addr)
			body, out := io.Pipe()
			defer out.Close()
			r, _ := http.NewRequestWithContext(t.Context(), "POST", p.url, body)
			go io.WriteString(out, "open")
			resp, err := wiretest.Client(t, http2.client).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || string(text) != "answer" || resp.Trailer.Get("Grpc-Status") != "5" {
				t.Errorf("got %q, trailer %v, %v", text, resp.Trailer, err)
			}
		})
	}
}

// With net/http's defaults about one response in 600 is cut short, as the
// server and the transport both read the end of the request's body.
func TestForwardPostsAreAnsweredWhole(t *testing.T) {
	answer := strings.Repeat("x", 10_000)
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		io.CopyN(io.Discard, r.Body, 1)
		io.WriteString(w, answer)
		io.Copy(io.Discard, r.Body)
	})
	p := newProxy(t, "http", addr)
	c := wiretest.Client(t, false)
	var sent atomic.Int64
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for sent.Add(1) <= 2000 {
				resp, err := c.Post(p.url, "text/plain", io.MultiReader(strings.NewReader("some body")))
				if err != nil {
					done <- err
					return
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(text) != answer {
					done <- fmt.Errorf("%d bytes, %w", len(text), err)
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
