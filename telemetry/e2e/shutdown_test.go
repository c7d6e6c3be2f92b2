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
	const connections, enough = 20, 8000
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			backends := startBackends(t, "a", "b")
			collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			spangate := startSpangate(t, append(collector.environment(protocol), backends.environment())...)

			var answered atomic.Int64
			loaded := make(chan struct{})
			var clients sync.WaitGroup
			for i := range connections {
				clients.Go(func() {
					client := newClient(i%2 == 1)
					defer client.CloseIdleConnections()
					for {
						err := post(t.Context(), client, spangate.url, i, false)
						if errors.Is(err, syscall.ECONNREFUSED) {
							return
						}
						if err != nil {
							if t.Context().Err() == nil {
								t.Errorf("connection %d: %v", i, err)
							}
							return
						}
						if answered.Add(1) == enough {
							close(loaded)
						}
					}
				})
			}
			t.Cleanup(clients.Wait)
			answering, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			select {
			case <-loaded:
			case <-answering.Done():
				t.Fatalf("%d requests answered, want %d", answered.Load(), enough)
			}
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			clients.Wait()
			collector.finish(t)

			server, attempts := collector.requests()
			var paired int
			for id := range server {
				paired += len(attempts[id])
			}
			got := fmt.Sprintf("%d served, %d SERVER spans, %d CLIENT spans", backends.served, len(server), paired)
			want := fmt.Sprintf("%[1]d served, %[1]d SERVER spans, %[1]d CLIENT spans", answered.Load())
			if got != want {
				t.Errorf("of requests answered:\ngot  %s\nwant %s", got, want)
			}
		})
	}
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
