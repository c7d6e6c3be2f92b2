package balancer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer"
	"spangate/handler/fault"
)

// TestOneHungOfTwo sends requests once a second, by the defaults, while one of
// two backends takes them and answers none. Nobody waits for longer than
// BACKEND_RESPONSE_TIMEOUT, who may be given to another backend is answered, and
// once somebody has waited in vain few are given to the one that hangs.
func TestOneHungOfTwo(t *testing.T) {
	const responseTimeout, requests = 30 * time.Second, 100
	for method, mayFail := range map[string]bool{"GET": false, "PUT": false, "POST": true} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backends := named(nil, "hung", "fit")
				var given atomic.Int64
				backends[0].Use(roundTripper(func(r *http.Request) (*http.Response, error) {
					given.Add(1)
					ctx, cancel := context.WithTimeout(r.Context(), responseTimeout) // the transport's own limit
					defer cancel()
					<-ctx.Done()
					if r.Context().Err() != nil {
						return nil, fault.Of(r.Context(), r.Context().Err())
					}
					return nil, &fault.Error{Type: fault.ResponseTimeout, Sent: true}
				}))
				backends[1].Use(answering(http.StatusOK))
				cfg := retrying(t, "connect,502,503,504", balancer.RetryConfig{Attempts: 2, Budget: 0.2, TryTimeout: balancer.TryAuto})
				cfg.ResponseTimeout = responseTimeout
				rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), backends...))
				var clients sync.WaitGroup
				for range requests {
					clients.Go(func() {
						began := time.Now()
						resp, err := rt.RoundTrip(httptest.NewRequest(method, "/", nil))
						if waited := time.Since(began); waited > responseTimeout {
							t.Errorf("a client waited %v", waited)
						}
						if err != nil && !mayFail {
							t.Errorf("a client was answered with %v", err)
						} else if err == nil {
							resp.Body.Close()
						}
					})
					time.Sleep(time.Second)
				}
				clients.Wait()
				// Until the first has waited in vain every second request; then one in
				// as long a time.
				first := 10
				if mayFail {
					first = 30
				}
				asked := int(given.Load())
				if most := first/2 + (requests-first)/first + 1; asked == 0 || asked > most {
					t.Errorf("the one that hangs was given %d requests of %d, want %d at most", asked, requests, most)
				}
			})
		})
	}
}
