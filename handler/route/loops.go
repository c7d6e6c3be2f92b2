package route

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/rewrite"
	"spangate/handler/route/match"
)

// maxHops is how often browsers let themselves be sent on.
const maxHops = 20

// checkLoops returns an error for each redirect that leads back to itself, alone or by way
// of others. It finds out by sending on somebody who asks for what a pattern takes, as long
// as host, path and query alone decide where to, and he stays here: another host that no
// pattern names, another port, and HTTPS unless secure is set may be somebody else's. One
// that sends nobody further than to where he is [action.Config.Check] tells.
func (r *Routes) checkLoops(rules []match.Rule, secure bool) error {
	var t Table
	var wrong []error
	for i := range r.Each {
		n := &r.Each[i]
		if n.Action.Redirect.IsZero() || n.conditional() {
			continue
		}
		if t.rules == nil {
			t.rules, _ = match.Compile(rules, nil) // which Check has found to be right
		}
		for _, p := range n.Match.Patterns {
			if places := r.circle(&t, i, p, secure); places != nil {
				wrong = append(wrong, config.Wrong(&n.Action.Redirect, "goes round in a circle: %s", strings.Join(places, ", ")))
				break
			}
		}
	}
	return errors.Join(wrong...)
}

// circle returns where somebody gets who asks for what p takes, a pattern of the route at
// begin, and is sent to that route again and again; nil where nobody is.
func (r *Routes) circle(t *Table, begin int, p *match.Pattern, secure bool) (places []string) {
	method, host, path := p.Example()
	q, err := newQuestion([]string{method + " http://" + cmp.Or(host, anyHost) + path})
	if err != nil {
		return nil
	}
	places = []string{host + path}
	var takers []int
	var asked []string
	for len(takers) < maxHops {
		at, location, status := r.sent(t, q)
		here, isCircle := q.method+" "+q.url.String(), status == http.StatusLoopDetected
		switch round := slices.Index(asked, here); {
		case at < 0, takers == nil && (isCircle || at != begin):
			return nil
		case isCircle && at == begin:
			return append(places, places[len(places)-1])
		case round >= 0 && slices.Contains(takers[round:], begin):
			return places
		case isCircle, round >= 0:
			return nil // it is those who go round that have to be told
		}
		takers, asked, places = append(takers, at), append(asked, here), append(places, location)
		next := q.follow(location, status)
		if next == nil || next.url.Scheme == "https" && !secure || next.url.Host != q.url.Host && !r.names(next.url.Host) {
			return nil
		}
		q = next
	}
	if slices.Contains(takers[1:], begin) {
		return append(places[:4], "…")
	}
	return nil
}

// anyHost is one that no pattern names.
const anyHost = "any.invalid"

// names reports whether a pattern names a host, which comes here then.
func (r *Routes) names(host string) bool {
	return slices.ContainsFunc(r.Each, func(n Named) bool {
		return slices.ContainsFunc(n.Match.Patterns, func(p *match.Pattern) bool { return strings.EqualFold(p.Host(), host) })
	})
}

// sent returns which route sends on whoever asks q, where to and how; -1 where none does,
// or more than host, path and query decide.
func (r *Routes) sent(t *Table, q *question) (at int, location string, status int) {
	asked, err := q.request()
	if err != nil {
		return -1, "", 0
	}
	took := asked
	handler.Identify(handler.Origin{})(t.Match(http.HandlerFunc(func(_ http.ResponseWriter, found *http.Request) { took = found }))).ServeHTTP(nil, asked)
	at = match.Of(took.Context()).Route
	if at < 0 || r.Each[at].Action.Redirect.IsZero() || r.Each[at].conditional() {
		return -1, "", 0
	}
	n, answer := &r.Each[at], &answerOf{header: http.Header{}}
	n.Action.Handler(rewrite.Facts{Route: n.Name, Variable: variable}, nil, onlyStatus).ServeHTTP(answer, took)
	return at, answer.header.Get("Location"), answer.status
}

// follow returns what whoever asked q asks next when an answer of that status sends him to
// location (RFC 9110 §15.4); nil where he asks nothing.
func (q *question) follow(location string, status int) *question {
	u, err := q.url.Parse(location)
	if err != nil || location == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	next := *q
	u.Fragment, u.RawFragment = "", ""
	if next.url, next.target = u, u.RequestURI(); status == http.StatusSeeOther && q.method != http.MethodHead ||
		q.method == http.MethodPost && (status == http.StatusMovedPermanently || status == http.StatusFound) {
		next.method = http.MethodGet
	}
	return &next
}
