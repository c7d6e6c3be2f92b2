package route

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"spangate/handler"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/route/match"
	"spangate/handler/wire"
	"spangate/policy"
	"spangate/telemetry"
)

// Table is all routes, and what leads to them. It is a handler. What no route takes meets
// the doors that the routes inherit: whoever may not come in learns nothing of which
// routes there are, and what he asks for counts. Then it is refused with these reasons, by
// the policy route:
//
//	ambiguous_path      somebody else may read its host, path or what is twice in it in a way that leads elsewhere: 400
//	no_route            no route takes it: 404
//	method_not_allowed  one would take it with another method: 405
type Table struct {
	parts  *parts
	rules  *match.Table // nil: there is but one route, which takes all
	routes []*Route     // in the order of the rules, and last what takes the rest
	rest   bool         // there is a route that takes what no rule does
	none   http.Handler // answers what no route takes, behind the doors that hold for all
}

// NewTable builds the routes. What no other takes goes to the one that cfg describes, if
// it has backends. Nothing of them runs before [Table.Run].
func NewTable(cfg Config, named []Named, front Front, tel *telemetry.Telemetry) (*Table, error) {
	return newTable(cfg, named, newParts(front), tel)
}

func newTable(cfg Config, named []Named, p *parts, tel *telemetry.Telemetry) (*Table, error) {
	t := &Table{parts: p, rest: len(cfg.Balancer.Backends) > 0}
	if len(named) == 0 {
		only, err := newRoute(&Named{Config: cfg}, p, tel)
		t.routes = []*Route{only}
		return t, err
	}
	var err error
	if t.rules, err = compile(&cfg, named, t.rest); err != nil {
		return nil, err
	}
	p.vouched = vouched(&cfg, named)
	var names []string
	for _, n := range named {
		names = append(names, n.Name)
	}
	decorated := tel.Routes(append(names, Default)...)
	t.routes = make([]*Route, len(named), len(named)+1)
	build := newDoors
	if t.rest {
		build = newRoute
	}
	rest, err := build(&Named{One: config.One{Name: Default}, Match: match.Config{Patterns: match.Patterns{everything}}, Config: cfg}, p, decorated[len(named)])
	if err != nil { // first: the parts that others inherit are that one's
		return nil, err
	}
	if t.rest {
		t.routes = append(t.routes, rest)
	}
	t.none = rest.doors.Over(refusal(rest.refuse, tel.Failures().Refuse))
	for _, others := range []bool{false, true} { // backends are first of all the route's that lists them
		for i := range named {
			if (named[i].poolOf(named) != &named[i]) != others {
				continue
			}
			decorated[i].Record(named[i].Record)
			if t.routes[i], err = newRoute(named[i].behind(named), p, decorated[i]); err != nil {
				return nil, fmt.Errorf("route %q: %w", named[i].Name, err)
			}
		}
	}
	return t, nil
}

// compile makes the table of the routes, in the same order. rest says that all answers
// what none of them takes.
func compile(all *Config, named []Named, rest bool) (*match.Table, error) {
	rules, others := rulesOf(all, named)
	if !rest {
		others = nil
	}
	return match.Compile(rules, others)
}

// rulesOf returns the rules of the routes, in the same order, and the one of what none of
// them takes.
func rulesOf(all *Config, named []Named) (rules []match.Rule, others *match.Rule) {
	var known doors
	others = &match.Rule{Name: Default, Door: known.of(&all.Policy)}
	variables := slices.Concat(authVariables, accessVariables)
	for i := range named {
		n := &named[i]
		door := others.Door
		if n.Sets(variables...) {
			door = known.of(&n.Policy)
		}
		rules = append(rules, match.Rule{Name: n.Name, Config: &n.Match, Door: door})
	}
	return rules, others
}

// everything is the pattern of what no rule takes.
var everything = func() *match.Pattern {
	var all match.Patterns
	if err := all.UnmarshalText([]byte("/*")); err != nil {
		panic(err)
	}
	return all[0]
}()

