// Package balancer answers: which backend gets this request, how is it sent
// there, and may it be tried again?
//
// A [Pool] holds the backends that may be used and asks a [Picker] for one of
// them; [Retry] turns a pool into an [http.RoundTripper] that gives a failed
// request to another backend where that is safe. Errors are always *[fault.Error],
// whose type is what status, span, metric and log agree on.
package balancer

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

// Picker chooses the backend for r among ready, which is never empty, is
// shared, and must not be changed. It is called concurrently. Requests in
// flight that it wants to know of are in [Backend.Active].
type Picker func(r *http.Request, ready []*Backend) *Backend

// PoolConfig says when backends are left out. The zero value ejects none and
// never panics.
type PoolConfig struct {
	FailedOn       Conditions `env:"OUTLIER_ON" envDefault:"connect,reset,timeout,502,503,504" list:"true" needs:"OUTLIER_FAILURES|PROBE_MODE!=off" doc:"failures of requests that count against a backend, in the words of RETRY_ON"`
	MaxEjected     int        `env:"OUTLIER_MAX_PERCENT" envDefault:"50" min:"0" max:"100" needs:"OUTLIER_FAILURES" doc:"most backends, in percent, that may be left out for failing requests at once"`
	PanicThreshold int        `env:"PANIC_THRESHOLD" envDefault:"0" min:"0" max:"100" needs:"OUTLIER_FAILURES|PROBE_MODE!=off" zero:"never" doc:"percent of backends under which all are used again, fit or not; 0: never"`

	SlowStart time.Duration `env:"BALANCER_SLOW_START" envDefault:"0s" min:"0" needs:"BALANCER!=hash" zero:"at once" doc:"over how long the weight of a backend that comes back grows from a tenth to all; 0 gives it all at once; hash does without"`

	// Next chooses in place of a backend that was tried, or is suspected, among the others; nil draws one at random. It is for pickers
	// that know more of a backend than its turn, and is one of its own: what it
	// chooses takes nobody's turn.
	Next Picker `env:"-"`

	// Picked is told of each choice for r, concurrently; b is nil when no backend
	// was ready.
	Picked func(r *http.Request, b *Backend) `env:"-"`

	// Changed is told of each change of a backend's state, one at a time. It must
	// not call the pool.
	Changed func(StateChange) `env:"-"`
}

// Pool is a set of backends of which those that may be used share the traffic.
// It is safe for concurrent use; picks never lock. The zero value has no
// backends.
type Pool struct {
	pick Picker
	cfg  PoolConfig

	ready   atomic.Pointer[[]*Backend]
	returns atomic.Pointer[time.Time] // when the first ejection ends; nil: there is none

	mu      sync.Mutex // for changes
	members []*Backend
	changes []StateChange // not told yet
}

// NewPool returns a pool of backends, all of which may be used at first.
func NewPool(pick Picker, cfg PoolConfig, backends ...*Backend) *Pool {
	p := &Pool{pick: pick, cfg: cfg}
	p.SetMembers(backends)
	return p
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

// Pick chooses a backend for r: the picker's choice, or for a further attempt
// PoolConfig.Next's among those that are not in tried, while there are some. A
// backend that has just refused a connection, or was waited for in vain, is passed over as if it had been
// tried. It returns an *[fault.Error] of type [fault.NoHealthyBackend] when none is ready.
func (p *Pool) Pick(r *http.Request, tried ...*Backend) (*Backend, error) {
	b := p.choose(r, tried)
	if p.cfg.Picked != nil {
		p.cfg.Picked(r, b)
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
		picked := p.pick(r, ready)
		if !picked.suspected() {
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

// other chooses one that was neither tried nor is suspected, else picked, if not nil, else one that was not tried. It returns nil when all
// were.
func (p *Pool) other(r *http.Request, ready []*Backend, picked *Backend, tried []*Backend) *Backend {
	var fit, untried []*Backend
	for _, b := range ready {
		switch {
		case slices.Contains(tried, b):
		case b.suspected():
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
	if p.cfg.Next != nil {
		return p.cfg.Next(r, fit)
	}
	// By chance, so that what one backend leaves behind does not all go to the
	// one listed after it.
	return fit[rand.IntN(len(fit))]
}

// hasOther reports whether a backend is ready that is neither b nor in tried.
func (p *Pool) hasOther(b *Backend, tried []*Backend) bool {
	return slices.ContainsFunc(p.Ready(), func(other *Backend) bool { return other != b && !slices.Contains(tried, other) })
}

// RoundTrip sends r to a backend of the picker's choice, once.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := p.Pick(r)
	if err != nil {
		return nil, err
	}
	return b.RoundTrip(r)
}
