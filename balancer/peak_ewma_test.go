package balancer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer"
	"spangate/handler/fault"
)

// answers makes b answer after so long: with a status, or with a refused
// connection for 0. A request for /hang is never answered.
func answers(b *balancer.Backend, after time.Duration, status int) {
	b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		time.Sleep(after)
		if status == 0 {
			return nil, &fault.Error{Type: fault.ConnectionRefused}
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
	}))
}

func ask(b *balancer.Backend) {
	if resp, err := b.RoundTrip(get()); err == nil {
		resp.Body.Close()
	}
}

// oneByOne sends n requests, a millisecond apart, and returns which part of
// them ready[0] got.
func oneByOne(pick balancer.Picker, ready []*balancer.Backend, n int) float64 {
	got := 0
	for range n {
		b := pick(get(), ready)
		if b == ready[0] {
			got++
		}
		ask(b)
		time.Sleep(time.Millisecond)
	}
	return float64(got) / float64(n)
}

func TestPeakEWMALearns(t *testing.T) {
	const usual = 10 * time.Millisecond
	tests := []struct {
		name     string
		happens  func(t *testing.T, ready []*balancer.Backend) // after both answered 100 requests alike
		min, max float64                                       // share of the first one from then on
	}{
		{"nothing", func(*testing.T, []*balancer.Backend) {}, .4, .6},
		{"slower", func(_ *testing.T, ready []*balancer.Backend) { answers(ready[0], 10*usual, http.StatusOK) }, 0, .02},
		{"refuses", func(_ *testing.T, ready []*balancer.Backend) { answers(ready[0], 0, 0) }, 0, .02},
		{"fails fast", func(_ *testing.T, ready []*balancer.Backend) { answers(ready[0], 0, http.StatusServiceUnavailable) }, 0, .02},
		{"says no", func(_ *testing.T, ready []*balancer.Backend) { answers(ready[0], usual, http.StatusNotFound) }, .4, .6},
		{"the client is at fault", func(_ *testing.T, ready []*balancer.Backend) {
			ready[0].Use(roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, &fault.RequestBodyError{Err: errors.New("bad chunk")}
			}))
			ready[0].RoundTrip(get())
			answers(ready[0], usual, http.StatusOK)
		}, .4, .6},
		{"hangs", func(t *testing.T, ready []*balancer.Backend) {
			r := get().WithContext(t.Context())
			r.URL.Path = "/hang"
			go ready[0].RoundTrip(r)
			time.Sleep(time.Second)
		}, 0, .02},
		{"hung until the client left", func(t *testing.T, ready []*balancer.Backend) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			r := get().WithContext(ctx)
			r.URL.Path = "/hang"
			ready[0].RoundTrip(r)
		}, 0, .02},
		{"slow for once, long ago", func(_ *testing.T, ready []*balancer.Backend) {
			answers(ready[0], time.Second, http.StatusOK)
			ask(ready[0])
			answers(ready[0], usual, http.StatusOK)
			oneByOne(balancer.NewPeakEWMA(), ready, 10_000) // 110 s
		}, .3, .7},
		{"slow, and came up again", func(_ *testing.T, ready []*balancer.Backend) {
			answers(ready[0], time.Second, http.StatusOK)
			ask(ready[0])
			answers(ready[0], usual, http.StatusOK)
			ready[0].CameUp(0)
		}, .4, .6},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ready, pick := numbered(1, 1), balancer.NewPeakEWMA()
				for _, b := range ready {
					answers(b, usual, http.StatusOK)
				}
				oneByOne(pick, ready, 100)
				for _, b := range ready {
					ask(b)
				}
				test.happens(t, ready)
				if got := oneByOne(pick, ready, 500); got < test.min || got > test.max {
					t.Errorf("got %.3f of the requests, want %g to %g", got, test.min, test.max)
				}
			})
		})
	}
}

func TestPeakEWMADoesNotFloodTheUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready, pick := numbered(1, 1), balancer.NewPeakEWMA()
		for _, b := range ready {
			answers(b, 10*time.Millisecond, http.StatusOK)
		}
		oneByOne(pick, ready, 100)
		ready[0].CameUp(0) // nothing is known of it now
		for range 50 {
			b := pick(get(), ready)
			go func() {
				r := get().WithContext(t.Context())
				r.URL.Path = "/hang"
				b.RoundTrip(r)
			}()
			synctest.Wait()
		}
		if n := ready[0].Active(); n != 1 {
			t.Errorf("%d requests wait for its first answer, want 1", n)
		}
	})
}
