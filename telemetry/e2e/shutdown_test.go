package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// What was answered until the end is what the backends served and what the
// collector received.
func TestTerminationUnderLoadLosesNothing(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			backends := startBackends(t, "a", "b")
			collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			// The queue has room for all: how fast a collector is that shares the
			// CPUs with the load is no question here.
			spangate := startSpangate(t, append(collector.environment(protocol), backends.environment(), "OTEL_BSP_MAX_QUEUE_SIZE=65536")...)

			load := startLoad(t, 20, spangate.url)
			load.await(t, 8000)
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			answered := load.wait()
			collector.finish(t)

			server, attempts := collector.requests()
			var paired int
			for id := range server {
				paired += len(attempts[id])
			}
			got := fmt.Sprintf("%d served, %d SERVER spans, %d CLIENT spans", backends.served, len(server), paired)
			want := fmt.Sprintf("%[1]d served, %[1]d SERVER spans, %[1]d CLIENT spans", answered)
			if got != want {
				t.Errorf("of requests answered:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// load is requests, one after another on each of some connections, half of them
// of HTTP/2, until nobody listens any more. One that fails fails the test.
type load struct {
	answered atomic.Int64
	more     chan struct{} // holds one
	clients  sync.WaitGroup
}

func startLoad(t *testing.T, connections int, url string) *load {
	l := &load{more: make(chan struct{}, 1)}
	for i := range connections {
		l.clients.Go(func() {
			client := newClient(i%2 == 1)
			defer client.CloseIdleConnections()
			for {
				err := post(t.Context(), client, url, i, false)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err != nil {
					if t.Context().Err() == nil {
						t.Errorf("connection %d: %v", i, err)
					}
					return
				}
				l.answered.Add(1)
				select {
				case l.more <- struct{}{}:
				default:
				}
			}
		})
	}
	t.Cleanup(l.clients.Wait)
	return l
}

// await blocks until so many requests have been answered in all.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for l.answered.Load() < n {
		select {
		case <-l.more:
		case <-ctx.Done():
			t.Fatalf("%d requests answered, want %d", l.answered.Load(), n)
		}
	}
}

// wait blocks until nobody listens, and returns how many were answered.
func (l *load) wait() int64 {
	l.clients.Wait()
	return l.answered.Load()
}

// newClient has one connection, of HTTP/1.1 or of HTTP/2 without TLS.
func newClient(h2c bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2c)
	protocols.SetUnencryptedHTTP2(h2c)
	return &http.Client{
		Transport: &http.Transport{Protocols: protocols, MaxConnsPerHost: 1},
		Timeout:   patience,
	}
}
