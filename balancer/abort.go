package balancer

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/field"
)

// AbortRule says how many of the attempts at a canary may fail, and within which time.
// As text it is errors>SHARE/TIME, such as errors>5%/1m. The zero value lets all fail.
type AbortRule struct {
	Share  config.Percent
	Within time.Duration
}

// UnmarshalText parses a rule.
func (a *AbortRule) UnmarshalText(text []byte) error {
	rule, ok := strings.CutPrefix(string(text), "errors>")
	share, within, cut := strings.Cut(rule, "/")
	if !ok || !cut {
		return errors.New("must be a share of failures and a time, such as errors>5%/1m")
	}
	var parsed AbortRule
	var err error
	switch wrong := parsed.Share.UnmarshalText([]byte(strings.TrimSpace(share))); {
	case wrong != nil:
		return errors.New("the share of failures " + wrong.Error())
	case parsed.Share == 1:
		return errors.New("more than 100% never fail")
	}
	if parsed.Within, err = time.ParseDuration(strings.TrimSpace(within)); err != nil || parsed.Within < time.Second {
		return errors.New("the time must be at least 1s, such as 30s or 1m")
	}
	*a = parsed
	return nil
}

// MarshalText renders the rule as UnmarshalText reads it.
func (a AbortRule) MarshalText() ([]byte, error) {
	if a == (AbortRule{}) {
		return nil, nil
	}
	share, err := a.Share.MarshalText()
	return []byte("errors>" + string(share) + "/" + a.Within.String()), err
}

const (
	// leastFailures is how many attempts must have failed before their share counts, and
	// how many a trial must have had before it is passed. Below that chance decides.
	leastFailures = 5
	// deviations is by how many standard deviations a canary must fail more often than
	// the stable backends, which is what chance explains of an outage that both share.
	deviations = 3
	// trialShare is the part of its share that a canary is tried with.
	trialShare = 0.1
	// maxAborts is the most times AbortRule.Within that an abort takes.
	maxAborts = 10
)

// CanaryState is whether a canary has its share of the requests.
type CanaryState string

// The states of a canary.
const (
	CanaryActive  CanaryState = "active"  // it has its share
	CanaryAborted CanaryState = "aborted" // it has none, as too many attempts at it failed
	CanaryTrial   CanaryState = "trial"   // it has a tenth of it, and can have it all again
)

// CanaryStates lists all states.
var CanaryStates = []CanaryState{CanaryActive, CanaryAborted, CanaryTrial}

// CanaryReason names why a canary's state changed.
type CanaryReason string

// The reasons.
const (
	CanaryFailed CanaryReason = "errors" // it passed CANARY_ABORT
	CanaryWaited CanaryReason = "waited" // it has had no share for long enough
	CanaryPassed CanaryReason = "passed" // it was tried for long enough, and what failed is within CANARY_ABORT
)

// CanaryChange says that a canary went from one state to another.
type CanaryChange struct {
	From, To       CanaryState
	Reason         CanaryReason
	Canary, Stable Tally         // that led to it: within the time of CANARY_ABORT, or since a trial began
	For            time.Duration // at least, unless it is active
}

// trial decides whether a canary has its share. It is safe for concurrent use; whoever
// asks does not lock.
type trial struct {
	rule    AbortRule
	share   float64
	changed func(CanaryChange) // may be nil

	phase   atomic.Pointer[phase]
	tallies atomic.Pointer[tallies] // of a trial since it began

	mu    sync.Mutex // for changes
	times int        // what AbortRule.Within was multiplied with last
	since time.Time  // when it had its share again last
}

// phase is a state of a canary, since when it is in that and why, which is empty at first,
// and when another one may follow but for failures; zero: never.
type phase struct {
	state  CanaryState
	until  time.Time
	since  time.Time
	reason CanaryReason
}

func newTrial(rule AbortRule, share float64, changed func(CanaryChange)) *trial {
	t := &trial{rule: rule, share: share, changed: changed}
	t.phase.Store(&phase{state: CanaryActive, since: time.Now()})
	t.tallies.Store(newTallies(rule.Within))
	return t
}

// state returns that of the canary, and its share.
func (t *trial) state(now time.Time) (CanaryState, float64) {
	p, share := t.now(now)
	return p.state, share
}

