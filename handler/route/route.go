// Package route answers: which doors does a request pass, and on which way does it
// get to a backend?
package route

import (
	"context"
	"errors"
	"net/http"
	"time"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/supervise"
	"spangate/policy"
	"spangate/policy/redis"
	"spangate/probe"
	"spangate/telemetry"
)

// Config is what a route has of its own.
type Config struct {
	Balancer balancer.Config
	Probe    probe.Config
	Policy   policy.Config
	Shared   redis.Config
}

// Check returns what is wrong with values that are right by themselves: all for
// which [New] would refuse.
func (c *Config) Check() error {
	wrong := errors.Join(c.Balancer.Check(), c.Policy.Check(), c.Shared.Check())
	if header := c.Balancer.HashKey.Header(); header != "" && c.Policy.Auth.Takes(header) {
		wrong = errors.Join(wrong, config.Wrong(&c.Balancer.HashKey, "is not there any more when a backend is chosen"))
	}
	return wrong
}

// Fields returns the names of the fields that mean something to the route.
func (c *Config) Fields() []string {
	return append(c.Policy.Fields(), c.Balancer.HashKey.Header())
}

// Front is what all routes have in common.
type Front struct {
	Fields        field.Set     // that mean something to the proxy
	ClientTimeout time.Duration // longest pause of a client within a request; 0: no limit
	Reload        time.Duration // how often files are looked at that may change
}

// Route is a column of doors and the backends behind it. It is a handler.
type Route struct {
	http.Handler

	pool        *balancer.Pool
	reload      time.Duration
	auth        *policy.Auth
	limit       *rateLimit
	concurrency *policy.Concurrency // nil: no limit
}

// New builds the route of that name that cfg describes; the only one has none.
// Nothing of it runs before [Route.Run].
func New(name string, cfg Config, front Front, tel *telemetry.Telemetry) (*Route, error) {
	tel = tel.Route(name)
	return build(cfg, front, tel, tel.Balancer(cfg.Balancer.Algorithm))
}

// build builds a route that tel decorates, and whose pool is listened to by listening.
func build(cfg Config, front Front, tel *telemetry.Telemetry, listening balancer.Hooks) (*Route, error) {
	limit, err := newRateLimit(cfg, tel)
	if err != nil {
		return nil, err
	}
	pool, err := balancer.New(cfg.Balancer, cfg.Probe, listening) // last of what may fail: it holds sockets
	if err != nil {
		return nil, err
	}
	failures := tel.Failures()
	refuse := tel.Refuse(failures.Refuse).UnlessGone()
	hooks := tel.Policies()
	r := &Route{
		pool: pool, reload: front.Reload, limit: limit,
		auth:        policy.NewAuth(cfg.Policy.Auth, refuse, hooks),
		concurrency: policy.NewConcurrency(cfg.Policy.Concurrency, refuse, hooks),
	}
	retrier := balancer.Retry(pool)

	// From the door to the backends, in the order in which a request meets them.
	r.Handler = handler.Stack{
		{Name: "route", Wrap: tel.Enter},                                                             // from here on it has a name
		{Name: "timeout", Wrap: policy.Timeout(cfg.Policy.RequestTimeout)},                           // around the doors: waiting for one counts
		{Name: "cors", Wrap: policy.CORS(cfg.Policy.CORS, refuse)},                                   // every refusal below carries its fields, and preflights no credentials
		{Name: "access", Wrap: policy.Access(cfg.Policy.Access, refuse)},                             // by who asks, at no cost
		{Name: "certificate", Wrap: policy.Vouched(refuse)},                                          // before auth, which takes it at its word
		{Name: "auth", Wrap: r.auth.Wrap},                                                            // before limits: who is refused here uses up nobody's share
		{Name: "rate limit", Wrap: policy.RateLimit(cfg.Policy.RateLimit, limit.decision(), refuse)}, // behind auth, which names whom it may count by
		{Name: "concurrency", Wrap: r.concurrency.Wrap},                                              // behind all that refuses by who asks: nobody waits in vain
		{Name: "body", Wrap: policy.MaxBody(cfg.Policy.MaxRequestBody, refuse)},                      // next to Forward: it goes along with what that reads
	}.Over(handler.Forward(tel.Forward(retrier), handler.ForwardConfig{ // all attempts together; each has a span of its own below
		Fields: front.Fields, ClientTimeout: front.ClientTimeout, Failures: failures, Upgraded: tel.Upgraded,
	}))
	for _, name := range cfg.Balancer.Unverified() {
		tel.Log.Warn("nobody verifies the certificate of a backend: whoever answers at its address gets its requests, with all that clients send along", "backend", name)
	}
	r.observe(retrier, tel)
	return r, nil
}

// observe has metrics tell how the route does.
func (r *Route) observe(retrier *balancer.Retrier, tel *telemetry.Telemetry) {
	tel.ObserveBackends(r.pool.Members)
	tel.ObserveBudget(retrier.BudgetLeft)
	if r.limit != nil {
		tel.ObserveKeys(r.limit.keys)
	}
	if r.concurrency != nil {
		tel.ObserveConcurrency(r.concurrency.Active, r.concurrency.Queued)
	}
}

// Run does what is to be done beside requests, until ctx is done: it probes and
// looks up backends, reads their files again when these change, fetches the keys of tokens, and keeps up with the store of a
// shared limit. It returns when all of that has ended.
func (r *Route) Run(ctx context.Context) error {
	reload := func(ctx context.Context) error { return r.pool.Reload(ctx, r.reload) }
	return supervise.All(ctx, r.pool.Run, reload, r.auth.Run, r.limit.run)
}

// Certificates returns what there is to know of those that backends are shown.
func (r *Route) Certificates() []certificate.Info { return r.pool.Certificates() }

// Ready returns why no request should come this way yet, or nil.
func (r *Route) Ready() error { return r.pool.Started() }

// OnDemand returns next as what also probes where timers cannot.
func (r *Route) OnDemand(next http.Handler) http.Handler { return r.pool.OnDemand(next) }
