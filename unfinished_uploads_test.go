package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestUnfinishedUploads has a backend give a request up whose client owes a part
// of it, and waits for the answer before it sends more. It hears of the end at
// once: not when it sends the rest, which it never does.
func TestUnfinishedUploads(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *http2Backend, stream uint32){
		"reset":                  func(b *http2Backend, stream uint32) { b.framer.WriteRSTStream(stream, http2.ErrCodeInternal) },
		"reset without an error": func(b *http2Backend, stream uint32) { b.framer.WriteRSTStream(stream, http2.ErrCodeNo) },
		"the connection closed":  func(b *http2Backend, stream uint32) { b.closed = true },
		"told to go away, and then": func(b *http2Backend, stream uint32) {
			b.framer.WriteGoAway(stream, http2.ErrCodeNo, nil)
			b.closed = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for begun, want := range map[bool]struct{ http1, http2 string }{
				false: {"HTTP/1.1 502 Bad Gateway", "502"},
				true:  {"HTTP/1.1 200 OK", "200 be"},
			} {
				backend := newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
					if begun {
						b.begin(stream, "be")
					}
					end(b, stream)
				})
				p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "CLIENT_TIMEOUT=0", "BACKEND_RESPONSE_TIMEOUT=0", "OUTLIER_FAILURES=0")

				conn := dial(t, p.addr)
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbe\r\n")
				answer, err := io.ReadAll(conn)
				if status, _, _ := strings.Cut(string(answer), "\r\n"); err != nil || status != want.http1 || bytes.HasSuffix(answer, []byte("0\r\n\r\n")) {
					t.Errorf("begun %v, over HTTP/1.1: %v\n%s", begun, err, answer)
				}

				c := newHTTP2Client(t, p.addr)
				stream := c.open(false, request("POST", "/")...)
				c.data(stream, false, "be")
				got := c.answer(stream)
				if text := got.String(); !strings.HasPrefix(text, want.http2) || begun && got.reset == "" {
					t.Errorf("begun %v, over HTTP/2: %s, reset %q", begun, text, got.reset)
				}
			}
		})
	}
}

// TestAnswersToUnfinishedUploads has a backend answer, and then reset the stream
// or close the connection: the client gets all of the answer, however slowly it
// takes it.
func TestAnswersToUnfinishedUploads(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content ", 6<<10) // within the window that nobody has opened
	for name, end := range map[string]func(b *http2Backend, stream uint32){
		"reset": func(b *http2Backend, stream uint32) { b.framer.WriteRSTStream(stream, http2.ErrCodeNo) },
		"closed": func(b *http2Backend, stream uint32) {
			// Not at once: with unread data its kernel would drop what it has to send.
			b.conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, b.conn)
			b.closed = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
				b.begin(stream, "")
				for part := content; part != ""; part = part[min(len(part), 8<<10):] {
					b.framer.WriteData(stream, false, []byte(part[:min(len(part), 8<<10)]))
				}
				b.framer.WriteData(stream, true, nil)
				end(b, stream)
			})
			for range 5 {
				// Anew: the next request could be on its way to the end of the connection.
				p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "CLIENT_TIMEOUT=0")
				c := newHTTP2Client(t, p.addr)
				stream := c.open(false, request("POST", "/")...)
				c.data(stream, false, "be")
				if got := c.answer(stream).body.String(); got != content {
					t.Fatalf("got %d bytes of %d", len(got), len(content))
				}
			}
		})
	}
}
