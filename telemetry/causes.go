package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
)

// maxCauses bounds the links of a change.
const maxCauses = 8

// causes keeps, for each backend, the latest spans of a row that may turn out
// to lead to a change of its state: a row of requests that failed, or of probes
// that failed, or of such that succeeded. One that says the opposite ends a row.
type causes struct {
	mu     sync.Mutex
	of     map[*balancer.Backend]map[balancer.Reason][]cause
	asking map[*balancer.Backend]cause // the latest attempt that asked for a probe which has not begun yet
}

// cause is a span. It is a function, as that of a probe is made only when
// something came of it.
type cause func() trace.SpanContext

// causeOf returns a span as a cause. It does not keep the span, whose memory is its
// request's.
func causeOf(span trace.Span) cause {
	sc := span.SpanContext()
	return func() trace.SpanContext { return sc }
}

// add notes a cause of changes for that reason.
func (c *causes) add(b *balancer.Backend, reason balancer.Reason, span cause) {
	if b.State() == balancer.Draining {
		return // nothing changes its state any more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[*balancer.Backend]map[balancer.Reason][]cause{}
	}
	if c.of[b] == nil {
		c.of[b] = map[balancer.Reason][]cause{}
	}
	kept := append(c.of[b][reason], span)
	c.of[b][reason] = kept[max(0, len(kept)-maxCauses):]
}

// ask notes an attempt after which b is to be probed.
func (c *causes) ask(b *balancer.Backend, attempt cause) {
	if b.State() == balancer.Draining {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking == nil {
		c.asking = map[*balancer.Backend]cause{}
	}
	c.asking[b] = attempt
}

// asked returns the attempt that asked for the probe of b which begins, or nil,
// and forgets it.
func (c *causes) asked(b *balancer.Backend) cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	attempt := c.asking[b]
	delete(c.asking, b)
	return attempt
}

// probed notes a probe, and the attempt that asked for it, which may be nil.
func (c *causes) probed(b *balancer.Backend, err error, span, attempt cause) {
	reason, opposite := balancer.ProbeSucceeded, balancer.ProbeFailed
	if err != nil {
		reason, opposite = opposite, reason
	}
	c.take(b, opposite)
	if err != nil && attempt != nil {
		c.add(b, reason, attempt)
	}
	c.add(b, reason, span)
}

// take returns what led to a change for that reason, oldest first, and forgets
// it.
func (c *causes) take(b *balancer.Backend, reason balancer.Reason) []cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.of[b][reason]
	delete(c.of[b], reason)
	if reason == balancer.LeftDiscovery {
		delete(c.of, b)
		delete(c.asking, b)
	}
	return all
}

// attempted notes what an attempt may lead to: a probe, or that its backend is
// left out. One that succeeded takes it from those that failed before.
func (t *Telemetry) attempted(ctx context.Context, b *balancer.Backend, o balancer.Outcome) {
	e := exchangeOf(ctx)
	if e == nil || e.attempt == nil {
		return
	}
	a := e.attempt
	if o.Doubtful {
		t.causes.ask(b, causeOf(a.span))
	}
	switch failing := &a.client.failing; {
	case o.Failed:
		failing.Store(true)
		t.causes.add(b, balancer.Outlier, causeOf(a.span))
	case o.Err == nil && failing.Load():
		failing.Store(false)
		t.causes.take(b, balancer.Outlier)
	}
}
