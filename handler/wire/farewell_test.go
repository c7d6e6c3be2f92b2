package wire_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// Those that are to be told of a drain are told one after the other, spread over
// that part of it that leaves them time to go.
func TestFarewellsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, delay, drain = 600, 10 * time.Second, 45 * time.Second
		var mu sync.Mutex
		var told []time.Duration
		var left time.Time
		arrived := make(chan struct{}, clients)
		h := func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			end := make(chan struct{})
			saying := true
			forget := wire.OnFarewell(r.Context(), func() {
				mu.Lock()
				told = append(told, time.Since(left))
				mu.Unlock()
				close(end)
				time.Sleep(time.Millisecond)
				saying = false
			})
			defer func() {
				if forget(); saying {
					t.Error("forgotten while it is told")
				}
			}()
			wire.OnFarewell(r.Context(), func() { t.Error("told though forgotten") })()
			arrived <- struct{}{}
			<-end
		}
		ln := wiretest.NewPipes()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			cfg := wire.Config{MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Minute, ShutdownDelay: delay}
			ended <- wire.Serve(ctx, []net.Listener{ln}, http.HandlerFunc(h), cfg, slog.New(slog.DiscardHandler))
		}()
		for range clients {
			near, far := net.Pipe()
			defer near.Close()
			ln.Accepted <- far
			near.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		}
		for range clients {
			<-arrived
		}
		left = time.Now()
		leave()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(left); took > drain*4/5 {
			t.Errorf("the drain took %v", took)
		}
		if len(told) != clients || told[0] < delay || told[0] > delay+5*time.Second {
			t.Fatalf("%d were told, the first after %v", len(told), told[0])
		}
		at := map[time.Duration]int{}
		for _, after := range told {
			at[(after-delay)/time.Second]++
		}
		// Two thirds of what is left behind the delay, of which each second is as good as
		// any other.
		for second := range (drain - delay) * 2 / 3 / time.Second {
			if n := at[second]; n == 0 || n > clients/5 {
				t.Errorf("%d of %d are told in second %d of %v", n, clients, second, at)
			}
		}
	})
}

func TestFarewellsBeyondAServer(t *testing.T) {
	wire.OnFarewell(t.Context(), func() { t.Error("told") })()
}
