package balancer

import (
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

const (
	// decay is after what time 63 % of a peak is forgotten.
	decay = 10 * time.Second
	// worst is the longest latency that is told apart from longer ones. It bounds
	// how long a single answer can keep a backend out of favour.
	worst = 30 * time.Second
	// unanswered is at least what a request counts as that got no answer, or an
	// error for the first one: failing fast must not look fast.
	unanswered = time.Second
	// longUpload is from how many bytes on a request's time says more about the
	// client than about the backend.
	longUpload = 64 << 10
	// tick is the unit in which the age of an average is kept. What is older than
	// 32 bits can tell, some 26 days, counts as younger, which does no harm.
	tick time.Duration = 1 << 20
)

// latency is what is known of how fast a backend answers. It is safe for
// concurrent use.
type latency struct {
	epoch time.Time // what times below are counted from
	// average holds seconds as a float32 in its upper half, 0 for no answer yet,
	// and in its lower half the tick of its last change: the two change together.
	average atomic.Uint64
	waiting atomic.Int64 // requests without a response's header
	quiet   atomic.Int64 // since when those are without any answer
}

func newLatency() *latency { return &latency{epoch: time.Now()} }

// timed returns b's latency. Attempts are timed from the first call on.
func (b *Backend) timed() *latency {
	if l := b.latency.Load(); l != nil {
		return l
	}
	b.latency.CompareAndSwap(nil, newLatency())
	return b.latency.Load()
}

// begin notes an attempt that begins now and returns that, or the zero Time if it
// is not timed. A nil l times nothing.
func (l *latency) begin(r *http.Request, now time.Time) time.Time {
	if l == nil || r.ContentLength > longUpload {
		return time.Time{}
	}
	if l.waiting.Load() == 0 {
		l.quiet.Store(int64(now.Sub(l.epoch)))
	}
	l.waiting.Add(1)
	return now
}

// end notes how the attempt that began then went.
func (l *latency) end(began time.Time, o Outcome) {
	if began.IsZero() {
		return
	}
	now := time.Now()
	l.waiting.Add(-1)
	l.quiet.Store(int64(now.Sub(l.epoch)))
	took := now.Sub(began).Seconds()
	average, at := unpack(l.average.Load())
	known := average * l.faded(now, at)
	switch {
	case o.Err != nil && o.Err.Type == fault.ClientDisconnected:
		// The answer would have taken longer still.
		if took <= known {
			return
		}
	case o.Err != nil && o.Err.Blameless():
		return
	case o.Err != nil, o.ofServer() && known == 0:
		took = max(took, 2*known, unanswered.Seconds())
	case o.ofServer():
		// Relative to what is usual, so that an error here and there, which all
		// backends may have, does not drown the differences between them.
		took = max(took, 2*known)
	}
	l.observe(now, min(took, worst.Seconds()))
}

// observe takes a latency in seconds into the average.
func (l *latency) observe(now time.Time, took float64) {
	for {
		old := l.average.Load()
		average, at := unpack(old)
		if took < average {
			kept := l.faded(now, at)
			if kept == 1 {
				return // too soon to tell: the first answer of each tick counts
			}
			took = average*kept + took*(1-kept)
		}
		if l.average.CompareAndSwap(old, pack(took, l.tick(now))) {
			return
		}
	}
}

// expected returns what latency in seconds a further request must reckon with.
// Without requests the average falls: a slow backend is tried again when it
// looks as fast as the others.
func (l *latency) expected(now time.Time) float64 {
	average, at := unpack(l.average.Load())
	waiting := l.waiting.Load() > 0
	switch {
	case average == 0 && !waiting:
		return 0
	case average == 0:
		return worst.Seconds()
	}
	average *= l.faded(now, at)
	if waiting {
		// It owes answers. One that hangs must not look as fast as it was.
		average = max(average, (now.Sub(l.epoch) - time.Duration(l.quiet.Load())).Seconds())
	}
	return average
}

// faded returns which part of an average is left that was last changed at a
// tick.
func (l *latency) faded(now time.Time, at uint32) float64 {
	// Negative when another response was quicker to note its later time.
	passed := max(int32(l.tick(now)-at), 0)
	return math.Exp(-float64(passed) * tick.Seconds() / decay.Seconds())
}

func (l *latency) tick(now time.Time) uint32 { return uint32(now.Sub(l.epoch) / tick) }

func pack(seconds float64, at uint32) uint64 {
	// At least the smallest number there is, as 0 has a meaning of its own.
	return uint64(max(math.Float32bits(float32(seconds)), 1))<<32 | uint64(at)
}

func unpack(average uint64) (seconds float64, at uint32) {
	return float64(math.Float32frombits(uint32(average >> 32))), uint32(average)
}
