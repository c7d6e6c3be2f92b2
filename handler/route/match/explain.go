package match

import (
	"fmt"
	"net/http"
	"net/netip"
)

// Verdict is what one pattern of a rule makes of a request.
type Verdict struct {
	Rule    int // its index
	Name    string
	Pattern *Pattern
	Why     string // it does not take the request; "": it does
}

// Ordered returns all patterns in match order, each with its rule.
func (t *Table) Ordered() []Verdict {
	var all []Verdict
	for _, e := range t.entries {
		all = append(all, Verdict{Rule: e.rule, Name: e.name, Pattern: e.pattern})
	}
	return all
}

// Explain returns, in match order, why each pattern takes the request or does not.
func (t *Table) Explain(r *http.Request, host string, client netip.Addr) []Verdict {
	var m Match
	t.Match(&m, r, host, client)
	all := t.Ordered()
	taken := ""
	for i, e := range t.entries {
		why := e.why(t, r, host, client)
		switch {
		case why != "":
		case taken != "":
			why = fmt.Sprintf("%s is more specific", taken)
		default:
			taken = fmt.Sprintf("%s (%s)", e.name, e.pattern)
		}
		all[i].Why = why
	}
	return all
}

// why returns why e does not match the request by itself.
func (e *entry) why(t *Table, r *http.Request, host string, client netip.Addr) string {
	alone, _ := Compile([]Rule{{Config: &Config{Patterns: Patterns{e.pattern}}}})
	w := walk{table: alone, request: r, client: client}
	at, _, ok := w.sites(host)
	c := e.conditions
	switch {
	case !ok || e.pattern.host != "" && at == alone.any:
		return fmt.Sprintf("host %s is not %s", host, e.pattern.Host())
	case e.methods != 0 && e.methods&t.methods[r.Method] == 0:
		return fmt.Sprintf("method %s is not %s", r.Method, t.allow(e.methods))
	}
	w.method = alone.methods[r.Method]
	w.read(sentPath(r), &reading{})
	if w.search(at) == nil {
		return fmt.Sprintf("path %s is not %s", w.text, e.pattern.path)
	}
	if i := c.Headers.failing(r); i >= 0 {
		return wrongWanted("header", c.Headers[i], len(r.Header[c.Headers[i].name]) == 0, ": ")
	}
	if i := c.Query.failing(r); i >= 0 {
		only := Query{{name: c.Query[i].name}}
		return wrongWanted("query parameter", c.Query[i], !only.hold(r), "=")
	}
	switch {
	case !holds(c.Clients, &w):
		return fmt.Sprintf("client %s is not in %s", client, c.Clients.Summary())
	case !c.ContentTypes.hold(r):
		return fmt.Sprintf("content type %q is not %s", r.Header.Get("Content-Type"), join(c.ContentTypes))
	}
	return ""
}

func wrongWanted(what string, w wanted, missing bool, separator string) string {
	if missing {
		return fmt.Sprintf("%s %s is missing", what, w.name)
	}
	return fmt.Sprintf("%s is not %s%s%s", what, w.name, separator, w.value)
}

func join(c ContentTypes) string {
	text, _ := c.MarshalText() // cannot fail
	return string(text)
}
