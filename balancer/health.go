package balancer

import (
	"slices"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
	"spangate/probe"
)

// health is what is known of one backend's fitness. It takes evidence, of probes
// and of attempts, and says the state that follows from it. It is made of what
// probes say, of an ejection for failing requests ([outlier]), and of a suspicion
// that holds until one of the two has a verdict.
type health struct {
	backend *Backend

	answered  atomic.Bool // anything, ever: a probe or a request, with whatever status
	suspicion atomic.Pointer[suspicion]
	outlier   *outlier
	state     atomic.Pointer[State] // what follows from the rest; nil: [Unknown]

	// The rest is guarded by the pool's mu, as the state of one backend bears on
	// what becomes of others.

	verdict      State     // Ready or Down: what probes say; else nothing yet
	draining     bool      // it left the pool
	ejectedUntil time.Time // zero: not ejected
	ejection     Ejection  // the latest
}

// State returns what follows from the evidence.
func (h *health) State() State {
	if s := h.state.Load(); s != nil {
		return *s
	}
	return Unknown
}

// due returns the state that follows from the evidence at a time. The caller
// holds the pool's mu.
func (h *health) due(now time.Time) State {
	switch {
	case h.draining:
		return Draining
	case h.verdict == Down:
		return Down
	case h.ejectedUntil.After(now):
		return Ejected
	case h.verdict == Ready:
		return Ready
	}
	return Unknown
}

// heard takes it as evidence that the backend has answered, whatever it was.
func (h *health) heard() {
	h.hasAnswered()
	h.acquit()
}

func (h *health) hasAnswered() {
	// The load keeps the line of memory shared between cores once it is set.
	if !h.answered.Load() {
		h.answered.Store(true)
	}
}

// inVain takes an attempt as evidence that failed with err after so long. The
// backend is suspected when it could not be reached, or was waited for. Where there was
// no token for it, it is passed over alike: others may have theirs, and whoever fails at
// once would look like the least busy of all.
func (h *health) inVain(err *fault.Error, took time.Duration) {
	if err.Type == fault.ResponseTimeout || err.Type == fault.IdentityError || !err.Sent && err.Counts() {
		h.suspect(max(took, minSuspicion))
	}
}

// attempted takes an outcome that tells something as evidence. It may eject the
// backend, and ask for a probe.
func (h *health) attempted(o Outcome) {
	switch {
	case o.Failed:
		h.outlier.observe(o.why())
	case o.Err == nil:
		h.outlier.observe(nil)
	}
	if o.Doubtful {
		h.backend.watcher.Suspect()
	}
}

// probed takes a probe as evidence. A change of the verdict settles a suspicion,
// and one to fit an ejection, too. So does a success after a failure that fell
// into the ejection: what the backend failed of is over.
func (h *health) probed(r probe.Report) {
	if r.Changed {
		h.judged(r.Err)
	}
	if r.Err == nil {
		h.hasAnswered()
	}
	if h.outlier.probed(r.Err) {
		h.readmit()
	}
}

// judged notes that probes find the backend fit from now on, or not, because of
// err.
func (h *health) judged(err error) {
	p := h.backend.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	h.suspicion.Store(nil)
	if err != nil {
		h.verdict = Down
		p.settle(h, ProbeFailed, err)
		return
	}
	if h.verdict == Down {
		h.ejectedUntil = time.Time{}
	}
	h.verdict = Ready
	p.settle(h, ProbeSucceeded, nil)
}

// eject leaves the backend out for e.For, and reports whether it did: at most
// OUTLIER_MAX_PERCENT of the members may be out at once. One that may not is
// passed over for a moment, while there are others, as if it had refused a
// connection. One that is ejected goes on serving when nobody else is left.
func (h *health) eject(e Ejection) bool {
	p := h.backend.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	out := 1
	for _, other := range p.members {
		if other != h.backend && other.health.ejectedUntil.After(now) {
			out++
		}
	}
	if out*100 > p.cfg.Outlier.MaxEjected*len(p.members) || !slices.Contains(p.members, h.backend) {
		h.suspect(minSuspicion)
		return false
	}
	h.ejectedUntil, h.ejection = now.Add(e.For), e
	p.settle(h, Outlier, e.Err)
	return true
}

// readmit ends an ejection before its time.
func (h *health) readmit() {
	p := h.backend.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	h.ejectedUntil = time.Time{}
	p.settle(h, ProbeSucceeded, nil)
}
