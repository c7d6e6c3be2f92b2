// Package route answers: which doors does a request pass, and on which way does it
// get to a backend?
package route

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/rewrite"
	"spangate/handler/route/match"
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
	Rewrite  rewrite.Config
	Shared   redis.Config `whole:"true"`
}

// Check returns what is wrong with values that are right by themselves: all for
// which [NewTable] would refuse.
func (c *Config) Check() error {
	return errors.Join(c.check(nil), c.checkKey(&c.Policy.Auth), c.Shared.Check())
}

// check leaves out what holds for the whole program. It has the paths of the patterns of
// the route, none where c is for all routes.
func (c *Config) check(patterns []string) error {
	return errors.Join(c.Balancer.Check(), c.Policy.Check(), c.Rewrite.Check(patterns, append(c.Policy.Vouched(), c.Balancer.Auth.Kind.Field())))
}

// checkKey returns an error if what a backend is chosen by is gone behind that door.
func (c *Config) checkKey(door *policy.AuthConfig) error {
	if header := c.Balancer.HashKey.Header(); header != "" && door.Takes(header) {
		return config.Wrong(&c.Balancer.HashKey, "is not there any more when a backend is chosen")
	}
	return nil
}

// Fields returns the names of the fields that mean something to the route.
func (c *Config) Fields() []string {
	return slices.Concat(c.Policy.Fields(), c.Rewrite.Fields(), []string{c.Balancer.HashKey.Header()}, c.Balancer.Fields(c.Balancer.Backends))
}

// Front is what all routes have in common.
type Front struct {
	Shared        redis.Config  // who counts requests under limits; the zero value: each instance for itself
	Fields        field.Set     // that mean something to the proxy
	ClientTimeout time.Duration // longest pause of a client within a request; 0: no limit
	Reload        time.Duration // how often files are looked at that may change
}

// Route is a column of doors and the backends behind it. It is a handler.
type Route struct {
	http.Handler

	doors       handler.Stack // before what answers
	refuse      policy.Refuse
	name        string
	permits     func(preflight http.Header) bool // nil: it answers no preflights
	patterns    match.Patterns                   // nil: it takes all
	pool        *balancer.Pool                   // nil: it has no backends
	limit       *rateLimit
	concurrency *policy.Concurrency // nil: no limit
	beside      beside
}

// own says which parts a route sets for itself; the others it inherits.
type own struct{ rateLimit, concurrency, auth bool }

// newDoors builds the doors of the route that n describes, as far as they go by who asks,
// with nothing behind them.
func newDoors(n *Named, p *parts, tel *telemetry.Telemetry) (*Route, error) {
	cfg, sets := &n.Config, n.own()
	limit, err := p.rateLimit(n.Name, cfg.Policy.RateLimit, sets.rateLimit, tel)
	if err != nil {
		return nil, err
	}
	refuse := tel.Refuse(tel.Failures().Refuse).UnlessGone()
	r := &Route{
		name: n.Name, permits: policy.Permits(cfg.Policy.CORS), patterns: n.Match.Patterns, refuse: refuse,
		limit: limit,
	}
	auth := p.auth(cfg.Policy.Auth, sets.auth, refuse, tel)

	// From the door to the backends, in the order in which a request meets them.
	r.doors = handler.Stack{
		{Name: "security", Wrap: rewrite.SecurityHeaders(cfg.Rewrite)},                               // before all that may answer
		{Name: "timeout", Wrap: policy.Timeout(cfg.Policy.RequestTimeout)},                           // around the doors: waiting for one counts
		{Name: "cors", Wrap: policy.CORS(cfg.Policy.CORS, refuse)},                                   // every refusal below carries its fields, and preflights no credentials
		{Name: "access", Wrap: policy.Access(cfg.Policy.Access, refuse)},                             // by who asks, at no cost
		{Name: "certificate", Wrap: policy.Vouched(refuse)},                                          // before auth, which takes it at its word
		{Name: "unname", Wrap: policy.Unname(p.unnamed(n))},                                          // what only another route writes no client says on this one: they may have the same backends
		{Name: "auth", Wrap: auth.Wrap},                                                              // before limits: who is refused here uses up nobody's share
		{Name: "rate limit", Wrap: policy.RateLimit(cfg.Policy.RateLimit, limit.decision(), refuse)}, // behind auth, which names whom it may count by
	}
	return r, nil
}

// newRoute builds the route that n describes; the only one has no name. Nothing of it
// runs before its parts do.
func newRoute(n *Named, p *parts, tel *telemetry.Telemetry) (*Route, error) {
	r, err := newDoors(n, p, tel)
	if err != nil {
		return nil, err
	}
	failures := tel.Failures()
	facts := rewrite.Facts{Route: n.Name, RequestID: string(n.Policy.RequestID.Header), TraceID: failures.TraceID, Variable: variable}
	rewriter := rewrite.New(n.Rewrite, n.Path, facts)
	answers := n.Action.Handler(facts, rewriter, r.refuse)
	if answers == nil {
		if r.pool, err = p.pool(n.Balancer, n, "", tel); err != nil { // last of what may fail: it holds sockets
			return nil, err
		}
		sends, err := p.behind(n, r.pool, &r.beside, tel)
		if err != nil {
			return nil, err
		}
		answers = handler.Forward(rewriter.Over(sends), handler.ForwardConfig{
			Fields: p.front.Fields, ClientTimeout: p.front.ClientTimeout, Failures: failures, Upgraded: tel.Upgraded,
		})
	}
	r.concurrency = p.concurrency(n.Policy.Concurrency, n.own().concurrency, r.refuse, tel)
	room := handler.Stack{
		{Name: "concurrency", Wrap: r.concurrency.Wrap},                         // behind all that refuses by who asks: nobody waits in vain
		{Name: "body", Wrap: policy.MaxBody(n.Policy.MaxRequestBody, r.refuse)}, // next to Forward: it goes along with what that reads
	}
	r.Handler = r.doors.Over(room.Over(answers))
	return r, nil
}

// variable returns what a variable of the pattern that took a request stands for.
func variable(ctx context.Context, name string) (string, bool) { return match.Of(ctx).Value(name) }
