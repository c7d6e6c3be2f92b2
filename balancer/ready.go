package balancer

import (
	"slices"
	"time"

	"spangate/probe"
)

// change adds members and takes others away. Those that leave are drained: they
// get no more requests, and finish what they have.
func (p *Pool) change(joined, left []*Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	members := slices.DeleteFunc(slices.Clone(p.members), func(b *Backend) bool { return slices.Contains(left, b) })
	p.setMembers(append(members, joined...))
}

// setMembers replaces the members. The caller holds mu.
func (p *Pool) setMembers(members []*Backend) {
	left := p.members
	p.members = slices.Clone(members)
	for _, b := range left {
		if !slices.Contains(members, b) {
			b.health.draining = true
			p.note(&b.health, LeftDiscovery, nil)
		}
	}
	watchers := make([]*probe.Watcher, len(members))
	for i, b := range members {
		b.health.draining = false
		p.note(&b.health, "", nil)
		watchers[i] = b.watcher
	}
	p.watchers.Store(&watchers)
	p.publish()
}

// settle notes the state that the evidence in h leads to, and publishes the ready
// set that follows. The caller holds mu.
func (p *Pool) settle(h *health, reason Reason, err error) {
	p.note(h, reason, err)
	p.publish() // also of a verdict that an ejection hides
}

// note stores the state that is due, and keeps the change to tell of it, unless
// there is none or it has no reason. The caller holds mu.
func (p *Pool) note(h *health, reason Reason, err error) {
	from, to := h.State(), h.due(time.Now())
	if (from == Down || from == Ejected || from == Draining) && (to == Ready || to == Unknown) {
		h.backend.cameUp(p.cfg.SlowStart) // before it can be picked
	}
	h.state.Store(&to)
	if from == to || reason == "" {
		return
	}
	change := StateChange{Backend: h.backend, From: from, To: to, Reason: reason, Err: err}
	if to == Ejected {
		change.Ejection = h.ejection
	}
	p.changes = append(p.changes, change)
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
			if until := b.health.ejectedUntil; next == nil || until.Before(*next) {
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
		if p.hooks.Changed != nil {
			p.hooks.Changed(change)
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
		p.note(&b.health, EjectionEnded, nil)
	}
	p.publish()
}
