package handler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire/wiretest"
)

func TestForwardFailures(t *testing.T) {
	// Bound, but nothing listens: the port is taken, and connections are refused.
	gone, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(gone)
	if err := syscall.Bind(gone, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(gone)
	if err != nil {
		t.Fatal(err)
	}
	refuses := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	says := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return rawBackend(t, func(conn net.Conn, _ *http.Request) { io.WriteString(conn, text) })
		}
	}
	tests := []struct {
		name   string
		scheme string
		addr   func(*testing.T) string
		status int
		kind   fault.Type
	}{
		{"nothing listens", "http", func(*testing.T) string { return refuses }, 502, fault.ConnectionRefused},
		{"the name does not resolve", "http", func(*testing.T) string { return "no-such-name.invalid:80" }, 502, fault.DNSError},
		{"TLS to a server without it", "https", says("HTTP/1.1 200 OK\r\n\r\n"), 502, fault.TLSHandshakeError},
		{"closed before a response", "http", says(""), 502, fault.ConnectionReset},
		{"closed amid the header", "http", says("HTTP/1.1 200 OK\r\nX: "), 502, fault.ConnectionReset},
		{"not HTTP", "http", says("SSH-2.0-OpenSSH\r\n"), 502, fault.MalformedResponse},
		{"an impossible version", "http", says("HTTP/5.6 200 OK\r\nContent-Length: 0\r\n\r\n"), 502, fault.MalformedResponse},
		{"a bare CR in the status line", "http", says("HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"), 502, fault.MalformedResponse},
		{"a space in a field name", "http", says("HTTP/1.1 200 OK\r\nX y: 1\r\nContent-Length: 0\r\n\r\n"), 502, fault.MalformedResponse},
		{"both lengths", "http", says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 502, fault.MalformedResponse},
		{"a folded line", "http", says("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"), 502, fault.MalformedResponse},
		{"a bare LF", "http", says("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"), 502, fault.MalformedResponse},
		{"two lengths that differ", "http", says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, fault.MalformedResponse},
		{"an endless header", "http", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), 502, fault.MalformedResponse},
		{"a switch nobody asked for", "http", says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), 502, fault.MalformedResponse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newProxy(t, test.scheme, test.addr(t))
			resp, body := do(t, wiretest.Client(t, false), "GET", p.url, nil, nil)
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if got := (<-p.failed).Type; got != test.kind {
				t.Errorf("error type %q, want %q", got, test.kind)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" || strings.Contains(body, "127.0.0.1") {
				t.Errorf("body of type %q tells of the inside or is no problem: %s", got, body)
			}
		})
	}
}

func TestForwardABackendLostAmidTheBodyAbortsTheResponse(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
		for _, http2 := range []bool{false, true} {
			addr := rawBackend(t, func(conn net.Conn, _ *http.Request) { io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+framing) })
			p := newProxy(t, "http", addr)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", p.url, nil)
			resp, err := wiretest.Client(t, http2).Do(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Errorf("%q, http2=%v: the response looks complete", framing, http2)
			}
			if got := (<-p.failed).Type; got != fault.BackendReset {
				t.Errorf("%q, http2=%v: error type %q", framing, http2, got)
			}
		}
	}
}

func TestForwardTheClientsCancellationReachesTheBackend(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		arrived, canceled := make(chan struct{}), make(chan struct{})
		addr := backend(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(canceled)
		})
		p := newProxy(t, "http", addr)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		r, _ := http.NewRequestWithContext(ctx, "GET", p.url, nil)
		if _, err := wiretest.Client(t, http2).Do(r); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		<-canceled
		if got := (<-p.failed).Type; got != fault.ClientDisconnected {
			t.Errorf("http2=%v: error type %q", http2, got)
		}
	}
}

func TestForwardBlamesTheClientForItsBody(t *testing.T) {
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	tests := []struct {
		name, body string
		close      bool
		status     string
		kind       fault.Type
	}{
		{"a bad chunk size", "zz\r\nab\r\n0\r\n\r\n", false, "400", fault.MalformedRequest},
		{"a chunk longer than it says", "1\r\nabc\r\n0\r\n\r\n", false, "400", fault.MalformedRequest},
		{"it stops", "5\r\nab", false, "408", fault.ClientTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newProxy(t, "http", addr, func(cfg *handler.ForwardConfig) { cfg.ClientTimeout = 100 * time.Millisecond })
			answer := wiretest.Raw(t, p.addr, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+test.body)
			if got := strings.Fields(answer)[1]; got != test.status {
				t.Errorf("status %s, want %s", got, test.status)
			}
			if e := <-p.failed; e.Type != test.kind || !e.Blameless() {
				t.Errorf("error %v, blameless %v, want %s", e, e.Blameless(), test.kind)
			}
		})
	}
}

// A client that is not told would send its next request on a connection that
// ends.
func TestForwardSaysThatAnUnreadUploadEndsTheConnection(t *testing.T) {
	early := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
		io.Copy(io.Discard, conn) // to close it over unread bytes might lose the answer
	})
	tests := map[string]struct{ addr, fields, status string }{
		"answered early":        {early, "", "413"},
		"answered by the proxy": {"no-such-name.invalid:80", "", "502"},
		"refused":               {early, "Via: " + strings.Repeat("1.1 spangate, ", 10) + "\r\n", "508"},
	}
	for name, test := range tests {
		for _, body := range []string{"abc", "abcdefghij"} {
			t.Run(fmt.Sprint(name, ", ", len(body), " of 10 bytes"), func(t *testing.T) {
				conn := dial(t, newProxy(t, "http", test.addr).addr)
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"+test.fields+"\r\n"+body)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if want := len(body) < 10; resp.Close != want || !strings.HasPrefix(resp.Status, test.status) {
					t.Errorf("status %s, closes the connection: %v, want %v", resp.Status, resp.Close, want)
				}
			})
		}
	}
}

func TestFailuresRespondInTheFormThatIsAccepted(t *testing.T) {
	nobody := roundTripper(func(*http.Request) (*http.Response, error) { return nil, &fault.Error{Type: fault.NoHealthyBackend} })
	failures := handler.Failures{TraceID: func(context.Context) string { return "0af7651916cd43dd8448eb211c80319c" }}
	for accept, want := range map[string]string{
		"":                     "{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"No server is available for this request at the moment.\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}\n",
		"text/html, */*;q=0.1": "503 Service Unavailable\n\nNo server is available for this request at the moment.\n\ntrace 0af7651916cd43dd8448eb211c80319c\n",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		handler.Forward(nobody, handler.ForwardConfig{Failures: failures}).ServeHTTP(w, r)
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("Accept: %q (-want +got):\n%s", accept, diff)
		}
		if w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
}
