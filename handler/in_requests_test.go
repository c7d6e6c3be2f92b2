package handler_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// exporting serves h behind the wrapper, on pipes, in a bubble of synctest.
func exporting(t *testing.T, export func() func(context.Context), budget time.Duration, h http.HandlerFunc) (dial func() net.Conn) {
	ln := wiretest.NewPipes()
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := wire.Config{MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Minute}
	go func() {
		ended <- wire.Serve(ctx, []net.Listener{ln}, handler.ExportInRequests(export, budget)(h), cfg, slog.New(slog.DiscardHandler))
	}()
	var conns []net.Conn
	t.Cleanup(func() {
		for _, conn := range conns {
			conn.Close()
		}
		leave()
		<-ended
	})
	return func() net.Conn {
		near, far := net.Pipe()
		conns = append(conns, near)
		ln.Accepted <- far
		return near
	}
}

// lasting is the wait for an export that lasts until end is ready.
func lasting(end <-chan time.Time) func(context.Context) {
	return func(ctx context.Context) {
		select {
		case <-end:
		case <-ctx.Done():
		}
	}
}

// readAnswer reads a response and all of its body.
func readAnswer(t *testing.T, in *bufio.Reader) {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
}

func whole(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "5")
	io.WriteString(w, "whole")
}

func inPieces(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, "in ")
	http.NewResponseController(w).Flush()
	io.WriteString(w, "pieces")
}

func TestExportHoldsOnlyWhoIsAnswered(t *testing.T) {
	const budget = 20 * time.Millisecond
	for _, test := range []struct {
		name    string
		h       http.HandlerFunc
		request string
		held    time.Duration
	}{
		{"an answer whose length is known", whole, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", budget},
		{"to HTTP/1.0", whole, "GET / HTTP/1.0\r\n\r\n", budget},
		{"with a body that was not read, but has come", whole, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", budget},
		{"with a body that is still coming", whole, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh", 0},
		{"an answer that was given up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var held time.Duration
				export := func() func(context.Context) {
					return func(ctx context.Context) {
						start := time.Now()
						<-ctx.Done()
						held = time.Since(start)
					}
				}
				conn := exporting(t, export, budget, test.h)()
				go io.WriteString(conn, test.request)
				start := time.Now()
				if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
					io.Copy(io.Discard, resp.Body)
				}
				if waited := time.Since(start); waited != 0 {
					t.Errorf("the client waited %v for its answer", waited)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if held != test.held {
					t.Errorf("held for %v, want %v", held, test.held)
				}
			})
		})
	}
}

func TestExportLetsGoOfWhoAsksForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := exporting(t, func() func(context.Context) { return lasting(nil) }, time.Hour, whole)()
		in := bufio.NewReader(conn)
		start := time.Now()
		for range 3 {
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			readAnswer(t, in)
			synctest.Wait()
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("three requests on one connection took %v", waited)
		}
	})
}

func TestExportHoldsNobodyWhoAskedForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := exporting(t, func() func(context.Context) { return lasting(nil) }, time.Hour, whole)()
		go io.WriteString(conn, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3))
		in := bufio.NewReader(conn)
		start := time.Now()
		for range 3 {
			readAnswer(t, in)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("three pipelined requests took %v", waited)
		}
	})
}

// An answer whose end is its handler's has its bytes at once, and its end when
// what was left before is delivered: of itself nothing is waited for.
func TestExportDeliversWhatWasLeft(t *testing.T) {
	const budget = 20 * time.Millisecond
	for _, test := range []struct {
		name       string
		left, want time.Duration
	}{
		{"nothing", 0, 0},
		{"little", 5 * time.Millisecond, 5 * time.Millisecond},
		{"more than can be waited for", time.Hour, budget},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exports := 0
				export := func() func(context.Context) {
					if exports++; exports > 1 {
						return func(context.Context) { t.Error("its own export was waited for") }
					}
					return lasting(time.After(test.left))
				}
				conn := exporting(t, export, budget, inPieces)()
				go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				start := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(resp.Body, make([]byte, len("in pieces"))); err != nil || time.Since(start) != 0 {
					t.Errorf("the answer's bytes took %v: %v", time.Since(start), err)
				}
				if _, err := resp.Body.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("after it: %v", err)
				}
				if got := time.Since(start); got != test.want {
					t.Errorf("its end took %v, want %v", got, test.want)
				}
			})
		})
	}
}

// What clients wait together in a minute is bounded, however slow the collector.
func TestExportIsNotFeltForLong(t *testing.T) {
	const budget, ms = 20 * time.Millisecond, time.Millisecond
	type request struct{ pause, want time.Duration }
	for name, test := range map[string]struct {
		export   time.Duration
		requests []request
	}{
		"one that is away": {time.Hour, []request{{0, budget}, {0, 0}, {59 * time.Second, 0}, {time.Second, budget}, {0, 0}}},
		"one that is slow": {8 * ms, []request{{0, 8 * ms}, {0, 8 * ms}, {0, 4 * ms}, {0, 0}, {0, 0}, {time.Minute, 8 * ms}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				export := func() func(context.Context) {
					return lasting(time.After(test.export))
				}
				conn := exporting(t, export, budget, inPieces)()
				in := bufio.NewReader(conn)
				for i, r := range test.requests {
					time.Sleep(r.pause)
					start := time.Now()
					go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
					readAnswer(t, in)
					if got := time.Since(start); got != r.want {
						t.Errorf("answer %d took %v, want %v", i, got, r.want)
					}
				}
			})
		})
	}
}

func TestExportsWhenTheLastEnds(t *testing.T) {
	var exports atomic.Int32
	export := func() func(context.Context) {
		exports.Add(1)
		return nil
	}
	var arrived, leave sync.WaitGroup
	arrived.Add(3)
	leave.Add(1)
	h := handler.ExportInRequests(export, 0)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		leave.Wait()
	}))
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", strings.NewReader(""))) })
	}
	arrived.Wait()
	if n := exports.Load(); n != 1 {
		t.Errorf("%d exports when three requests had come, want the first's", n)
	}
	leave.Done()
	clients.Wait()
	if n := exports.Load(); n != 2 {
		t.Errorf("%d exports when they had ended, want one more", n)
	}
}

func TestNoExportIsOff(t *testing.T) {
	if handler.ExportInRequests(nil, time.Second) != nil {
		t.Error("there is a wrapper though nothing is exported")
	}
}
