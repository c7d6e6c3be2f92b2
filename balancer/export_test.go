package balancer

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"spangate/handler/fault"
)

// Names for tests from outside of what has none there.
type (
	Picker           = picker
	Sticky           = sticky
	OutlierDetection = outlier
	Discovery        = discovery
	Resolver         = resolver
)

var (
	NewRoundRobin    = newRoundRobin
	NewLeastRequests = newLeastRequests
	NewPeakEWMA      = newPeakEWMA
	NewRandom        = newRandom
	NewHash          = newHash
	NewSticky        = newSticky
	NewOutlier       = newOutlier
)

func (a Algorithm) Picker(key func(*http.Request) string) Picker { return a.picker(key) }

func (k HashKey) Func(clientIP func(*http.Request) string) func(*http.Request) string {
	return k.of(clientIP)
}

func (s *sticky) Pick(r *http.Request, ready []*Backend) *Backend           { return s.pick(r, ready) }
func (s *sticky) Bind(r *http.Request, resp *http.Response, b *Backend)     { s.bind(r, resp, b) }
func (o *outlier) Observe(err error)                                        { o.observe(err) }
func (o *outlier) Probed(err error) (ended bool)                            { return o.probed(err) }
func (d *discovery) Run(ctx context.Context, update func(found Discovered)) { d.run(ctx, update) }

func (c *Conditions) Failed(resp *http.Response, err *fault.Error) bool {
	o := Outcome{Err: err}
	if resp != nil {
		o.Status = resp.StatusCode
	}
	return c.match(o)
}

// Target is what a member leads to.
type Target struct {
	Scheme, URL, Lookup string
	SRV                 bool
}

func TargetOf(m Member) Target { return Target{m.scheme, m.url.String(), m.lookup, m.srv} }

// NewBackend returns a backend at http://name whose attempts transport sends. It
// is in no pool.
func NewBackend(name string, weight int, transport http.RoundTripper) *Backend {
	b := &Backend{Name: name, Weight: weight, URL: &url.URL{Scheme: "http", Host: name}}
	new(Pool).adopt(b, transport, nil, "", nil)
	return b
}

// RoundTrip makes an attempt.
func (b *Backend) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, outcome := b.attempt(r, time.Now(), &followedBody{}, nil)
	if outcome.Err != nil {
		return nil, outcome.Err
	}
	return resp, nil
}

// Use lets transport send the attempts at b.
func (b *Backend) Use(transport http.RoundTripper) { b.transport = transport }
func (b *Backend) Transport() http.RoundTripper    { return b.transport }
func (b *Backend) CameUp(slowStart time.Duration)  { b.cameUp(slowStart) }

// NewPool returns a pool of backends, all of which may be used at first.
func NewPool(pick Picker, backends ...*Backend) *Pool {
	return NewPoolOf(Config{}, Hooks{}, pick, backends...)
}

// RetryOf is Retry as the pool's configuration has it.
func RetryOf(pool *Pool) *Retrier { return Retry(pool.cfg.Retry, pool) }

// NewPoolOf is NewPool with a configuration and hooks.
func NewPoolOf(cfg Config, hooks Hooks, pick Picker, backends ...*Backend) *Pool {
	p := &Pool{cfg: cfg, hooks: hooks, sticky: newSticky(cfg.StickyCookie, pick)}
	for _, b := range backends {
		b.pool = p
		b.health.outlier = newOutlier(cfg.Outlier, b.health.eject)
	}
	p.SetMembers(backends)
	return p
}

func (p *Pool) Pick(r *http.Request, tried ...*Backend) (*Backend, error) {
	b, err := p.pick(r, tried...)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (p *Pool) SetMembers(backends []*Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setMembers(backends)
}

func (p *Pool) Probed(b *Backend, err error)      { b.health.judged(err) }
func (p *Pool) Eject(b *Backend, e Ejection) bool { return b.health.eject(e) }
func (p *Pool) Readmit(b *Backend)                { b.health.readmit() }

// Discoveries returns those of a pool that looks names up in resolver.
func Discoveries(p *Pool, resolver Resolver) []*Discovery {
	for _, d := range p.discoveries {
		d.resolver = resolver
	}
	return p.discoveries
}

// Spend makes one retry on t's budget.
func Spend(t *Retrier) bool { return t.budget.take() }

// InFlight returns how many retries t holds ready for what is under way.
func InFlight(t *Retrier) int64 { return t.inFlight() }
