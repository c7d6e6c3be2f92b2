// Package match answers: which route takes a request?
//
// # Patterns
//
// A [Pattern] is [METHOD[|METHOD] ][HOST]/PATH, as those of [http.ServeMux] are, with
// wildcards of hosts. GET takes HEAD too. The path is exact (/healthz), a prefix (/api/*:
// /api and all below it, never /apifoo), or a template (/users/{id}/posts/{rest...}).
// A variable takes one whole segment that is not empty, {id:int} and {id:uuid} only
// such ones, and {rest...} all that is left behind the slash, which may be nothing. A
// slash at the end is part of an exact path: /docs and /docs/ are two.
//
// # Precedence
//
// Of the rules that take a request that one wins which says most, and not the first.
// What follows decides in this order, each line among those that are equal in the lines
// before it:
//
//  1. an exact host, then the longest wildcard, then any host;
//  2. a path that the other one contains: /a/b before /a/{x}, that before
//     /a/{rest...}, and that before /a/*;
//  3. methods that the other one contains: GET before GET|POST, and that before all;
//  4. the one with more conditions on fields of the header;
//  5. the one with more conditions on the query;
//  6. one with a condition on clients, then one with a condition on the content's type;
//  7. conditions that the other ones contain: X-Beta: 1 before X-Beta.
//
// Two rules that may take the same request, and of which this prefers neither, are
// refused by [Compile], unless a third takes what both would.
//
// # The routes agree
//
// A backend may read a path in another way than the one that chose its route. [Table.Match]
// says that a request is ambiguous where some reading that servers are known for leads
// to another route. That a slash at the end makes no difference, which is true of many
// servers and false for as many sites, is such a reading where it leads to another [Door].
// So is one with a field or a parameter that occurs more than once, with different values,
// of which one decides about the route.
package match

import (
	"context"
	"net/http"
	"net/netip"
)

// Config says which requests a route takes: those that one of the patterns takes
// and for which all the other conditions hold.
type Config struct {
	Patterns     Patterns     `env:"MATCH,required" example:"/api/*" doc:"what the route takes, patterns with commas or line ends between them: [METHOD[|METHOD] ][HOST]/PATH; the host is example.com or *.example.com, any if left out; the path is exact (/healthz), a prefix (/api/*, which takes /api and all below) or a template (/users/{id}/{rest...}, {id:int}, {id:uuid}); the most specific route takes a request, whatever the order"`
	Headers      Headers      `env:"HEADERS" door:"leave it out if no field matters" zero:"any" doc:"fields that a request must have as well, with commas or line ends between them: X-Canary, or X-Beta: 1 for that value alone; a list in one line is one value, and a request in which a field occurs again with another value is refused where its route depends on it"`
	Query        Query        `env:"QUERY" door:"leave it out if the query does not matter" zero:"any" doc:"parameters that the query must have as well, comma list: preview, or preview=1 for that value alone; one that occurs again with another value is as with HEADERS"`
	Clients      Clients      `env:"CLIENTS" list:"true" door:"leave it out to take all clients" zero:"all" doc:"comma list of CIDRs that the client must be in as well"`
	ContentTypes ContentTypes `env:"CONTENT_TYPE" door:"leave it out if the content does not matter" zero:"any" doc:"media types of which the content must be one, comma list: application/json, or application/grpc* for all that begin so"`
}

// Rule is what [Compile] makes a table of.
type Rule struct {
	Name   string // of the route
	Config *Config
	Door   Door
}

// Door is who is let in by a rule: two that have the same let in the same, and everybody
// if it is 0.
type Door int

// Match is what [Table.Match] found.
type Match struct {
	// Route is the index of the rule that takes the request; -1: none.
	Route int
	// Pattern is the rule's that took it, nil where there is none.
	Pattern *Pattern
	// Ambiguous is set where somebody else may read the request in a way that leads to
	// another route, or to none. The request should be refused.
	Ambiguous bool
	// Allow names the methods with which some rule would take the request, where
	// none does with its own.
	Allow string

	path string // as sent
}

// Value returns what the variable of that name stands for in the path, encoded as it
// was sent.
func (m *Match) Value(name string) (value string, ok bool) {
	if m == nil || m.Pattern == nil {
		return "", false
	}
	return m.Pattern.value(name, m.path)
}

// Decided is the context of a request whose route has been looked for, which [Of] finds.
type Decided struct {
	context.Context
	Match Match
}

type decidedKey struct{}

// Value returns d itself for [Of], or what the context has.
func (d *Decided) Value(key any) any {
	if key == (decidedKey{}) {
		return d
	}
	return d.Context.Value(key)
}

// Of returns what has been found for the request with that context, nil where nothing
// has been looked for.
func Of(ctx context.Context) *Match {
	if d, ok := ctx.Value(decidedKey{}).(*Decided); ok {
		return &d.Match
	}
	return nil
}

// Match fills m with what the table says of r, which came from client and asked for
// host. It allocates nothing, unless methods of several rules have to be listed, and
// takes as long as the path is deep, however many rules there are. It is safe for
// concurrent use.
//
// A path with segments of dots is ambiguous for a pattern with variables, too: what these
// are taken for is not what there is where dots have been resolved.
//
// A CONNECT counts as a GET: over HTTP/2 it is how a WebSocket is asked for (RFC 8441 §5).
func (t *Table) Match(m *Match, r *http.Request, host string, client netip.Addr) {
	w := t.walk(r, client)
	w.match(m, host)
}

// match is [Table.Match].
func (w *walk) match(m *Match, host string) {
	*m = Match{Route: -1, path: sentPath(w.request)}
	at, other, ok := w.sites(host)
	if !ok {
		m.Ambiguous = true
		return
	}
	w.read(m.path, &reading{})
	took := w.search(at)
	switch {
	case took != nil:
		m.Route, m.Pattern = took.rule, took.pattern
	case w.allowed != 0:
		m.Allow = w.table.allow(w.allowed)
	}
	m.Ambiguous = !w.agree(at, other, m.path, took) || w.another(m.Route) != nil
}
