package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// inBubble serves h with cfg over pipes, in a bubble of synctest, and hands out the
// client's end of a connection.
func inBubble(t *testing.T, cfg wire.Config, h http.HandlerFunc, use func(t *testing.T, conn net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ln := wiretest.NewPipes()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		cfg.MaxHeaderBytes, cfg.ShutdownTimeout = 4<<10, time.Minute
		go func() {
			ended <- wire.Serve(ctx, []net.Listener{ln}, h, cfg, slog.New(slog.DiscardHandler))
		}()
		near, far := net.Pipe()
		ln.Accepted <- far
		use(t, near)
		near.Close()
		leave()
		<-ended
	})
}

// TestTimesOfClients has clients be slow, and looks at when that ends, and how.
func TestTimesOfClients(t *testing.T) {
	cfg := wire.Config{HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ClientTimeout: time.Minute}
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	for name, test := range map[string]struct {
		sent []string // with 9 seconds between them
		want string   // statuses
		ends time.Duration
	}{
		"nothing":                     {nil, "", 10 * time.Second},
		"a part of a header":          {[]string{"GET / HT"}, "408", 10 * time.Second},
		"a header in pieces":          {[]string{"GET / HT", "TP/1.1\r\n"}, "408", 10 * time.Second},
		"a request":                   {[]string{get}, "200", 2 * time.Minute},
		"a request that comes late":   {[]string{"", get}, "200", 9*time.Second + 2*time.Minute},
		"another one":                 {[]string{get, "", get}, "200 200", 18*time.Second + 2*time.Minute},
		"a part of another one":       {[]string{get, "", "GET"}, "200 408", 28 * time.Second},
		"a body that stops":           {[]string{post + "ab"}, "408", time.Minute},
		"a body in pieces":            {[]string{post + "a", "b", "c"}, "408", 18*time.Second + time.Minute},
		"a body that comes":           {[]string{post + "a", "b", "c", "de"}, "200", 27*time.Second + 2*time.Minute},
		"an empty line and no more":   {[]string{get, "\r\n"}, "200 408", 19 * time.Second},
		"a preface that is not whole": {[]string{"PRI * HTTP/2.0\r\n\r\nS"}, "400", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cfg, func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					if !os.IsTimeout(err) {
						t.Errorf("the body cannot be read for %v", err)
					}
					w.WriteHeader(http.StatusRequestTimeout)
				}
			}, func(t *testing.T, conn net.Conn) {
				began := time.Now()
				go func() {
					for i, piece := range test.sent {
						if i > 0 {
							time.Sleep(9 * time.Second)
						}
						io.WriteString(conn, piece)
					}
				}()
				answers, err := io.ReadAll(conn)
				if err != nil {
					t.Error(err)
				}
				var statuses []string
				for line := range strings.Lines(string(answers)) {
					if rest, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
						statuses = append(statuses, rest[:3])
					}
				}
				if got := strings.Join(statuses, " "); got != test.want {
					t.Errorf("answered %s, want %s", got, test.want)
				}
				if took := time.Since(began); took != test.ends {
					t.Errorf("ended after %v, want %v", took, test.ends)
				}
			})
		})
	}
}

// A client that takes its answer, or what comes in another protocol, bit by bit is
// waited for; one that takes nothing is not.
func TestClientsThatReadSlowly(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter) error{
		"an answer": func(w http.ResponseWriter) error {
			w.Header().Set("Content-Length", "200")
			w.Header()["Content-Type"] = nil
			_, err := w.Write(make([]byte, 200))
			return err
		},
		"another protocol": func(w http.ResponseWriter) error {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			n, err := conn.Write(make([]byte, 277))
			if err == nil && n != 277 {
				err = io.ErrShortWrite
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { testSlowReaders(t, write) })
	}
}

// testSlowReaders has clients read 277 bytes that write sends them.
func testSlowReaders(t *testing.T, write func(w http.ResponseWriter) error) {
	for name, test := range map[string]struct {
		takes int // bytes
		fails bool
	}{
		"all of it, slowly": {277, false},
		"some of it":        {100, true},
		"a byte":            {1, true},
		"nothing":           {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			var ended time.Time
			inBubble(t, wire.Config{ClientTimeout: time.Minute}, func(w http.ResponseWriter, _ *http.Request) {
				err := write(w)
				ended = time.Now()
				if test.fails != os.IsTimeout(err) {
					t.Errorf("the write ends with %v", err)
				}
			}, func(t *testing.T, conn net.Conn) {
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				for range test.takes {
					time.Sleep(50 * time.Second)
					if _, err := conn.Read(make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
				}
				last := time.Now()
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				if pause := ended.Sub(last); test.fails && (pause < time.Minute || pause > 75*time.Second) {
					t.Errorf("a pause of %v ended the write, of which a minute is allowed", pause)
				}
			})
		})
	}
}

// opaqueListener accepts connections of which nothing can be seen before it is read.
type opaqueListener struct{ net.Listener }

func (l opaqueListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return struct{ net.Conn }{conn}, err
}

