package route

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/handler/rewrite"
	"spangate/handler/route/action"
	"spangate/handler/route/match"
	"spangate/telemetry"
)

// Routes are those that ROUTES lists. The zero value has none: all requests take the
// one way that [Config] describes.
type Routes struct {
	Names Names   `env:"ROUTES" list:"true" zero:"none" doc:"comma list of the names of routes, of lower-case letters, digits and dashes; ROUTE_<NAME>_MATCH says which requests each takes, BACKENDS, which can be left out then, takes all others"`
	Each  []Named `each:"Names" envPrefix:"ROUTE_"`
}

// Named is a route with its name. What is not set for it, it inherits from the [Config]
// of all.
type Named struct {
	config.One
	Match  match.Config
	Action action.Config
	Path   rewrite.Path
	Canary balancer.CanaryConfig
	Mirror balancer.MirrorConfig
	Config
	Record telemetry.RouteConfig
}

// own returns which of the parts that routes may share are this one's alone.
func (n *Named) own() own {
	return own{
		rateLimit:   n.Sets(rateLimitVariables...),
		concurrency: n.Sets(concurrencyVariables...),
		auth:        n.Sets(authVariables...),
	}
}

// Fields returns the names of the fields that mean something to any route, each once.
func (r *Routes) Fields() (all []string) {
	for i := range r.Each {
		n := &r.Each[i]
		for _, names := range [][]string{
			n.Config.Fields(), n.Canary.Fields(), n.Mirror.Fields(), n.Balancer.Fields(n.Canary.Backends), n.Balancer.Fields(n.Mirror.Backends),
		} {
			for _, name := range names {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
}

// Check returns what is wrong with values that are right by themselves. all is what
// routes inherit, and secure says that HTTPS comes here.
func (r *Routes) Check(all *Config, secure bool) error {
	rules, _ := rulesOf(all, r.Each)
	err := match.Check(rules)
	wrong := []error{err, r.checkReferences(all)}
	if err == nil {
		wrong = append(wrong, r.checkLoops(rules, secure))
	}
	for i := range r.Each {
		n := &r.Each[i]
		wrong = append(wrong, n.check())
		if !n.asksNobody() {
			wrong = append(wrong, n.poolOf(r.Each).checkKey(&n.Policy.Auth))
		}
	}
	return errors.Join(wrong...)
}

// Ways returns what there is on each way that a request can take: on those of the
// routes and, where it has backends, that of all, which takes the rest.
func (r *Routes) Ways(all *Config) (ways []*Config) {
	if len(r.Each) == 0 || all.Balancer.Backends != nil {
		ways = append(ways, all)
	}
	for i := range r.Each {
		ways = append(ways, &r.Each[i].Config)
	}
	return ways
}

// Order returns the indexes of the routes in the order in which they are matched, by the
// most specific pattern of each; nil where they conflict.
func (r *Routes) Order() (order []int) {
	table, err := compile(&Config{}, r.Each, false)
	if err != nil {
		return nil
	}
	for _, v := range table.Ordered() {
		if !slices.Contains(order, v.Rule) {
			order = append(order, v.Rule)
		}
	}
	return order
}

// actions are the variables of which a route has one.
var actions = []string{"BACKENDS", "REDIRECT", "RESPOND"}

// conditional reports whether more than method, host and path decide whether the route
// takes a request.
func (n *Named) conditional() bool { return n.Sets("HEADERS", "QUERY", "CLIENTS", "CONTENT_TYPE") }

// check returns what is wrong with the route by itself.
func (n *Named) check() error {
	var paths []string
	conditional := n.conditional()
	for _, p := range n.Match.Patterns {
		paths = append(paths, p.Path())
		conditional = conditional || strings.Contains(p.String(), " ") // it names methods
	}
	wrong := []error{n.checkAction(), n.Action.Check(paths, conditional), n.Path.Check(paths), n.Config.check(paths), n.Canary.Check(&n.Balancer), n.Mirror.Check(&n.Balancer)}
	if header := n.Canary.KeyHeader(); header != "" && n.Policy.Auth.Takes(header) {
		wrong = append(wrong, config.Wrong(&n.Canary.By, "is not there any more when a side is chosen"))
	}
	return errors.Join(wrong...)
}

// checkAction returns an error unless the route does one thing. Backends that it
// inherits are for routes that do nothing else.
func (n *Named) checkAction() error {
	var has []string
	for _, action := range actions {
		if n.Sets(action) {
			has = append(has, action)
		}
	}
	does := "a route does one of " + strings.Join(actions, ", ")
	switch {
	case len(has) > 1:
		return fmt.Errorf("route %q: has %s; %s", n.Name, strings.Join(has, " and "), does)
	case len(has) == 0 && n.Balancer.Backends == nil:
		return fmt.Errorf("route %q: does nothing; %s", n.Name, does)
	}
	return n.checkIdle()
}

// checkReferences returns what is wrong with routes that have the backends of others.
func (r *Routes) checkReferences(all *Config) error {
	var wrong []error
	if all.Balancer.Backends.Route() != "" {
		wrong = append(wrong, config.Wrong(&all.Balancer.Backends, "only a route can have the backends of another one"))
	}
	for i := range r.Each {
		n := &r.Each[i]
		for _, own := range []*balancer.Members{&n.Canary.Backends, &n.Mirror.Backends} {
			if own.Route() != "" {
				wrong = append(wrong, config.Wrong(own, "must be backends of its own"))
			}
		}
		name := n.Balancer.Backends.Route()
		if name == "" || !n.Sets("BACKENDS") {
			continue
		}
		if why := r.unusable(n, name); why != "" {
			wrong = append(wrong, config.Wrong(&n.Balancer.Backends, "%s", why))
		}
	}
	return errors.Join(wrong...)
}

// unusable says why n cannot have the backends of the route of that name, or "".
func (r *Routes) unusable(n *Named, name string) string {
	var names []string
	for i := range r.Each {
		names = append(names, r.Each[i].Name)
	}
	i := slices.Index(names, name)
	if i < 0 {
		why := fmt.Sprintf("no route is called %q", name)
		if near := config.Nearest(name, names); near != "" {
			why += fmt.Sprintf("; did you mean %q?", near)
		}
		return why
	}
	switch other := &r.Each[i]; {
	case other.Name == n.Name:
		return "is the route itself"
	case !other.hasPool() && other.Balancer.Backends.Route() != "":
		return fmt.Sprintf("%q has the backends of another route itself", name)
	case !other.hasPool():
		return fmt.Sprintf("%q has no backends", name)
	}
	return ""
}

// behind returns what n's route is built of. Backends of another route are used, and
// probed, as that one's are.
func (n *Named) behind(named []Named) *Named {
	if other := n.poolOf(named); other != n {
		return n.with(&other.Config)
	}
	return n
}

// poolOf returns the route whose backends n has, which mostly is n.
func (n *Named) poolOf(named []Named) *Named {
	if name := n.Balancer.Backends.Route(); name != "" {
		for i := range named {
			if named[i].Name == name {
				return &named[i]
			}
		}
	}
	return n
}

// with returns n with the pool of another one, towards which it tries again by its own
// rules.
func (n Named) with(other *Config) *Named {
	n.Balancer, n.Probe = other.Balancer.With(n.Balancer.Retry), other.Probe
	return &n
}

// Names are the names of routes, in the order in which they are listed. As text it is
// a comma list.
type Names []string

const (
	// maxRoutes is as many as anybody could still tell apart; each has metrics of its own.
	maxRoutes = 1000
	// maxName is that of a label of DNS, which what is behind a route is often called by.
	maxName = 63
)

var routeName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// UnmarshalText parses a list. Its error joins one for each fault.
func (n *Names) UnmarshalText(text []byte) error {
	*n = nil
	var wrong []error
	items := strings.Split(string(text), ",")
	seen := map[string]string{} // by what it is in the names of variables
	for _, name := range items {
		written := config.Capitals(name)
		first, taken := seen[written]
		switch err := checkName(name); {
		case taken && first == name:
			wrong = append(wrong, fmt.Errorf("%.100q is listed twice", name))
		case taken && len(items) == 2:
			wrong = append(wrong, fmt.Errorf("both are written ROUTE_%s_…", written))
		case taken:
			wrong = append(wrong, fmt.Errorf("%.100q and %.100q are both written ROUTE_%s_…", first, name, written))
		case err != nil:
			wrong = append(wrong, err)
		default:
			seen[written] = name
			*n = append(*n, name)
		}
	}
	if len(items) > maxRoutes {
		wrong = []error{fmt.Errorf("lists %d routes; there can be %d", len(items), maxRoutes)}
	}
	return errors.Join(wrong...)
}

// checkName returns what is wrong with a name.
func checkName(name string) error {
	switch better := strings.ToLower(strings.ReplaceAll(name, "_", "-")); {
	case name == "":
		return errors.New("has an empty entry; a list looks like api,web")
	case len(name) > maxName:
		return fmt.Errorf("%.20q… is longer than %d letters", name, maxName)
	case name == Default:
		return fmt.Errorf("%q is what takes what no route does: BACKENDS and the other variables without ROUTE_ are its", name)
	case routeName.MatchString(name):
		return nil
	case routeName.MatchString(better):
		return fmt.Errorf("%q: must be lower-case letters, digits and dashes, such as %s", name, better)
	default:
		return fmt.Errorf("%.100q: must be lower-case letters, digits and dashes, a letter first", name)
	}
}

// Default is the name of the route that takes what no other does.
const Default = "default"

// vouched returns the fields that only a route writes: they say whom it lets in, or that a
// request is a copy. There are none where no route does.
func vouched(cfg *Config, named []Named) (all []string) {
	all = cfg.Policy.Auth.Names()
	for i := range named {
		all = append(all, slices.Concat(named[i].Policy.Auth.Names(), named[i].Mirror.Fields())...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
