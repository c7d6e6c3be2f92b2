package route

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"spangate/balancer"
	"spangate/balancer/identity"
	"spangate/handler/certificate"
	"spangate/handler/supervise"
	"spangate/policy"
	"spangate/policy/jwks"
	"spangate/telemetry"
)

// parts are what routes are built of and have in common. A pool is shared by all whose
// backends, and how these are used and probed, are the same: there is one set of probes,
// and one state. A limit, and who is let in, is shared by those that inherit it, and
// counts over all of them together. Each part is observed as what the first route is made
// of that has it.
type parts struct {
	front   Front
	vouched []string // fields that only routes write, and no client
	pools   []*pool
	mirrors []*balancer.Mirror
	limits  []*rateLimit
	doors   []*policy.Auth
	tokens  *identity.Sources
	keys    jwks.Sources

	// What routes inherit; nil until one has.
	inherited struct {
		limit       *inherited[*rateLimit]
		concurrency *inherited[*policy.Concurrency]
		auth        *inherited[*policy.Auth]
	}

	listen func(*telemetry.Telemetry, balancer.Algorithm) balancer.Hooks
}

// inherited has the part of all routes that set none of their own; nil: there is nothing
// to it.
type inherited[T any] struct{ part T }

func newParts(front Front) *parts {
	return &parts{front: front, listen: (*telemetry.Telemetry).Balancer, tokens: &identity.Sources{}, keys: jwks.Sources{}}
}

// pool is one that routes have.
type pool struct {
	*balancer.Pool
	routes []string // their names; none where there is but one
	beside bool     // it is of no route's own backends: nobody waits for it
}

// usedBy notes that a route has p.
func (p *pool) usedBy(n *Named) {
	if n.Name != "" && !slices.Contains(p.routes, n.Name) {
		p.routes = append(p.routes, n.Name)
	}
}

// named returns err with the name of the route that p was made for.
func (p *pool) named(err error) error {
	if len(p.routes) == 0 {
		return err
	}
	return fmt.Errorf("route %s: %w", p.routes[0], err)
}

// pool returns the pool of those backends, which are n's own or, if side begins the name of
// the variable that lists them, beside these. How requests are tried again is no part of it.
func (p *parts) pool(cfg balancer.Config, n *Named, side string, tel *telemetry.Telemetry) (*balancer.Pool, error) {
	of, beside := cfg.With(balancer.RetryConfig{}), side != ""
	for _, have := range p.pools {
		if have.IsOf(&of, &n.Probe) {
			have.beside = have.beside && beside
			have.usedBy(n)
			return have.Pool, nil
		}
	}
	hooks := p.listen(tel, of.Algorithm)
	hooks.Identities = p.tokens
	hooks.Variable = func(name string) string {
		if name == "BACKENDS" {
			name = side + name
		}
		return n.Called(name)
	}
	built, err := balancer.New(of, n.Probe, hooks)
	if err != nil {
		return nil, err
	}
	made := &pool{Pool: built, beside: beside}
	made.usedBy(n)
	p.pools = append(p.pools, made)
	tel.ObserveBackends(built.Members)
	for _, name := range cfg.Unverified() {
		tel.Log.Warn("nobody verifies the certificate of a backend: whoever answers at its address gets its requests, with all that clients send along", "backend", name)
	}
	for _, name := range cfg.InTheClear() {
		tel.Log.Warn("a backend is sent a token in the clear: whoever can read on the network between can use it", "backend", name)
	}
	return built, nil
}

// run does what is to be done beside requests, until ctx is done: it probes and looks up
// backends, reads their files again when these change, fetches the keys of tokens, keeps
// up with the stores of shared limits, and ends fetches of tokens for backends. It returns
// when all of that has ended.
func (p *parts) run(ctx context.Context) error {
	runs := []func(context.Context) error{p.tokens.Run}
	for _, pool := range p.pools {
		runs = append(runs, pool.Run, func(ctx context.Context) error { return pool.Reload(ctx, p.front.Reload) })
	}
	for _, mirror := range p.mirrors {
		runs = append(runs, mirror.Run)
	}
	for _, door := range p.doors {
		runs = append(runs, door.Run)
	}
	for _, limit := range p.limits {
		runs = append(runs, limit.run)
	}
	return supervise.All(ctx, runs...)
}

// started returns nil once requests may come: once the backends of some pool have
// answered, and of each other one it is known that none does, or one has. What is broken
// behind one route is no reason to keep everybody from all.
func (p *parts) started() (err error) {
	some := len(p.pools) == 0
	for _, pool := range p.pools {
		if pool.beside {
			continue
		}
		switch waits := pool.Started(); {
		case waits == nil:
			some = true
		case !pool.Failed():
			return pool.named(waits)
		default:
			err = pool.named(waits)
		}
	}
	if some {
		return nil
	}
	return err
}

// unnamed returns the fields that only routes write, but for those that n's door of auth
// and its mirror remove themselves.
func (p *parts) unnamed(n *Named) []string {
	own := slices.Concat(n.Policy.Auth.Names(), n.Mirror.Fields())
	return slices.DeleteFunc(slices.Clone(p.vouched), func(name string) bool { return slices.Contains(own, name) })
}

// onDemand returns next as what also probes where timers cannot.
func (p *parts) onDemand(next http.Handler) http.Handler {
	for _, pool := range p.pools {
		next = pool.OnDemand(next)
	}
	return next
}

// rateLimit returns the limit that cfg sets for name alone, or the one that routes which
// set none have in common; nil where there is none.
func (p *parts) rateLimit(name string, cfg policy.RateLimitConfig, own bool, tel *telemetry.Telemetry) (*rateLimit, error) {
	if !own && p.inherited.limit != nil {
		return p.inherited.limit.part, nil
	}
	counted := name
	if !own {
		counted = "" // together with others
	}
	l, err := newRateLimit(cfg, p.front.Shared.For(counted), tel)
	if err != nil {
		return nil, err
	}
	if !own {
		p.inherited.limit = &inherited[*rateLimit]{l}
	}
	if l == nil {
		return nil, nil
	}
	p.limits = append(p.limits, l)
	tel.ObserveKeys(l.keys)
	return l, nil
}

// concurrency is as rateLimit is.
func (p *parts) concurrency(cfg policy.ConcurrencyConfig, own bool, refuse policy.Refuse, tel *telemetry.Telemetry) *policy.Concurrency {
	if !own && p.inherited.concurrency != nil {
		return p.inherited.concurrency.part
	}
	c := policy.NewConcurrency(cfg, refuse, tel.Policies())
	if !own {
		p.inherited.concurrency = &inherited[*policy.Concurrency]{c}
	}
	if c == nil {
		return nil
	}
	tel.ObserveConcurrency(c.Active, c.Queued)
	return c
}

// auth is as rateLimit is: the keys of tokens are fetched once for all that inherit them.
func (p *parts) auth(cfg policy.AuthConfig, own bool, refuse policy.Refuse, tel *telemetry.Telemetry) *policy.Auth {
	if !own && p.inherited.auth != nil {
		return p.inherited.auth.part
	}
	a := policy.NewAuth(cfg, p.keys, refuse, tel.Policies())
	if !own {
		p.inherited.auth = &inherited[*policy.Auth]{a}
	}
	if a == nil {
		return nil
	}
	p.doors = append(p.doors, a)
	return a
}

func (p *parts) certificates() (all []certificate.Info) {
	for _, pool := range p.pools {
		all = append(all, pool.Certificates()...)
	}
	return all
}
