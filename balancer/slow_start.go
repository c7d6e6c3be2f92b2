package balancer

import "time"

// rampSteps is in how many steps the weight of a backend that came up grows,
// from one step to all. Steps, because round robin lays out whole turns; few,
// because it lays them out anew at each.
const rampSteps = 10

// ramp is the growth of one backend's weight.
type ramp struct {
	start time.Time
	step  time.Duration // until the next step, each time
}

// cameUp notes that b is in use again after it was not. What was
// learned of its latency is forgotten, and over slowStart its weight grows from
// a tenth to its full value, in equal steps, so that caches and pools of
// connections can fill; 0 gives it all at once. [Hash] is exempt: a key that
// waited for its backend elsewhere would move twice, and a cache warms up with
// its own keys only.
//
// It must be called before the pool publishes a ready set with b in it.
func (b *Backend) cameUp(slowStart time.Duration) {
	if b.latency.Load() != nil {
		b.latency.Store(newLatency())
	}
	if slowStart <= 0 {
		b.ramp.Store(nil)
		return
	}
	b.ramp.Store(&ramp{start: time.Now(), step: max(slowStart/(rampSteps-1), 1)})
}

// weight returns b's weight as it is now, times rampSteps: it is for
// comparisons with others.
func (b *Backend) weight() int {
	weight := max(b.Weight, 1)
	if r := b.ramp.Load(); r != nil {
		if step := r.at(time.Now()); step < rampSteps {
			return weight * step
		}
		b.ramp.CompareAndSwap(r, nil) // over: nobody need look at the clock again
	}
	return weight * rampSteps
}

// at returns the share of the weight at a time, from 1 to rampSteps.
func (r *ramp) at(now time.Time) int {
	return int(min(max(now.Sub(r.start), 0)/r.step+1, rampSteps))
}

// nextWeightChange returns when a weight among ready changes, or the zero Time
// if none will.
func nextWeightChange(ready []*Backend) (next time.Time) {
	now := time.Now()
	for _, b := range ready {
		r := b.ramp.Load()
		if r == nil {
			continue
		}
		step := r.at(now)
		if step == rampSteps {
			continue
		}
		if change := r.start.Add(r.step * time.Duration(step)); next.IsZero() || change.Before(next) {
			next = change
		}
	}
	return next
}
