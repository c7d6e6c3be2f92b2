package wire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// serving is a server that can be told to leave.
type serving struct {
	addr  string
	leave context.CancelFunc
	ended chan error
}

func newServing(t testing.TB, h http.HandlerFunc, timeout time.Duration) *serving {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{addr: ln.Addr().String(), leave: cancel, ended: make(chan error, 1)}
	go func() {
		s.ended <- wire.Serve(ctx, []net.Listener{ln}, h, wire.Config{
			HeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 4 << 10, ShutdownTimeout: timeout,
		}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(cancel)
	return s
}

func TestServeFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			t.Parallel()
			arrived, finish := make(chan struct{}), make(chan struct{})
			s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-finish
				io.WriteString(w, "whole")
			}, time.Minute)
			answer := make(chan string, 1)
			go func() {
				resp, err := wiretest.Client(t, http2).Get("http://" + s.addr)
				if err != nil {
					answer <- err.Error()
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				answer <- string(body)
			}()
			<-arrived
			s.leave()
			for { // the listener closes while the request goes on
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					break
				}
				conn.Close()
			}
			close(finish)
			if got := <-answer; got != "whole" {
				t.Errorf("got %q", got)
			}
			if err := <-s.ended; err != nil {
				t.Errorf("Serve returned %v", err)
			}
		})
	}
}

func TestServeAsksKeepAliveClientsToLeave(t *testing.T) {
	t.Parallel()
	s := newServing(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }, time.Minute)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	ask := func() *http.Response {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("a request on an idle connection was lost: %v", err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp
	}
	if ask().Close {
		t.Error("the connection closes though nobody leaves")
	}
	s.leave()
	if !ask().Close {
		t.Error("the client was not asked to leave")
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServeAnswersWhoConnectedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := wiretest.NewPipes()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			h := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }
			cfg := wire.Config{MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Minute}
			ended <- wire.Serve(ctx, []net.Listener{ln}, http.HandlerFunc(h), cfg, slog.New(slog.DiscardHandler))
		}()
		near, far := net.Pipe()
		defer near.Close()
		ln.Accepted <- far
		leave()
		<-ln.Closed
		synctest.Wait() // whatever follows at once upon the end of listening
		go io.WriteString(near, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err != nil {
			t.Fatalf("the first request of the last connection was lost: %v", err)
		}
		if resp.StatusCode != http.StatusOK || !resp.Close {
			t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestServeCutsOffWhatOutlastsTheDrain(t *testing.T) {
	arrived := make(chan struct{}, 2)
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/upgraded" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	}, 100*time.Millisecond)
	for _, path := range []string{"/", "/upgraded"} {
		go func() {
			if resp, err := wiretest.Client(t, false).Get("http://" + s.addr + path); err == nil {
				resp.Body.Close()
			}
		}()
		<-arrived
	}
	s.leave()
	if err := <-s.ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

// A handler that does not heed the end is cut off so that its answer does not look
// complete.
func TestServeCutsOffAnswersWithoutALength(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		http.NewResponseController(w).Flush()
		<-stop
	}, 100*time.Millisecond)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.leave()
	<-s.ended
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q looks complete", body)
	}
}

func TestServeReturnsTheListenersError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if wire.Serve(t.Context(), []net.Listener{ln}, http.NotFoundHandler(), wire.Config{}, slog.New(slog.DiscardHandler)) == nil {
		t.Error("no error for a listener that is closed")
	}
}

func TestServeBoundsWhatAClientSends(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {}, time.Second)
	answer := wiretest.Raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("a header of 16 KiB: %.40q", answer)
	}
}
