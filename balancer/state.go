package balancer

import (
	"slices"
	"time"
)

// State is what the proxy thinks of a backend.
type State string

// The states of a backend. An unknown one may be used: it has not been judged.
const (
	Unknown  State = "unknown"  // no verdict yet
	Ready    State = "ready"    // probed, and fit
	Down     State = "down"     // probed, and not fit
	Ejected  State = "ejected"  // failed too many requests in a row; comes back by itself, and serves while no other may
	Draining State = "draining" // left the configuration or its name; finishes what it has
)

// States lists all states.
var States = []State{Unknown, Ready, Down, Ejected, Draining}

// StateChange says that a backend went from one state to another.
type StateChange struct {
	Backend  *Backend
	From, To State
	Reason   Reason
	Err      error    // what the probe met with, or the last request that failed; or nil
	Ejection Ejection // of a change to Ejected
}

// Ejection says for how long a backend is left out, and why.
type Ejection struct {
	For      time.Duration
	Failures int   // of requests in a row, that led to it
	Err      error // the last of them
}

// Reason names why a backend's state changed.
type Reason string

// The reasons.
const (
	ProbeSucceeded Reason = "probe_succeeded"
	ProbeFailed    Reason = "probe_failed"
	Outlier        Reason = "outlier"        // failed too many requests in a row
	EjectionEnded  Reason = "ejection_ended" // by time
	LeftDiscovery  Reason = "left"           // its name no longer leads to it
)

// condition is what the pool knows of a backend. It is guarded by the pool's
// mutex; the state that follows from it is read without.
type condition struct {
	verdict      State // Unknown, Ready or Down: what probes say
	draining     bool
	ejectedUntil time.Time // zero: not ejected
	ejection     Ejection  // the latest
}

func (c *condition) state(now time.Time) State {
	switch {
	case c.draining:
		return Draining
	case c.verdict == Down:
		return Down
	case c.ejectedUntil.After(now):
		return Ejected
	case c.verdict == Ready:
		return Ready
	}
	return Unknown
}

// State returns what the pool thinks of the backend.
func (b *Backend) State() State {
	if s := b.state.Load(); s != nil {
		return *s
	}
	return Unknown
}

// Probed tells the pool what probes say of b from now on. err is why it is not
// fit. One that becomes fit after it was not is no longer ejected either.
func (p *Pool) Probed(b *Backend, fit bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.suspect.Store(nil)
	if fit {
		if b.condition.verdict == Down {
			b.condition.ejectedUntil = time.Time{}
		}
		b.condition.verdict = Ready
		p.settle(b, ProbeSucceeded, nil)
		return
	}
	b.condition.verdict = Down
	p.settle(b, ProbeFailed, err)
}

// Eject leaves b out for e.For, and reports whether it did: at most
// PoolConfig.MaxEjected of the members may be out at once. One that may not is
// passed over for a moment, while there are others, as if it had refused a
// connection. One that is ejected goes on serving when nobody else is left.
func (p *Pool) Eject(b *Backend, e Ejection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	out := 1
	for _, other := range p.members {
		if other != b && other.condition.ejectedUntil.After(now) {
			out++
		}
	}
	if out*100 > p.cfg.MaxEjected*len(p.members) || !slices.Contains(p.members, b) {
		b.suspect.Store(&suspicion{now, minSuspicion})
		return false
	}
	b.condition.ejectedUntil, b.condition.ejection = now.Add(e.For), e
	p.settle(b, Outlier, e.Err)
	return true
}

// Readmit ends b's ejection before its time, as a probe says that what it failed
// of is over.
func (p *Pool) Readmit(b *Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.condition.ejectedUntil = time.Time{}
	p.settle(b, ProbeSucceeded, nil)
}

// Change adds members and takes others away. Those that leave are drained: they
// get no more requests, and finish what they have.
func (p *Pool) Change(joined, left []*Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	members := slices.DeleteFunc(slices.Clone(p.members), func(b *Backend) bool { return slices.Contains(left, b) })
	p.setMembers(append(members, joined...))
}

// SetMembers replaces the members. Those that are no longer there are drained:
// they get no more requests, and finish what they have.
func (p *Pool) SetMembers(members []*Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setMembers(members)
}

func (p *Pool) setMembers(members []*Backend) {
	left := p.members
	p.members = slices.Clone(members)
	for _, b := range left {
		if !slices.Contains(members, b) {
			b.condition.draining = true
			p.note(b, LeftDiscovery, nil)
		}
	}
	for _, b := range members {
		b.condition.draining = false
		p.note(b, "", nil)
	}
	p.publish()
}

// settle notes the state that b's condition leads to, and publishes the ready
// set that follows. The caller holds mu.
func (p *Pool) settle(b *Backend, reason Reason, err error) {
	p.note(b, reason, err)
	p.publish() // also of a verdict that an ejection hides
}

// note stores b's state and reports whether it is another one than before. The
// caller holds mu.
func (p *Pool) note(b *Backend, reason Reason, err error) bool {
	from, to := b.State(), b.condition.state(time.Now())
	if (from == Down || from == Ejected || from == Draining) && (to == Ready || to == Unknown) {
		b.CameUp(p.cfg.SlowStart) // before it can be picked
	}
	b.state.Store(&to)
	if from == to {
		return false
	}
	if reason != "" {
		change := StateChange{Backend: b, From: from, To: to, Reason: reason, Err: err}
		if to == Ejected {
			change.Ejection = b.condition.ejection
		}
		p.changes = append(p.changes, change)
	}
	return true
}

// publish replaces the snapshot that picks are made from, and then tells of the
// changes that led to it. The caller holds mu.
func (p *Pool) publish() {
	var ready, ejected []*Backend
	var next *time.Time // when the first ejection ends
	for _, b := range p.members {
		switch b.State() {
		case Unknown, Ready:
			ready = append(ready, b)
		case Ejected:
			ejected = append(ejected, b)
			if until := b.condition.ejectedUntil; next == nil || until.Before(*next) {
				next = &until
			}
		}
	}
	if len(ready) == 0 {
		// That they failed requests makes them worse than others, not worse than
		// none.
		ready = ejected
	}
	if len(ready)*100 < p.cfg.PanicThreshold*len(p.members) {
		ready = slices.Clone(p.members)
	}
	// The same set stays the same snapshot, by which pickers know their place.
	if before := p.ready.Load(); before == nil || !slices.Equal(*before, ready) {
		p.ready.Store(&ready)
	}
	p.returns.Store(next)
	for _, change := range p.changes {
		if p.cfg.Changed != nil {
			p.cfg.Changed(change)
		}
	}
	p.changes = nil
}

// takeBack ends the ejections whose time has come.
func (p *Pool) takeBack() {
	if until := p.returns.Load(); until == nil || time.Now().Before(*until) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.members {
		p.note(b, EjectionEnded, nil)
	}
	p.publish()
}
