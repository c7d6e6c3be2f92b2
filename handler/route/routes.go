package route

import (
	"errors"
	"fmt"
	"regexp"
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
	Canary balancer.CanaryConfig
	Mirror balancer.MirrorConfig
	Action action.Config
	Path   rewrite.Path
	Config
	Record telemetry.RouteConfig
}

// own returns which of the parts that routes may share are this one's alone.
func (n *Named) own() own {
	return own{
		rateLimit:   n.SetsAny("RATE_LIMIT"),
		concurrency: n.SetsAny("MAX_CONCURRENT_", "MAX_QUEUE"),
		auth:        n.SetsAny("AUTH_"),
	}
}

// Check returns what is wrong with values that are right by themselves.
func (r *Routes) Check() error {
	var wrong []error
	for i := range r.Each {
		wrong = append(wrong, r.Each[i].check())
	}
	_, err := match.Compile(rules(r.Each))
	return errors.Join(append(wrong, err)...)
}

func (n *Named) check() error {
	var patterns []string
	conditional := len(n.Match.Headers)+len(n.Match.Query)+len(n.Match.ContentTypes) > 0 || !n.Match.Clients.IsZero()
	for _, p := range n.Match.Patterns {
		patterns = append(patterns, p.Path())
		conditional = conditional || strings.Contains(p.String(), " ") // methods
	}
	wrong := []error{
		n.Config.check(patterns), n.Canary.Check(&n.Balancer), n.Mirror.Check(&n.Balancer),
		n.Path.Check(patterns), n.Action.Check(patterns, conditional),
	}
	if header := n.Canary.KeyHeader(); header != "" && n.Policy.Auth.Takes(header) {
		wrong = append(wrong, config.Wrong(&n.Canary.By, "is not there any more when a side is chosen"))
	}
	return errors.Join(wrong...)
}

// Fields returns the names of the fields that mean something to any route.
func (r *Routes) Fields() (all []string) {
	for i := range r.Each {
		all = append(all, append(r.Each[i].Config.Fields(), r.Each[i].Canary.Fields()...)...)
	}
	return all
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
