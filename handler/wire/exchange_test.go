package wire_test

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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// TestAnswers sends requests one after the other and looks at each answer, also in
// pieces: what is taken for the end of one must not be the middle of it. Answers that
// end well share a connection; one that does not is no answer.
func TestAnswers(t *testing.T) {
	type exchange struct{ method, response, want string } // the content, or what is wrong
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	malformed := exchange{"GET", "HTTP/1.1 200 OK\n\r\n", "malformed_response: malformed message: a line that ends in a bare LF"}
	head := func(lines string) string { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" }
	tests := map[string]struct {
		exchanges   []exchange
		connections int // 1 unless given
	}{
		"a body like a malformed head":     {exchanges: []exchange{{"GET", head("Content-Length: 8\r\n") + "X\n Y\r \n\n", "X\n Y\r \n\n"}, {"GET", "HTTP/1.1 204 No Content\r\n\r\n", ""}}},
		"lengths in answer to HEAD":        {exchanges: []exchange{{"HEAD", head("Content-Length: 9\r\n"), ""}, malformed}},
		"chunks in answer to HEAD":         {exchanges: []exchange{{"HEAD", head("Transfer-Encoding: chunked\r\n"), ""}, malformed}},
		"a length in a 304":                {exchanges: []exchange{{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""}, malformed}},
		"no content":                       {exchanges: []exchange{{"GET", head("Content-Length: 0\r\n"), ""}, {"GET", ok, "ok"}}},
		"an interim response":              {exchanges: []exchange{{"GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "ok"}, malformed}},
		"interim responses that are many":  {exchanges: []exchange{{"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nConnection: x\r\n\r\n", 999) + ok, "ok"}, malformed}},
		"interim responses, too many":      {exchanges: []exchange{{"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nConnection: x\r\n\r\n", 1000) + ok, "malformed_response: malformed message: more than 1000 interim responses"}}},
		"chunks and trailers":              {exchanges: []exchange{{"GET", head("Transfer-Encoding: chunked\r\n") + "2;x=y\r\n\n\n\r\n0\r\nT: v\r\n\r\n", "\n\n T=v"}, malformed}},
		"announced trailers":               {exchanges: []exchange{{"GET", head("Trailer: A, B\r\nTransfer-Encoding: chunked\r\n") + "2\r\nok\r\n0\r\nB: 1\r\nB: 2\r\nC: 3\r\n\r\n", "ok A= B=1,2 C=3"}, {"GET", ok, "ok"}}},
		"until the connection ends":        {exchanges: []exchange{{"GET", "HTTP/1.0 200 OK\r\n\r\nany\nthing\r|", "any\nthing\r"}, {"GET", ok, "ok"}}, connections: 2},
		"until it ends, of HTTP/1.1":       {exchanges: []exchange{{"GET", head("") + "anything|", "anything"}, {"GET", ok, "ok"}}, connections: 2},
		"close":                            {exchanges: []exchange{{"GET", head("Connection: close\r\nContent-Length: 2\r\n") + "ok", "ok"}, {"GET", ok, "ok"}}, connections: 2},
		"HTTP/1.0":                         {exchanges: []exchange{{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"}, {"GET", ok, "ok"}}, connections: 2},
		"HTTP/1.0 that is kept":            {exchanges: []exchange{{"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok"}, {"GET", ok, "ok"}}},
		"a space after a chunk's size":     {exchanges: []exchange{{"GET", head("Transfer-Encoding: chunked\r\n") + "1 \r\na\r\n0\r\n\r\n", `backend_reset: malformed message: chunk size "1 "`}}},
		"NUL in a chunk's extension":       {exchanges: []exchange{{"GET", head("Transfer-Encoding: chunked\r\n") + "1;a=\x00\r\na\r\n0\r\n\r\n", `backend_reset: malformed message: chunk extension "a=\x00" with a control character`}}},
		"chunks in HTTP/1.0":               {exchanges: []exchange{{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed_response: malformed message: Transfer-Encoding in HTTP/1.0"}}},
		"a version":                        {exchanges: []exchange{{"GET", "HTTP/1.2 200 OK\r\n\r\n", `malformed_response: malformed message: status line "HTTP/1.2 200 OK"`}}},
		"a status":                         {exchanges: []exchange{{"GET", "HTTP/1.1 2000 OK\r\n\r\n", `malformed_response: malformed message: status line "HTTP/1.1 2000 OK"`}}},
		"another protocol":                 {exchanges: []exchange{{"GET", "SSH-2.0-OpenSSH\r\n", `malformed_response: malformed message: status line "SSH-2.0-OpenSSH"`}}},
		"a header that is too large":       {exchanges: []exchange{{"GET", head("X: " + strings.Repeat("x", 256<<10) + "\r\n"), "malformed_response: a header that is too large"}}},
		"the end amid the head":            {exchanges: []exchange{{"GET", "HTTP/1.1 200 OK\r\n|", "connection_reset: unexpected EOF"}}},
		"the end amid a chunk":             {exchanges: []exchange{{"GET", head("Transfer-Encoding: chunked\r\n") + "2\r\no|", "backend_reset: unexpected EOF"}}},
		"the end before the last chunk":    {exchanges: []exchange{{"GET", head("Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n|", "backend_reset: unexpected EOF"}}},
		"an agreement that nobody offered": {exchanges: []exchange{{"GET", "HTTP/1.1 101 Switching Protocols\r\n\r\nany\nthing\r|", "any\nthing\r"}}},
	}
	for name, test := range tests {
		for _, size := range []int{1, 7, 4096} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				if strings.Contains(name, "many") || strings.Contains(name, "too large") {
					size = max(size, 4096)
				}
				next, connections := make(chan string, 1), 0
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					connections++
					go func() {
						defer far.Close()
						serveRequests(far, func(conn net.Conn, r *http.Request) bool {
							text, ends := strings.CutSuffix(<-next, "|")
							for text != "" {
								n := min(size, len(text))
								if _, err := io.WriteString(conn, text[:n]); err != nil {
									return false
								}
								text = text[n:]
							}
							return !ends
						})
					}()
					return near
				})
				defer closeIdle(rt)
				for i, e := range test.exchanges {
					next <- e.response
					if got := answerTo(t.Context(), rt, e.method); got != e.want {
						t.Errorf("answer %d: got %q, want %q", i, got, e.want)
					}
				}
				if want := max(test.connections, 1); connections != want {
					t.Errorf("over %d connections, want %d", connections, want)
				}
			})
		}
	}
}

// answerTo returns the content and trailer of the answer to a request without
// content, or the error.
func answerTo(ctx context.Context, rt http.RoundTripper, method string) string {
	resp, err := rt.RoundTrip(httptest.NewRequestWithContext(ctx, method, "http://backend/", nil))
	if err != nil {
		return fault.Of(ctx, err).Error()
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return fault.OfBody(ctx, err).Error()
	}
	var text strings.Builder
	text.WriteString(string(content))
	for _, name := range []string{"A", "B", "C", "T"} {
		if values, ok := resp.Trailer[name]; ok {
			text.WriteString(" " + name + "=" + strings.Join(values, ","))
		}
	}
	return text.String()
}

type interimFunc func(status int, header http.Header) error

func (f interimFunc) Interim(status int, header http.Header) error { return f(status, header) }

// TestInterimResponsesAreTold checks what whoever listens is told.
func TestInterimResponsesAreTold(t *testing.T) {
	rt := piped(t, wire.TransportConfig{}, func(conn net.Conn, _ *http.Request) bool {
		io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nConnection: X\r\nX: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
		return true
	})
	var got []string
	ctx := context.WithValue(t.Context(), wire.InterimKey{}, interimFunc(func(status int, header http.Header) error {
		got = append(got, fmt.Sprint(status, header))
		return nil
	}))
	answerTo(ctx, rt, "GET")
	closeIdle(rt)
	if diff := cmp.Diff([]string{"103 map[Connection:[X] X:[1]]", "102 map[]"}, got); diff != "" {
		t.Errorf("interim responses (-want +got):\n%s", diff)
	}
}

// TestHeadAndContentGoTogether looks at what comes in one piece.
func TestHeadAndContentGoTogether(t *testing.T) {
	const pause = time.Minute
	sized, chunked := "POST / HTTP/1.1\r\nHost: backend\r\nContent-Length: 5\r\n\r\n", "POST / HTTP/1.1\r\nHost: backend\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct {
		upload []string
		length int64
		large  bool // the head
		want   []string
	}{
		"all at hand":                 {[]string{"hello"}, 5, false, []string{sized + "hello"}},
		"a part later":                {[]string{"hel", "lo"}, 5, false, []string{sized + "hel", "lo"}},
		"of unknown length":           {[]string{"hello"}, -1, false, []string{chunked + "5\r\nhello\r\n", "0\r\n\r\n"}},
		"of unknown length, and long": {[]string{strings.Repeat("x", 0x123)}, -1, false, []string{chunked + "123\r\n" + strings.Repeat("x", 0x123) + "\r\n", "0\r\n\r\n"}},
		"later":                       {[]string{"", "hello"}, 5, false, []string{sized, "hello"}},
		"behind a large head":         {[]string{"hello"}, 5, true, []string{strings.Replace(sized, "\r\n\r\n", "\r\nX: "+strings.Repeat("x", 5000)+"\r\n\r\n", 1), "hello"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						for total := 0; total < len(strings.Join(test.want, "")); {
							piece := make([]byte, 64<<10)
							n, err := far.Read(piece)
							if err != nil {
								t.Error(err)
								return
							}
							got, total = append(got, string(piece[:n])), total+n
						}
						io.WriteString(far, "HTTP/1.1 204 No Content\r\n\r\n")
						io.Copy(io.Discard, far)
					}()
					return near
				})
				r := httptest.NewRequestWithContext(t.Context(), "POST", "http://backend/", wiretest.Told(pause, test.upload...))
				if r.ContentLength = test.length; test.large {
					r.Header.Set("X", strings.Repeat("x", 5000))
				}
				resp, err := rt.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				closeIdle(rt)
				synctest.Wait()
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("pieces (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestRequestTrailers checks that those go behind the chunks that have come.
func TestRequestTrailers(t *testing.T) {
	got := make(chan string, 1)
	rt := piped(t, wire.TransportConfig{}, func(conn net.Conn, r *http.Request) bool {
		content, err := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%s %v %v", content, r.Trailer, err)
		io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		return true
	})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://backend/", strings.NewReader("hello"))
	r.ContentLength, r.Trailer = -1, http.Header{"A": {"1"}, "B": {""}}
	if _, err := rt.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	closeIdle(rt)
	if diff := cmp.Diff("hello map[A:[1] B:[]] <nil>", <-got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// TestExpectations has a client wait for the backend's word before it sends content.
func TestExpectations(t *testing.T) {
	const refusal = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
	for name, test := range map[string]struct {
		words string // the backend's, at once
		want  string
		took  time.Duration
		read  bool // the client's content
		conns int
	}{
		"go on":       {"HTTP/1.1 100 Continue\r\n\r\n", "200 hello", 0, true, 1},
		"other hints": {"HTTP/1.1 103 Early Hints\r\n\r\n", "200 hello", time.Second, true, 1},
		"nothing":     {"", "200 hello", time.Second, true, 1},
		"a refusal":   {refusal, "417 ", 0, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns := 0
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					conns++
					go func() {
						defer far.Close()
						serveRequests(far, func(conn net.Conn, r *http.Request) bool {
							if r.Method == "POST" {
								io.WriteString(conn, test.words)
							}
							if test.words == refusal && r.Method == "POST" {
								return true
							}
							content, _ := io.ReadAll(r.Body)
							fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
							return true
						})
					}()
					return near
				})
				body := &readBody{Reader: strings.NewReader("hello")}
				r := httptest.NewRequestWithContext(t.Context(), "POST", "http://backend/", body)
				r.ContentLength = 5
				r.Header.Set("Expect", "100-continue")
				began := time.Now()
				resp, err := rt.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				content, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if got := fmt.Sprintf("%d %s", resp.StatusCode, content); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				synctest.Wait()
				if body.read.Load() != test.read {
					t.Errorf("the content was read: %v, want %v", body.read.Load(), test.read)
				}
				answerTo(t.Context(), rt, "GET")
				if conns != test.conns {
					t.Errorf("over %d connections, want %d", conns, test.conns)
				}
				closeIdle(rt)
				synctest.Wait()
			})
		})
	}
}

// readBody tells whether somebody has read it.
type readBody struct {
	io.Reader
	read atomic.Bool
}

func (b *readBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

// TestSwitching hands over a connection on which another protocol is spoken, with
// what came right behind the agreement.
func TestSwitching(t *testing.T) {
	addr := wiretest.Listen(t, func(conn net.Conn, _ int) {
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfirst ")
		said, err := io.ReadAll(in) // to its half-close
		fmt.Fprint(conn, string(said), err)
	})
	rt := wire.NewTransport(wire.TransportConfig{}, "http", "", nil, wire.ConnectionHooks{})
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	conn := resp.Body.(interface {
		io.ReadWriteCloser
		CloseWrite() error
	})
	io.WriteString(conn, "second")
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "first second<nil>" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
	if n := rt.OpenConnections(); n != 0 {
		t.Errorf("%d connections open", n)
	}
}

// TestNothingBoundsAnotherProtocol has a connection be silent for longer than any
// answer may be.
func TestNothingBoundsAnotherProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := piped(t, wire.TransportConfig{ResponseTimeout: time.Second}, func(conn net.Conn, _ *http.Request) bool {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			for range 2 {
				time.Sleep(time.Hour)
				io.WriteString(conn, "later")
				io.ReadFull(conn, make([]byte, len("much later")))
			}
			return false
		})
		ctx, leave := context.WithCancel(t.Context())
		resp, err := rt.RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "http://backend/", nil))
		if err != nil {
			t.Fatal(err)
		}
		leave()
		conn := resp.Body.(io.ReadWriteCloser)
		defer conn.Close()
		for range 2 {
			if _, err := io.ReadFull(conn, make([]byte, len("later"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if _, err := io.WriteString(conn, "much later"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWhoWaitsNoMoreIsNotWaitedFor ends a request's context at each stage of it.
func TestWhoWaitsNoMoreIsNotWaitedFor(t *testing.T) {
	const leaves = time.Minute
	for name, test := range map[string]struct {
		answer string // of the backend, which reads or not
		deaf   bool
		upload []string
		length int64
		want   string
	}{
		"while the head is sent":     {deaf: true, want: "client_disconnected"},
		"while nothing comes":        {want: "client_disconnected"},
		"amid the head":              {answer: "HTTP/1.1 200 OK\r\n", want: "client_disconnected"},
		"before the content":         {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", want: "client_disconnected"},
		"amid the content":           {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", want: "client_disconnected amid the content"},
		"amid chunks":                {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n", want: "client_disconnected amid the content"},
		"while content is sent":      {deaf: true, upload: []string{"hello"}, length: 5, want: "client_disconnected"},
		"while the client is slow":   {upload: []string{"he", "llo"}, length: 5, want: "client_disconnected"},
		"once all of it is sent":     {upload: []string{"hello"}, length: 5, want: "client_disconnected"},
		"with an answer before that": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", upload: []string{"he", "llo"}, length: 5, want: "client_disconnected amid the content"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						if test.deaf {
							time.Sleep(time.Hour)
							return
						}
						r, err := http.ReadRequest(bufio.NewReader(far))
						if err != nil {
							t.Error(err)
							return
						}
						io.WriteString(far, test.answer)
						io.Copy(io.Discard, r.Body)
						io.Copy(io.Discard, far)
					}()
					return near
				})
				ctx, leave := context.WithCancel(t.Context())
				time.AfterFunc(leaves, leave)
				r := httptest.NewRequestWithContext(ctx, "PUT", "http://backend/", nil)
				if test.upload != nil {
					r.Body, r.ContentLength = wiretest.Told(time.Hour, test.upload...), test.length
				}
				began := time.Now()
				got := ""
				resp, err := rt.RoundTrip(r)
				if err != nil {
					got = string(fault.Of(ctx, err).Type)
				} else {
					if _, err = io.Copy(io.Discard, resp.Body); err != nil {
						got = string(fault.OfBody(ctx, err).Type) + " amid the content"
					}
					resp.Body.Close()
				}
				if took := time.Since(began); got != test.want || took != leaves {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, leaves)
				}
				if e, ok := errors.AsType[*fault.Error](err); ok && e.Sent == test.deaf && test.upload == nil {
					t.Errorf("sent: %v", e.Sent)
				}
				time.Sleep(2 * time.Hour) // whoever else there is ends as well
			})
		})
	}
}
