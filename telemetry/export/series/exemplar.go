package series

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// measurement is an exemplar. One without a time is none.
type measurement struct {
	value int64
	time  time.Time
	trace trace.TraceID
	span  trace.SpanID
}

func measured(ctx context.Context, value int64) measurement {
	span := trace.SpanContextFromContext(ctx)
	return measurement{value, time.Now(), span.TraceID(), span.SpanID()}
}

// later returns the number of the measurement that takes the place of the n-th. Of all
// that come each is then the last to be chosen with the same chance, as the n-th of n
// is with 1/n.
func later(n uint64) uint64 {
	chance := 1 - rand.Float64() // not 0
	return uint64(min(float64(n)/chance, math.MaxInt64)) + 1
}

// passedOver returns when to look again after the n-th measurement was not fit to be
// an exemplar: soon, but not at each, where hardly any is.
func passedOver(n uint64) uint64 { return n + 1 + n/64 }

// sample keeps one of the measurements that are counted since the last collection.
// Which one it will be is chosen by their number, before anybody looks at it.
type sample struct {
	next atomic.Uint64 // number of the one that is looked at next

	mu   sync.Mutex // nobody who records waits for it
	kept measurement
}

// offer is for the measurement of a number that has come to s.next, or gone past it.
func (s *sample) offer(ctx context.Context, filter exemplar.Filter, n uint64, value int64) {
	if !filter(ctx) {
		s.next.Store(passedOver(n))
		return
	}
	if !s.mu.TryLock() {
		return
	}
	s.kept = measured(ctx, value)
	s.next.Store(later(n))
	s.mu.Unlock()
}

// take returns the one that was kept, and begins anew.
func (s *sample) take() measurement {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.kept
	s.kept = measurement{}
	s.next.Store(0)
	return kept
}

// latest puts a measurement in the place of one that a reader was told of before.
func (m *measurement) latest(by measurement) {
	if !by.time.IsZero() {
		*m = by
	}
}

// told returns exemplars as readers are told of them.
func told[N number](kept []measurement) (all []metricdata.Exemplar[N]) {
	for _, m := range kept {
		if m.time.IsZero() {
			continue
		}
		e := metricdata.Exemplar[N]{Time: m.time, Value: valueOf[N](m.value)}
		if m.trace.IsValid() {
			e.TraceID = m.trace[:]
		}
		if m.span.IsValid() {
			e.SpanID = m.span[:]
		}
		all = append(all, e)
	}
	return all
}
