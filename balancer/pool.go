// Package balancer answers: which backend gets this request, how is it sent there,
// may it be tried again, and is that backend fit?
//
// A [Pool] holds the backends, watches which of them may be used, and picks one of
// those by an [Algorithm]; [Retry] turns a pool into an [http.RoundTripper] that
// gives a failed request to another backend where that is safe. How an attempt
// went, its [Outcome], decides what becomes of the request, and is evidence of the
// backend's health. Errors are always *[fault.Error], whose type is what status,
// span, metric and log agree on.
package balancer

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spangate/balancer/identity"
	"spangate/handler/fault"
	"spangate/probe"
)

// picker chooses the backend for r among ready, which is never empty, is
// shared, and must not be changed. It is called concurrently. Requests in
// flight that it wants to know of are in [Backend.Active].
type picker func(r *http.Request, ready []*Backend) *Backend

// Pool is a set of backends of which those that may be used share the traffic.
// It is safe for concurrent use; picks never lock. The zero value has no
// backends.
type Pool struct {
	cfg    Config
	probes probe.Config
	hooks  Hooks
	sticky *sticky // picks, and keeps to it
	// next chooses in place of a backend that was tried, or is suspected, among the
	// others; nil draws one at random.
	next picker

	keyring     keyring
	identities  *identity.Sources
	echoes      []echoBackend
	discoveries []*discovery

	ready    atomic.Pointer[[]*Backend]
	returns  atomic.Pointer[time.Time] // when the first ejection ends; nil: there is none
	watchers atomic.Pointer[[]*probe.Watcher]
	lookedUp atomic.Bool // a name, with whatever result

	mu      sync.Mutex // for changes
	members []*Backend
	changes []StateChange // not told yet
}

// Members returns all backends, whatever their state.
func (p *Pool) Members() []*Backend {
	p.takeBack()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.members)
}

// Ready returns the backends that may be used. The slice must not be changed.
func (p *Pool) Ready() []*Backend {
	p.takeBack()
	if snapshot := p.ready.Load(); snapshot != nil {
		return *snapshot
	}
	return nil
}

var errNoneReady = errors.New("no backend is ready")

// pick chooses a backend for r: the picker's choice, or for a further attempt one
// of those that are not in tried, while there are some. A backend that has just
// refused a connection, or was waited for in vain, is passed over as if it had
// been tried. Its error, when none is ready, is of type [fault.NoHealthyBackend].
func (p *Pool) pick(r *http.Request, tried ...*Backend) (*Backend, *fault.Error) {
	b := p.choose(r, tried)
	if p.hooks.Picked != nil {
		p.hooks.Picked(r, b)
	}
	if b == nil {
		return nil, &fault.Error{Type: fault.NoHealthyBackend, Err: errNoneReady}
	}
	return b, nil
}

// choose returns nil when no backend is ready.
func (p *Pool) choose(r *http.Request, tried []*Backend) *Backend {
	ready := p.Ready()
	if len(ready) == 0 {
		return nil
	}
	if len(tried) == 0 {
		picked := p.sticky.pick(r, ready)
		if !picked.health.suspected() {
			return picked
		}
		return p.other(r, ready, picked, nil)
	}
	// Without the picker: the turns that it counts are those of requests, not of
	// further attempts at them.
	if b := p.other(r, ready, nil, tried); b != nil {
		return b
	}
	return p.other(r, ready, nil, nil)
}

// other chooses one that was neither tried nor is suspected, else picked, if not
// nil, else one that was not tried. It returns nil when all were.
func (p *Pool) other(r *http.Request, ready []*Backend, picked *Backend, tried []*Backend) *Backend {
	var fit, untried []*Backend
	for _, b := range ready {
		switch {
		case slices.Contains(tried, b):
		case b.health.suspected():
			untried = append(untried, b)
		default:
			fit = append(fit, b)
		}
	}
	switch {
	case len(fit) > 0:
	case picked != nil || len(untried) == 0:
		return picked
	default:
		fit = untried
	}
	if p.next != nil {
		return p.next(r, fit)
	}
	// By chance, so that what one backend leaves behind does not all go to the
	// one listed after it.
	return fit[rand.IntN(len(fit))]
}

// hasOther reports whether a backend is ready that is neither b nor in tried.
func (p *Pool) hasOther(b *Backend, tried []*Backend) bool {
	return slices.ContainsFunc(p.Ready(), func(other *Backend) bool { return other != b && !slices.Contains(tried, other) })
}
