package tracer

import (
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Origin is where a span's parent is.
type Origin int

// The origins.
const (
	NoParent Origin = iota
	LocalParent
	RemoteParent
)

func originOf(parent trace.SpanContext) Origin {
	switch {
	case !parent.IsValid():
		return NoParent
	case parent.IsRemote():
		return RemoteParent
	}
	return LocalParent
}

// Counts says how many spans there were, by what the sampler decided.
type Counts struct {
	Started [RemoteParent + 1][sdktrace.RecordAndSample + 1]int64
	Live    [sdktrace.RecordAndSample + 1]int64 // of those that are recorded: neither ended nor forgotten
}

type counts struct {
	started [RemoteParent + 1][sdktrace.RecordAndSample + 1]atomic.Int64
	over    [sdktrace.RecordAndSample + 1]atomic.Int64
}

// Counts returns how many spans there were until now.
func (p *Provider) Counts() (c Counts) {
	for decision := range c.Live { // first, so that none is over before it was started
		c.Live[decision] = -p.counts.over[decision].Load()
	}
	for origin := range c.Started {
		for decision := range c.Live {
			n := p.counts.started[origin][decision].Load()
			c.Started[origin][decision] = n
			c.Live[decision] += n
		}
	}
	c.Live[sdktrace.Drop] = 0
	return c
}

// isOver counts a span that has ended, or never will.
func (s *span) isOver() {
	s.ended.Store(true)
	decision := sdktrace.RecordOnly
	if s.sc.IsSampled() {
		decision = sdktrace.RecordAndSample
	}
	s.tracer.provider.counts.over[decision].Add(1)
}

// Forget says that the span will not be ended, as nobody wants it. What it is told from
// then on is of no effect.
func (s *span) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended.Load() {
		s.isOver()
	}
}