// TestContexts has clients leave while their request is handled.
func TestContexts(t *testing.T) {
	for name, test := range map[string]struct {
		request string
		read    bool // the body
	}{
		"without content":                 {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		"when the content has come":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", true},
		"when the content came, unread":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", false},
		"amid the content, that is read":  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na", true},
		"behind the beginning of another": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
	} {
		for _, opaque := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", opaque ", opaque), func(t *testing.T) {
				begun, ended := make(chan struct{}), make(chan error, 1)
				h := func(_ http.ResponseWriter, r *http.Request) {
					if r.Context().Err() != nil {
						t.Error("it has ended before")
					}
					called := make(chan struct{})
					stop := context.AfterFunc(r.Context(), func() { close(called) })
					derived, cancel := context.WithTimeout(r.Context(), time.Hour)
					defer cancel()
					close(begun)
					if test.read {
						io.Copy(io.Discard, r.Body)
					}
					<-derived.Done()
					<-called
					if stop() {
						t.Error("AfterFunc could be stopped")
					}
					ended <- context.Cause(derived)
				}
				addr := ""
				if opaque {
					ln, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(context.Background())
					t.Cleanup(cancel)
					go wire.Serve(ctx, []net.Listener{opaqueListener{ln}}, http.HandlerFunc(h), wire.Config{MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Second}, slog.New(slog.DiscardHandler))
					addr = ln.Addr().String()
				} else {
					addr = newServing(t, h, time.Second).addr
				}
				conn := dial(t, addr)
				io.WriteString(conn, test.request)
				<-begun
				conn.Close()
				if err := <-ended; err != context.Canceled {
					t.Errorf("ended by %v", err)
				}
			})
		}
	}
}

// A context that nobody waits for has no goroutine, and ends with the handler.
func TestAContextThatNobodyWaitsFor(t *testing.T) {
	type key struct{}
	contexts := make(chan context.Context, 1)
	goroutines := 0
	s := newServing(t, func(_ http.ResponseWriter, r *http.Request) {
		before := runtime.NumGoroutine()
		if r.Context().Err() != nil {
			t.Error("it has ended")
		}
		goroutines = runtime.NumGoroutine() - before
		contexts <- context.WithValue(r.Context(), key{}, 2)
	}, time.Second)
	wiretest.Raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	ctx := <-contexts
	if goroutines > 0 {
		t.Errorf("%d goroutines look for its end", goroutines)
	}
	if ctx.Err() != context.Canceled {
		t.Errorf("its error is %v", ctx.Err())
	}
	<-ctx.Done()
	called := make(chan struct{})
	if context.AfterFunc(ctx, func() { close(called) }); ctx.Value(key{}) != 2 {
		t.Error("its values are gone")
	}
	<-called
}

// TestBodies has a body read beside the answer, and by two at a time.
func TestBodies(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/together" {
			var got [2]int64
			var both sync.WaitGroup
			for i := range got {
				both.Go(func() { got[i], _ = io.Copy(io.Discard, r.Body) })
			}
			both.Wait()
			fmt.Fprint(w, got[0]+got[1])
			return
		}
		p := make([]byte, 1)
		for {
			n, err := r.Body.Read(p)
			w.Write(p[:n])
			http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}, time.Second)
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1)
	for _, next := range []string{"1\r\nb\r\n", "1\r\nc\r\n", "0\r\n\r\n"} {
		if _, err := io.ReadFull(resp.Body, p); err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, next)
	}
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	answer := wiretest.Raw(t, s.addr, "POST /together HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000))
	if !strings.HasSuffix(answer, "\r\n\r\n100000") {
		t.Errorf("read by two: %q", answer)
	}
}

// lateConn is a connection on which a text may come just when nobody waits any more: as
// its read deadline is set to the past.
type lateConn struct {
	net.Conn
	text chan string   // what comes so, with the next read
	over chan struct{} // is closed when it does
}

func (c lateConn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		close(c.over)
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c lateConn) Read(p []byte) (int, error) {
	select {
	case text := <-c.text:
		<-c.over
		return copy(p, text), nil
	case <-c.over:
		return 0, errReadsOn
	default:
		return c.Conn.Read(p)
	}
}

var errReadsOn = errors.New("nobody may wait for more")

// Whoever reads a body when the answer is over is not let wait for more of it, though
// something should have come at that moment.
func TestABodyThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := wiretest.NewPipes()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		near, far := net.Pipe()
		conn := lateConn{far, make(chan string, 1), make(chan struct{})}
		read := make(chan error, 1)
		go func() {
			ended <- wire.Serve(ctx, []net.Listener{ln}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn.text <- "5" // of a chunk's size, which has more digits, it may be
				go func() {
					_, err := r.Body.Read(make([]byte, 10))
					read <- err
				}()
				synctest.Wait()
			}), wire.Config{MaxHeaderBytes: 1 << 12, ShutdownTimeout: time.Second, ClientTimeout: time.Minute}, slog.New(slog.DiscardHandler))
		}()
		ln.Accepted <- conn
		io.WriteString(near, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		io.Copy(io.Discard, near)
		if err := <-read; !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("reading ends with %v", err)
		}
		leave()
		<-ended
	})
}

// TestContinue checks when a client that waits for it is sent a 100.
func TestContinue(t *testing.T) {
	const request = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	for name, test := range map[string]struct {
		h    http.HandlerFunc
		want string // before the body is sent
	}{
		"with the first read": {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, interim},
		"by the handler": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			io.Copy(io.Discard, r.Body)
		}, interim},
		"not with an answer": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "HTTP/1.1 403 Forbidden\r\n"},
		"not behind an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			http.NewResponseController(w).Flush()
			io.Copy(io.Discard, r.Body)
		}, "HTTP/1.1 403 Forbidden\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, newServing(t, test.h, time.Second).addr)
			io.WriteString(conn, request)
			got := make([]byte, len(test.want))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != test.want {
				t.Fatalf("%q, %v", got, err)
			}
			io.WriteString(conn, "ab")
			conn.(*net.TCPConn).CloseWrite()
			if rest, _ := io.ReadAll(io.LimitReader(conn, 1000)); strings.Contains(string(rest), "100 Continue") {
				t.Errorf("then %q", rest)
			}
		})
	}
}