// now returns the phase of the canary, and its share.
func (t *trial) now(now time.Time) (p *phase, share float64) {
	p = t.phase.Load()
	if t.due(p, now) {
		p = t.goOn(now)
	}
	switch p.state {
	case CanaryAborted:
		return p, 0
	case CanaryTrial:
		return p, t.share * trialShare
	}
	return p, t.share
}

// due reports whether p is over: an abort by time, a trial once there is enough to judge
// by, and it is within the rule.
func (t *trial) due(p *phase, now time.Time) bool {
	switch {
	case p.until.IsZero() || now.Before(p.until):
		return false
	case p.state == CanaryAborted:
		return true
	}
	canary, stable := t.tallies.Load().both(now)
	return canary.Attempts >= leastFailures && !t.rule.exceeded(canary, stable)
}

// goOn lets the state follow that is due.
func (t *trial) goOn(now time.Time) *phase {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.phase.Load()
	switch {
	case !t.due(p, now): // any more
		return p
	case p.state == CanaryAborted:
		t.tallies.Store(newTallies(forEver)) // what was before has been judged
		return t.become(phase{state: CanaryTrial, until: now.Add(t.rule.Within), since: now}, CanaryChange{Reason: CanaryWaited, For: t.rule.Within})
	}
	change := CanaryChange{Reason: CanaryPassed}
	change.Canary, change.Stable = t.tallies.Load().both(now)
	t.tallies.Store(newTallies(t.rule.Within))
	t.since = now
	return t.become(phase{state: CanaryActive, since: now}, change)
}

// become makes next the state, and tells of the change. The caller holds mu.
func (t *trial) become(next phase, change CanaryChange) *phase {
	change.From, change.To, next.reason = t.phase.Load().state, next.state, change.Reason
	t.phase.Store(&next)
	if t.changed != nil {
		t.changed(change)
	}
	return &next
}

// counts returns whether an attempt at r that began then and went like o is evidence, and
// of a failure. One that began before what is tallied now belongs to what has been judged,
// and that a client waits for less than the backend takes is no failure of either.
func (t *trial) counts(r *http.Request, o Outcome, began time.Time) (counts, failed bool) {
	if began.Before(t.tallies.Load().start) {
		return false, false
	}
	if o.Err != nil && o.Err.Type == fault.Timeout {
		if _, asked := field.Timeout(r.Header); asked {
			return false, false
		}
	}
	return true, o.Err != nil || o.ofServer()
}

// observe counts an attempt of that side.
func (t *trial) observe(side int, failed bool, now time.Time) {
	t.tallies.Load().add(side, failed, now)
	if side == canarySide && failed {
		t.judge(now)
	}
}

// judge aborts the canary if what has failed is too much.
func (t *trial) judge(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase.Load().state == CanaryAborted {
		return
	}
	canary, stable := t.tallies.Load().both(now)
	if canary.Failures < leastFailures || !t.rule.exceeded(canary, stable) {
		return
	}
	if t.phase.Load().state == CanaryActive {
		// Each abort is forgotten once the canary had its share for as long as one takes.
		t.times = max(0, t.times-int(min(now.Sub(t.since)/t.rule.Within, maxAborts)))
	}
	t.times = min(1+t.times, maxAborts)
	wait := time.Duration(t.times) * t.rule.Within
	t.become(phase{state: CanaryAborted, until: now.Add(wait), since: now}, CanaryChange{Reason: CanaryFailed, Canary: canary, Stable: stable, For: wait})
}

// exceeded reports whether so many attempts at the canary failed that it is to blame: a
// larger share than the rule allows, and more than would have of as many at the stable
// backends, give or take what chance does.
func (a *AbortRule) exceeded(canary, stable Tally) bool {
	n, failures := float64(canary.Attempts), float64(canary.Failures)
	if failures <= float64(a.Share)*n {
		return false
	}
	usual := stable.share()
	return failures > n*usual+deviations*math.Sqrt(n*usual*(1-usual))
}

// canaryWent and stableWent are told how attempts at the two sides went.

func (c *Canary) canaryWent(r *http.Request, o Outcome, began time.Time) {
	counts, failed := c.trial.counts(r, o, began)
	if !counts {
		return
	}
	if failed && c.hooks.Failed != nil {
		c.hooks.Failed(r.Context())
	}
	c.trial.observe(canarySide, failed, time.Now())
}

func (c *Canary) stableWent(r *http.Request, o Outcome, began time.Time) {
	if counts, failed := c.trial.counts(r, o, began); counts {
		c.trial.observe(stableSide, failed, time.Now())
	}
}
