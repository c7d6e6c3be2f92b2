package export

import (
	"fmt"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// rateLimited samples so many traces per second, and those of one second, or
// one trace if that takes longer, at once. It is the generic cell rate
// algorithm over one number that all requests share without a lock.
type rateLimited struct {
	rate            float64
	base            time.Time // times are counted from here, by the monotonic clock
	interval, burst time.Duration
	full            atomic.Int64 // when all of the burst is there again
}

func newRateLimited(rate float64) *rateLimited {
	interval := time.Duration(float64(time.Second) / rate)
	return &rateLimited{rate: rate, base: time.Now(), interval: interval, burst: max(interval, time.Second)}
}

func (s *rateLimited) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{
		Decision:   sdktrace.Drop,
		Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState(),
	}
	if s.take() {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

func (s *rateLimited) take() bool {
	now := time.Since(s.base)
	for {
		full := s.full.Load()
		next := max(time.Duration(full), now) + s.interval
		if next-now > s.burst {
			return false
		}
		if s.full.CompareAndSwap(full, int64(next)) {
			return true
		}
	}
}

func (s *rateLimited) Description() string { return fmt.Sprintf("RateLimited{%v/s}", s.rate) }
