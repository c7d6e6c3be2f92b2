package redis

import (
	"slices"
	"sync"
	"testing"
	"time"

	"spangate/policy"
)

// BenchmarkLimit asks a real Redis, one at a time and 64 at once.
func BenchmarkLimit(b *testing.B) {
	for name, clients := range map[string]int{"alone": 1, "64 clients": 64} {
		b.Run(name, func(b *testing.B) {
			r := startRedis(b)
			s := newStore(b, settings(r.url()), policy.Limits{limit(1000, time.Second)})
			run(b, s)
			until(b, "redis decides", func() bool { return decides(s) })
			took := make([]time.Duration, b.N)
			var asking sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for c := range clients {
				asking.Go(func() {
					for i := c; i < b.N; i += clients {
						began := time.Now()
						s.Limit(b.Context(), policy.Key{ID: [16]byte{byte(i), byte(i >> 8)}})
						took[i] = time.Since(began)
					}
				})
			}
			asking.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkShare decides without Redis.
func BenchmarkShare(b *testing.B) {
	s := newStore(b, Config{RedisURL: "redis://127.0.0.1:1"}, policy.Limits{limit(1000, time.Second)})
	b.ReportAllocs()
	for b.Loop() {
		s.Limit(b.Context(), policy.Key{})
	}
}
