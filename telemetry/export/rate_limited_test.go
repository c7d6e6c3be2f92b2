package export

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRateLimited(t *testing.T) {
	for _, tt := range []struct {
		rate  float64
		every time.Duration // between requests
		n     int
		want  int64
	}{
		{rate: 10, every: 0, n: 100, want: 10},                        // all of a burst
		{rate: 10, every: time.Second, n: 50, want: 50},               // far below
		{rate: 10, every: 10 * time.Millisecond, n: 1000, want: 109},  // ten seconds, the burst and what came since
		{rate: 0.5, every: 100 * time.Millisecond, n: 100, want: 5},   // one every two seconds
		{rate: 0.001, every: 0, n: 10, want: 1},                       // one is always there
		{rate: 1e6, every: time.Microsecond, n: 10_000, want: 10_000}, // as many as come
	} {
		synctest.Test(t, func(t *testing.T) {
			s, got := newRateLimited(tt.rate), int64(0)
			for range tt.n {
				if s.take() {
					got++
				}
				time.Sleep(tt.every)
			}
			if got != tt.want {
				t.Errorf("%v/s, one in %v: %d of %d, want %d", tt.rate, tt.every, got, tt.n, tt.want)
			}
		})
	}
}

func TestRateLimitedIsExactForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRateLimited(1000)
		var got atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 1000 {
					if s.take() {
						got.Add(1)
					}
				}
			})
		}
		all.Wait()
		if got.Load() != 1000 {
			t.Errorf("%d sampled at once, want 1000", got.Load())
		}
	})
}