// Match returns a wrapper that finds out which route a request takes, once for all
// behind it: [match.Of] tells them. Where there is but one route that is next itself.
func (t *Table) Match(next http.Handler) http.Handler {
	if t.rules == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.match(r)
		next.ServeHTTP(w, r)
	})
}

// match notes in r which route takes it.
func (t *Table) match(r *http.Request) {
	d := wire.Keep[match.Decided](r.Context())
	d.Context = r.Context()
	// By the Host that backends get, and not by what a proxy says of another one: they
	// would not be of one mind about where the request belongs.
	client := handler.ClientOf(r).NamedAddr()
	t.rules.Match(&d.Match, r, r.Host, client)
	if asked := match.Asked(r); asked != nil {
		if m, ok := t.answers(r, asked, client); ok {
			d.Match = m
		}
	}
	if m := &d.Match; m.Ambiguous {
		m.Route, m.Pattern = -1, nil
	} else if m.Route < 0 && t.rest {
		m.Route, m.Pattern = len(t.routes)-1, everything
	}
	*r = *r.WithContext(d)
}

// answers returns the route that answers the preflight r, which asks for that; not ok where
// none does, and the preflight is a request like others. A route may depend on what fields
// will say, which no preflight tells: it goes to the first route that refuses it, of all
// that may take the request. A page must not send to one what another one has allowed.
func (t *Table) answers(r, asked *http.Request, client netip.Addr) (first match.Match, ok bool) {
	for _, m := range t.rules.Routes(asked, r.Host, client) {
		at := m.Route
		switch {
		case at < 0 && !t.rest:
			continue // nobody does anything
		case at < 0:
			at = len(t.routes) - 1
		}
		permits := t.routes[at].permits
		switch {
		case permits == nil:
			return m, false
		case !permits(r.Header):
			return m, true
		case !ok:
			first, ok = m, true
		}
	}
	return first, ok
}

// ServeHTTP implements [http.Handler].
func (t *Table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.rules == nil {
		t.routes[0].ServeHTTP(w, r)
		return
	}
	if m := match.Of(r.Context()); m.Route >= 0 {
		t.routes[m.Route].ServeHTTP(w, r)
		return
	}
	t.none.ServeHTTP(w, r)
}

// refusal returns what answers requests that no route takes: by refuse, but for those that
// are not refused.
func refusal(refuse, answer policy.Refuse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch m := match.Of(r.Context()); {
		case r.RequestURI == "*": // about the gateway itself
			answer(w, r, fault.Refusal{Status: http.StatusNoContent})
		case m.Ambiguous:
			refuse(w, r, fault.Refusal{Policy: "route", Reason: "ambiguous_path", Status: http.StatusBadRequest, Detail: "The request's host, path, query or header can be read in more than one way."})
		case m.Allow != "":
			refuse(w, r, fault.Refusal{Policy: "route", Reason: "method_not_allowed", Status: http.StatusMethodNotAllowed, Allow: m.Allow, Detail: "There is nothing here for this method."})
		default:
			refuse(w, r, fault.Refusal{Policy: "route", Reason: "no_route", Status: http.StatusNotFound, Detail: "There is nothing here."})
		}
	})
}

// Run does what is to be done beside requests, until ctx is done. It returns when all of
// that has ended.
func (t *Table) Run(ctx context.Context) error { return t.parts.run(ctx) }

// OnDemand returns next as what also probes where timers cannot.
func (t *Table) OnDemand(next http.Handler) http.Handler { return t.parts.onDemand(next) }

// Certificates returns what there is to know of those that backends are shown.
func (t *Table) Certificates() []certificate.Info { return t.parts.certificates() }

// Ready returns why no request should come yet, or nil. That the backends of one route
// do not answer keeps nobody from the others, once it is known.
func (t *Table) Ready() error { return t.parts.started() }
