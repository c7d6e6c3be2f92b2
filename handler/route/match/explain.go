package match

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
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

// Explain returns, in match order, why each pattern takes the request or does not. What
// it says of the request as it was sent does not count where that is ambiguous.
func (t *Table) Explain(r *http.Request, host string, client netip.Addr) []Verdict {
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

// Ambiguity returns why [Table.Match] says that a request is ambiguous, or "".
func (t *Table) Ambiguity(r *http.Request, host string, client netip.Addr) string {
	w := t.walk(r, client)
	w.most = maxDepth // to tell the whole path
	var m Match
	switch w.match(&m, host); {
	case !m.Ambiguous:
		return ""
	case w.text == "":
		return fmt.Sprintf("host %.100q is no name that all servers would read alike", host)
	case !w.dissent.found && w.another(m.Route) != nil:
		e := w.another(m.Route)
		return fmt.Sprintf("%s, and %s (%s) takes it or does not", e.unclear(r), e.name, e.pattern)
	case !w.dissent.found:
		return fmt.Sprintf("path %.100q may be read in too many ways", m.path)
	}
	to := "no route takes"
	if e := w.dissent.to; e != nil {
		to = fmt.Sprintf("%s (%s) takes", e.name, e.pattern)
	}
	return fmt.Sprintf("%s may be read as %s, which %s", m.path, w.reading(host), to)
}

// reading returns the request's host and path as w has read them last.
func (w *walk) reading(host string) string {
	var path strings.Builder
	if w.dissent.isOther {
		path.WriteString(strings.TrimSuffix(host, "."))
	}
	for _, sp := range w.path.spans[:min(w.path.n, len(w.path.spans))] {
		raw := w.text[sp.from:sp.to]
		text, _ := decode(make([]byte, 0, len(raw)), raw, w.decodes)
		if w.dissent.folding {
			toLower(text)
		}
		path.WriteByte('/')
		path.Write(text)
	}
	return path.String()
}

// why returns why e does not match the request by itself.
func (e *entry) why(t *Table, r *http.Request, host string, client netip.Addr) string {
	alone, _ := Compile([]Rule{{Config: &Config{Patterns: Patterns{e.pattern}}}}, nil)
	w := alone.walk(r, client)
	at, _, ok := w.sites(host)
	c := e.conditions
	switch {
	case !ok || e.pattern.host != "" && at == alone.any:
		return fmt.Sprintf("host %s is not %s", host, e.pattern.Host())
	case e.methods != 0 && w.method == 0:
		return fmt.Sprintf("method %s is not %s", r.Method, t.allow(e.methods))
	}
	w.read(sentPath(r), &reading{})
	if w.search(at) == nil {
		return fmt.Sprintf("path %s is not %s", w.text, e.pattern.path)
	}
	if i, s := c.Headers.least(r); s == fails {
		return wrongWanted("header", c.Headers[i], len(r.Header[c.Headers[i].name]) == 0)
	}
	if i, s := c.Query.least(r); s == fails {
		only := Query{{name: c.Query[i].name}}
		return wrongWanted("query parameter", c.Query[i], only.standing(r) == fails)
	}
	switch {
	case !c.Clients.hold(client):
		return fmt.Sprintf("client %s is not in %s", client, c.Clients.Summary())
	case c.ContentTypes.standing(r) == fails:
		return fmt.Sprintf("content type %q is not %s", r.Header.Get("Content-Type"), join(c.ContentTypes))
	}
	return e.unclear(r)
}

// unclear returns of which condition of e it is unclear whether it holds, or "".
func (e *entry) unclear(r *http.Request) string {
	c := e.conditions
	if i, s := c.Headers.least(r); s == unclear {
		return fmt.Sprintf("header %s is %s once, and something else once more", c.Headers[i].name, c.Headers[i].value)
	}
	if i, s := c.Query.least(r); s == unclear {
		return fmt.Sprintf("query parameter %s is %s once, and something else once more", c.Query[i].name, c.Query[i].value)
	}
	if c.ContentTypes.standing(r) == unclear {
		return fmt.Sprintf("content type is %s once, and something else once more", join(c.ContentTypes))
	}
	return ""
}

func wrongWanted(what string, w wanted, missing bool) string {
	if missing {
		return fmt.Sprintf("%s %s is missing", what, w.name)
	}
	return fmt.Sprintf("%s %s is not %s", what, w.name, w.value)
}

func join(c ContentTypes) string {
	text, _ := c.MarshalText() // cannot fail
	return string(text)
}
