package balancer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// TestTryTimeout checks whose time the limit of an attempt is: not that in which
// the client owes a part of the request, nor that in which other requests have
// all connections.
func TestTryTimeout(t *testing.T) {
	const limit, long = time.Second, time.Minute
	tests := map[string]struct {
		upload   []string
		queued   bool // as the configuration says
		queue    time.Duration
		answer   time.Duration // from the connection or the upload's end on
		want     string        // an error type, or nothing
		wantTime time.Duration
	}{
		"in time":                        {answer: limit / 2, wantTime: limit / 2},
		"hangs":                          {answer: long, want: "response_timeout", wantTime: limit},
		"a slow client":                  {upload: []string{"s", "u", "m"}, answer: limit / 2, wantTime: 2*long + limit/2},
		"a slow client, and hangs":       {upload: []string{"s", "u", "m"}, answer: long, want: "response_timeout", wantTime: 2*long + limit},
		"waits for a connection":         {queued: true, queue: long, answer: limit / 2, wantTime: long + limit/2},
		"waits for a connection, hangs":  {queued: true, queue: long, answer: long, want: "response_timeout", wantTime: long + limit},
		"waits, and for a slow client":   {upload: []string{"s", "um"}, queued: true, queue: long, answer: limit / 2, wantTime: 2*long + limit/2},
		"waits though none should queue": {queue: long, want: "response_timeout", wantTime: limit},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := named(nil, "a")[0]
				a.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
					wait := func(d time.Duration) error {
						select {
						case <-time.After(d):
						case <-r.Context().Done():
						}
						return r.Context().Err()
					}
					if err := wait(test.queue); err != nil {
						return nil, err
					}
					if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
						trace.GotConn(httptrace.GotConnInfo{})
					}
					if r.Body != nil {
						io.Copy(io.Discard, r.Body)
					}
					if err := wait(test.answer); err != nil {
						return nil, err
					}
					return answering(http.StatusOK).RoundTrip(r)
				}))
				cfg := balancer.Config{Retry: balancer.RetryConfig{TryTimeout: balancer.TryTimeout(limit)}}
				if test.queued {
					cfg.MaxConnections = 1
				}
				rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRandom(), a))
				r := httptest.NewRequest("PUT", "/path", nil)
				if test.upload != nil {
					r.Body = wiretest.Told(long, test.upload...)
				}
				began := time.Now()
				resp, err := rt.RoundTrip(r)
				got := ""
				if err != nil {
					got = string(fault.Of(t.Context(), err).Type)
				} else {
					resp.Body.Close()
				}
				if took := time.Since(began); got != test.want || took != test.wantTime {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, test.wantTime)
				}
				if a.Active() != 0 {
					t.Errorf("%d requests in flight", a.Active())
				}
			})
		})
	}
}

// A limit that may pass before anybody waits for its end ends the attempt in time all the
// same. Of a longer one nothing is made until somebody does.
func TestShortTryTimeout(t *testing.T) {
	for limit, want := range map[time.Duration]bool{100 * time.Millisecond: true, wire.Watched: false, time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			a := named(nil, "a")[0]
			a.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
				time.Sleep(limit)
				synctest.Wait()
				if ended := r.Context().Err() != nil; ended != want {
					t.Errorf("after %v the attempt's context has ended: %t, want %t", limit, ended, want)
				}
				return answering(http.StatusOK).RoundTrip(r)
			}))
			cfg := balancer.Config{Retry: balancer.RetryConfig{TryTimeout: balancer.TryTimeout(limit)}}
			rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRandom(), a))
			if resp, err := rt.RoundTrip(httptest.NewRequest("GET", "/", nil)); err == nil {
				resp.Body.Close()
			}
		})
	}
}
