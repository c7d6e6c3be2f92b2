package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

const (
	firstWait = 500 * time.Millisecond
	maxWait   = 5 * time.Second
	// lastWait goes before the one repetition that there is time for when the
	// program leaves: enough for a connection that the collector had closed.
	lastWait = 100 * time.Millisecond
)

// delivery repeats exports that found the collector unavailable, with waits that end
// early when the program leaves.
type delivery struct {
	target  target
	leaving <-chan struct{} // closed when Shutdown begins
	outage  *outage

	operations *timing // of all attempts of an export together
}

// do runs attempt until it succeeds, fails for good, or ctx is done. Each
// attempt has the target's timeout.
func (d delivery) do(ctx context.Context, attempt func(context.Context) error) error {
	wait, last := firstWait, false
	for first := true; ; first = false {
		err := d.try(ctx, attempt)
		if err == nil {
			d.outage.delivered(d.target)
			return nil
		}
		if p, ok := errors.AsType[*partial](err); ok {
			d.outage.delivered(d.target)
			if p.rejected == 0 {
				d.outage.log.Debug("the collector remarks", "signal", d.target.signal, "remark", err.Error())
				return nil
			}
			d.outage.refused(d.target, err)
			return err
		}
		setWritten(ctx, false)
		if first && fault.Lost(err) {
			continue // over a connection that was kept, most likely: a new one may do
		}
		d.outage.failed(d.target, err)
		u, again := errors.AsType[*unavailable](err)
		if !again || last {
			return err
		}
		pause := max(u.after, wait/2+rand.N(wait/2))
		wait = min(2*wait, maxWait)

		select {
		case <-d.leaving:
			if clock.Sleep(ctx, lastWait) != nil {
				return gaveUp(ctx, err)
			}
			last = true
			continue
		default:
		}
		if !clock.Await(ctx, d.leaving, pause) && ctx.Err() != nil {
			return gaveUp(ctx, err)
		}
	}
}

func gaveUp(ctx context.Context, last error) error {
	return fmt.Errorf("%w, after %w", context.Cause(ctx), last)
}

func (d delivery) try(ctx context.Context, attempt func(context.Context) error) error {
	tryCtx, cancel := context.WithTimeout(ctx, d.target.timeout)
	defer cancel()
	err := attempt(tryCtx)
	switch {
	case err == nil:
		return nil
	case tryCtx.Err() != nil && ctx.Err() == nil:
		return &unavailable{err: short{err}}
	}
	return short{err}
}
