package handler_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire/wiretest"
)

func TestForwardTimeouts(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := newProxy(t, "http", addr)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, r)
	if got := (<-p.failed).Type; w.Code != http.StatusGatewayTimeout || got != fault.Timeout {
		t.Errorf("past its deadline: status %d, error type %q", w.Code, got)
	}
}

func TestForwardResponseTimeout(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := proxy{failed: make(chan *fault.Error, 1)}
	w := httptest.NewRecorder()
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if got := (<-p.failed).Type; w.Code != http.StatusGatewayTimeout || got != fault.ResponseTimeout {
		t.Errorf("a black hole: status %d, error type %q", w.Code, got)
	}
}

func TestForwardABackendThatDoesNotReadTimesOut(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	addr := rawBackend(t, func(net.Conn, *http.Request) { <-stop })
	p := proxy{failed: make(chan *fault.Error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only where nothing else ends it
	defer cancel()
	const size = 64 << 20 // more than two sockets hold
	body := io.LimitReader(zeros{}, size)
	r := httptest.NewRequestWithContext(ctx, "PUT", "/", body)
	r.ContentLength = size
	w := httptest.NewRecorder()
	forwardTo(t, addr, 10*time.Millisecond, &p).ServeHTTP(w, r)
	if e := <-p.failed; w.Code != http.StatusGatewayTimeout || e.Type != fault.ResponseTimeout || e.Blameless() {
		t.Errorf("status %d, error %v, blameless %v", w.Code, e, e.Blameless())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// stalled is a request's body of which nothing comes after sent until ctx ends.
func stalled(ctx context.Context, sent string) io.Reader {
	rest, out := io.Pipe()
	context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	return io.MultiReader(strings.NewReader(sent), rest)
}

func TestForwardKeepsTheDeadlineWhileTheClientStalls(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("backend=%s,http2=%v", scheme, http2), func(t *testing.T) {
				addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
				p := newProxy(t, scheme, addr)
				bounded := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, cancel := context.WithTimeout(r.Context(), patience)
					defer cancel()
					p.handler.ServeHTTP(w, r.WithContext(ctx))
				}), 0)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only where nothing else ends it
				defer cancel()
				r, _ := http.NewRequestWithContext(ctx, "POST", "http://"+bounded, stalled(ctx, "abc"))
				resp, err := wiretest.Client(t, http2).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				cancel() // net/http's client closes no body while its upload is open
				resp.Body.Close()
				if resp.StatusCode != http.StatusGatewayTimeout || resp.Close == http2 {
					t.Errorf("status %d, closes the connection: %v", resp.StatusCode, resp.Close)
				}
				if got := (<-p.failed).Type; got != fault.Timeout {
					t.Errorf("error type %q", got)
				}
			})
		}
	}
}
