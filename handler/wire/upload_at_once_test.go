package wire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// askedBody notes whether it is read by who sends the request.
type askedBody struct {
	io.ReadCloser
	bySender *atomic.Bool
}

func (b askedBody) Read(p []byte) (int, error) {
	b.bySender.Store(strings.Contains(string(debug.Stack()), ".RoundTrip("))
	return b.ReadCloser.Read(p)
}

// Short content that has come whole is sent by who sends the head; nobody else has to
// be waited for. What is long, or yet to come, must not keep an answer from being read.
func TestWhoSendsContent(t *testing.T) {
	tests := map[string]struct {
		head, rest string // of which rest comes once the request is handled
		want       bool
	}{
		"it is there":      {"Content-Length: 3\r\n\r\nsum", "", true},
		"some is to come":  {"Content-Length: 3\r\n\r\ns", "um", false},
		"all is to come":   {"Content-Length: 3\r\n\r\n", "sum", false},
		"it is long":       {"Content-Length: 20000\r\n\r\n", strings.Repeat("x", 20000), false},
		"of no length":     {"Transfer-Encoding: chunked\r\n\r\n3\r\nsum\r\n0\r\n\r\n", "", false},
		"100 is asked for": {"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nsum", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			backend := wiretest.Listen(t, func(conn net.Conn, _ int) {
				serveRequests(conn, func(conn net.Conn, r *http.Request) bool {
					if r.Header.Get("Expect") != "" {
						io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
					}
					n, err := io.Copy(io.Discard, r.Body)
					_, werr := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d", len(fmt.Sprint(n)), n)
					return err == nil && werr == nil
				})
			})
			var dials atomic.Int32
			rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
				dials.Add(1)
				return dial(t, backend)
			})
			handled := make(chan struct{}, 1)
			var bySender atomic.Bool
			s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
				handled <- struct{}{}
				out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://backend/", askedBody{r.Body, &bySender})
				if err != nil {
					t.Error(err)
					return
				}
				out.ContentLength, out.Header = r.ContentLength, r.Header
				resp, err := rt.RoundTrip(out)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				io.Copy(w, resp.Body)
			}, 0)
			conn := dial(t, s.addr)
			in := bufio.NewReader(conn)
			for range 10 {
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+test.head)
				<-handled
				io.WriteString(conn, test.rest)
				answer, err := http.ReadResponse(in, nil)
				for err == nil && answer.StatusCode == http.StatusContinue {
					answer, err = http.ReadResponse(in, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				if got := bySender.Load(); got != test.want {
					t.Errorf("sent by who sends the head: %v, want %v", got, test.want)
				}
			}
			if n := dials.Load(); n != 1 {
				t.Errorf("%d connections for requests that come one after the other", n)
			}
		})
	}
}
