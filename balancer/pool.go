// Package balancer answers: which backend gets this request, how is it sent
// there, and may it be tried again?
//
// A [Pool] holds the backends that may be used and asks a [Picker] for one of
// them; [Retry] turns a pool into an [http.RoundTripper] that gives a failed
// request to another backend where that is safe. Errors are always *[Error],
// whose type is what status, span, metric and log agree on.
package balancer

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
)

// Picker chooses the backend for r among ready, which is never empty, is
// shared, and must not be changed. It is called concurrently. Requests in
// flight that it wants to know of are in [Backend.Active].
type Picker func(r *http.Request, ready []*Backend) *Backend

// Pool is a set of backends of which the ready ones share the traffic. It is
// safe for concurrent use; readers never lock. The zero value has no backends.
type Pool struct {
	pick  Picker
	ready atomic.Pointer[[]*Backend]
}

// NewPool returns a pool in which all backends are ready.
func NewPool(pick Picker, backends ...*Backend) *Pool {
	p := &Pool{pick: pick}
	p.SetReady(backends)
	return p
}

// SetReady replaces the ready backends. The pool keeps no reference to the
// slice's array, so the caller may go on using it.
func (p *Pool) SetReady(backends []*Backend) {
	snapshot := slices.Clone(backends)
	p.ready.Store(&snapshot)
}

// Ready returns the ready backends. The slice must not be changed.
func (p *Pool) Ready() []*Backend {
	if snapshot := p.ready.Load(); snapshot != nil {
		return *snapshot
	}
	return nil
}

var errNoneReady = errors.New("no backend is ready")

// Pick chooses a backend for r, one that is not in tried while there is one.
// It returns an *[Error] of type [NoHealthyBackend] when none is ready.
func (p *Pool) Pick(r *http.Request, tried ...*Backend) (*Backend, error) {
	ready := p.Ready()
	if len(ready) == 0 {
		return nil, &Error{Type: NoHealthyBackend, Err: errNoneReady}
	}
	picked := p.pick(r, ready)
	if !slices.Contains(tried, picked) {
		return picked, nil
	}
	// From a random place, so that what one backend leaves behind does not all
	// go to the one listed after it.
	start := rand.IntN(len(ready))
	for i := range ready {
		if b := ready[(start+i)%len(ready)]; !slices.Contains(tried, b) {
			return b, nil
		}
	}
	return picked, nil
}

// RoundTrip sends r to a backend of the picker's choice, once.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := p.Pick(r)
	if err != nil {
		return nil, err
	}
	return b.RoundTrip(r)
}
