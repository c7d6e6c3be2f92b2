package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// A collector that dies and comes back is no concern of the clients, and what
// happened while it was away is told to it then.
func TestCollectorOutage(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			backends := startBackends(t, "a", "b")
			first := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
			spangate := startSpangate(t, append(first.environment(protocol),
				backends.environment(),
				"TRUSTED_PROXIES=127.0.0.0/8",
				// So that many a batch finds nobody during the outage.
				"OTEL_BSP_SCHEDULE_DELAY=20",
			)...)

			traffic := startTraffic(t, spangate.url)
			before := traffic.upcoming(t)
			first.await(t, "a request before the outage", func(n int) bool { return n >= before })

			first.end(t, syscall.SIGKILL)
			during := traffic.upcoming(t)
			for range 300 {
				traffic.upcoming(t)
			}

			second := startCollector(t, first.http, first.grpc)
			// The first request of the outage found room in the queue. How many
			// found none depends on the exporter's pause, so no other is named.
			second.await(t, "the first request of the outage", func(n int) bool { return n == during })
			after := traffic.upcoming(t)
			second.await(t, "a request after the outage", func(n int) bool { return n >= after })

			traffic.stop()
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}
			second.finish(t)
		})
	}
}

// traffic is requests one after another on a few connections. One that fails
// fails the test, and is the last of its connection.
type traffic struct {
	last    atomic.Int64
	started chan int // offers the number of each request that begins
	quit    chan struct{}
	clients sync.WaitGroup
	once    sync.Once
}

func startTraffic(t *testing.T, url string) *traffic {
	tr := &traffic{started: make(chan int), quit: make(chan struct{})}
	for range 4 {
		tr.clients.Go(func() {
			client := newClient(false)
			defer client.CloseIdleConnections()
			for {
				n := int(tr.last.Add(1))
				select {
				case <-tr.quit:
					return
				case tr.started <- n:
				default: // nobody asks for it
				}
				if err := post(t.Context(), client, url, n, true); err != nil {
					if t.Context().Err() == nil {
						t.Errorf("request %d: %v", n, err)
					}
					return
				}
			}
		})
	}
	t.Cleanup(tr.stop)
	return tr
}

// upcoming is the number of a request that is sent after the call.
func (tr *traffic) upcoming(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case n := <-tr.started:
		return n
	case <-ctx.Done():
		t.Fatal("no request was sent")
		return 0
	}
}

// stop returns when the last request has been answered.
func (tr *traffic) stop() {
	tr.once.Do(func() { close(tr.quit) })
	tr.clients.Wait()
}
