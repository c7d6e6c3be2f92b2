package probe

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

// Report is what came of one probe.
type Report struct {
	Err     error // why it failed; nil: the backend is fit
	Changed bool  // the verdict on the backend is another one since, or the first
}

// Watcher keeps a verdict on one backend by asking again and again. At first
// there is none: one probe that succeeds makes the backend fit, Config.Fall in
// a row that fail make it unfit, and then Config.Rise in a row fit again.
//
// What starts the probes depends on Config.Mode: Run and Suspect, or requests ([OnDemand]);
// whichever the mode does not call for does nothing. There is one probe at a
// time. Run is called once; Suspect is safe for concurrent use.
type Watcher struct {
	mode     Mode
	interval time.Duration
	timeout  time.Duration

	url    *url.URL
	check  Check
	report func(Report)

	suspect chan struct{} // holds a demand of Suspect that is not met yet

	epoch time.Time    // what due counts from, on the monotonic clock
	due   atomic.Int64 // when demand may start the next probe, in ns after epoch; or never

	verdict verdict // belongs to whoever probes
}

// never is in Watcher.due while a probe of demand is under way, and always in
// other modes.
const never = 1<<63 - 1

// NewWatcher returns a watcher of the backend at u. report is told of each probe
// that tells something, before the next one begins, so that a decorated check
// knows which probes led to a change.
func NewWatcher(cfg Config, u *url.URL, check Check, report func(Report)) *Watcher {
	w := &Watcher{
		mode: cfg.Mode, interval: cmp.Or(cfg.Interval, 10*time.Second), timeout: cmp.Or(cfg.Timeout, 2*time.Second),
		url: u, check: check, report: report,
		suspect: make(chan struct{}, 1),
		epoch:   time.Now(),
		verdict: verdict{rise: cmp.Or(cfg.Rise, 1), fall: cmp.Or(cfg.Fall, 2)},
	}
	if cfg.Mode != ModeOnDemand {
		w.due.Store(never)
	}
	return w
}

// Run probes at once, and then at intervals until ctx is done; it returns the
// cause of that. While a probe contradicts the verdict the next one comes
// sooner. Run returns nil after the first probe with ModeOnDemand, and at once
// with ModeOff.
func (w *Watcher) Run(ctx context.Context) error {
	switch w.mode {
	case ModeOff:
		return nil
	case ModeOnDemand:
		if w.claim() {
			w.probeOnDemand(ctx)
		}
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	trigger := TriggerTimer
	for {
		select {
		case <-w.suspect: // what came before this probe is answered by it
			if w.verdict.is != down {
				trigger = TriggerRequest
			}
		default:
		}
		began := time.Now()
		conclusive := w.probe(ctx, trigger)
		ended := time.Now()
		next := w.interval - rand.N(w.interval/10+1) // never later: whoever waits for a return counts on it
		if !conclusive || !w.verdict.settled() {
			next = w.confirm()
		}
		suspect := w.suspect
		if w.verdict.is == down {
			suspect = nil // that attempts fail there is no news
		}
		timer.Reset(untilNext(began, ended, next))
		trigger = TriggerTimer
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-suspect:
			trigger = TriggerRequest
			timer.Reset(untilNext(began, ended, w.confirm()))
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// Bounds of the time from one probe to the next while the verdict is in doubt.
const minConfirm, maxConfirm = 50 * time.Millisecond, time.Second

func (w *Watcher) confirm() time.Duration {
	return min(w.interval, max(minConfirm, min(maxConfirm, w.interval/10)))
}

// untilNext counts d from the beginning of one probe to that of the next, so
// that a backend that hangs is not asked less often than one that refuses. From
// the end of the one there is a pause all the same.
func untilNext(began, ended time.Time, d time.Duration) time.Duration {
	return max(time.Until(began.Add(d)), time.Until(ended.Add(min(d, minConfirm))))
}

// Suspect says that the backend failed a request, and asks for a probe now: not
// sooner after the last one than a tenth of the interval (at least 50 ms, at
// most 1 s), however often it is called. It costs little and never blocks.
func (w *Watcher) Suspect() {
	select {
	case w.suspect <- struct{}{}:
	default:
	}
}

// stalled is how many times its timeout a failed probe must have taken to tell
// nothing about the backend: this process was stopped, or starved, meanwhile.
const stalled = 2

// probe asks once and counts the answer. It reports whether there was one: a
// failure has none that ctx or this process itself may have caused, by its end,
// by a stop, or by a want of descriptors, ports, memory or a token.
func (w *Watcher) probe(ctx context.Context, trigger Trigger) (conclusive bool) {
	began := time.Now()
	limited, cancel := context.WithTimeout(context.WithValue(ctx, triggerKey{}, trigger), w.timeout)
	defer cancel()
	err := w.check(limited, w.url)
	if err != nil && (ctx.Err() != nil || time.Since(began) > stalled*w.timeout || fault.Exhausted(err) || errors.Is(err, fault.ErrNoToken)) {
		return false
	}
	w.report(Report{Err: err, Changed: w.verdict.count(err == nil)})
	return true
}

// Trigger says what made a probe start.
type Trigger string

// The triggers.
const (
	TriggerTimer   Trigger = "timer"   // its time had come
	TriggerRequest Trigger = "request" // a request that came by, or that failed
)

type triggerKey struct{}

// TriggerOf returns what made the probe start whose context, as a [Check] gets
// it, is ctx.
func TriggerOf(ctx context.Context) Trigger {
	if t, ok := ctx.Value(triggerKey{}).(Trigger); ok {
		return t
	}
	return TriggerTimer
}
