package match

import (
	"net/url"
	"slices"
	"strings"
)

// methodsOf returns the relation of the methods of a to those of b.
func methodsOf(a, b methodSet) relation {
	all := func(s methodSet) methodSet {
		if s == 0 {
			return ^methodSet(0)
		}
		return s
	}
	x, y := all(a), all(b)
	return relationOf(x&^y == 0 && (a != 0 || b == 0), y&^x == 0 && (b != 0 || a == 0), x&y != 0)
}

// preferenceOf is pathsOf for what decides between a and b. It makes nothing of /a/b, which
// /a/b/* takes and /a/{x}/{rest...} does not: of all that both take the one says more.
func preferenceOf(a, b *Pattern) relation {
	if r := commonOf(a, b); len(a.segments) == len(b.segments) && r != equal && a.end != exact && b.end != exact {
		return r
	}
	return pathsOf(a, b)
}

// pathsOf returns the relation of the paths that a takes to those that b takes.
func pathsOf(a, b *Pattern) relation {
	r := commonOf(a, b)
	switch x, y := len(a.segments), len(b.segments); {
	case x < y:
		return r.both(a.beside())
	case x > y:
		return r.both(b.beside().inverse())
	}
	return r.both(endsOf(a, b))
}

// commonOf returns the relation of the segments that a and b both have.
func commonOf(a, b *Pattern) relation {
	r := equal
	for i := range min(len(a.segments), len(b.segments)) {
		if r = r.both(segmentsOf(a.segments[i], b.segments[i])); r == apart {
			break
		}
	}
	return r
}

func (r relation) inverse() relation {
	switch r {
	case inside:
		return around
	case around:
		return inside
	}
	return r
}

// beside returns the relation of what p takes behind its segments to what one takes there
// that has more of them.
func (p *Pattern) beside() relation {
	if p.end == exact {
		return apart
	}
	return around
}

// endsOf returns the relation of what two patterns of as many segments take behind
// those.
func endsOf(a, b *Pattern) relation {
	switch {
	case a.end == b.end, len(a.segments) == 0: // as all paths have a slash
		return equal
	case a.end == prefix:
		return around
	case b.end == prefix:
		return inside
	}
	return apart
}

// segmentsOf returns the relation of the values of two segments.
func segmentsOf(a, b segment) relation {
	switch {
	case a.kind == literal && b.kind == literal:
		return relationOf(a.text == b.text, a.text == b.text, false)
	case a.kind == b.kind:
		return equal
	case a.kind == literal:
		return relationOf(takes(b.kind, a.text), false, false)
	case b.kind == literal, a.kind == whatever:
		return segmentsOf(b, a).inverse()
	case b.kind == whatever:
		return inside
	}
	return apart
}

// conditionsOf returns the relation of the requests for which the conditions of a hold
// to those for which b's do.
func conditionsOf(a, b *Config) relation {
	return wantedOf(a.Headers, b.Headers).both(wantedOf(a.Query, b.Query)).
		both(clientsOf(a, b)).both(contentTypesOf(a.ContentTypes, b.ContentTypes))
}

// wantedOf is conditionsOf for conditions on fields or parameters.
func wantedOf(a, b []wanted) relation {
	r := equal
	for _, x := range a {
		i := slices.IndexFunc(b, func(y wanted) bool { return y.name == x.name })
		switch {
		case i < 0 || x.hasValue && !b[i].hasValue:
			r = r.both(inside)
		case !x.hasValue && b[i].hasValue:
			r = r.both(around)
		case x.value != b[i].value:
			r = apart
		}
		if r == apart {
			return r
		}
	}
	for _, y := range b {
		if !slices.ContainsFunc(a, func(x wanted) bool { return x.name == y.name }) {
			r = r.both(around)
		}
	}
	return r
}

func clientsOf(a, b *Config) relation {
	switch x, y := a.Clients, b.Clients; {
	case x.IsZero() && y.IsZero():
		return equal
	case y.IsZero():
		return inside
	case x.IsZero():
		return around
	default:
		return relationOf(y.Covers(x.CIDRs), x.Covers(y.CIDRs), x.Overlaps(y.CIDRs))
	}
}

func contentTypesOf(a, b ContentTypes) relation {
	switch {
	case len(a) == 0 && len(b) == 0:
		return equal
	case len(b) == 0:
		return inside
	case len(a) == 0:
		return around
	}
	within := func(a, b ContentTypes) bool {
		return !slices.ContainsFunc(a, func(x string) bool {
			return !slices.ContainsFunc(b, func(y string) bool { return contains(y, x) })
		})
	}
	meet := slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return contains(x, y) || contains(y, x) })
	})
	return relationOf(within(a, b), within(b, a), meet)
}

// contains reports whether x takes all media types that y takes.
func contains(x, y string) bool {
	begin, isBegin := strings.CutSuffix(x, "*")
	return x == y || isBegin && strings.HasPrefix(strings.TrimSuffix(y, "*"), begin)
}

// and returns the methods that are in both sets.
func (s methodSet) and(other methodSet) methodSet {
	if s == 0 || other == 0 {
		return s | other
	}
	return s & other
}

// meet returns a pattern of the paths that both a and b take, which have some in common.
func meet(a, b *Pattern) *Pattern {
	if len(a.segments) < len(b.segments) {
		a, b = b, a
	}
	m := &Pattern{segments: slices.Clone(a.segments), end: a.end}
	for i, s := range b.segments {
		if s.kind < a.segments[i].kind {
			m.segments[i] = s
		}
	}
	if len(a.segments) == len(b.segments) {
		m.end = min(a.end, b.end)
	}
	return m
}

// example returns a request that both a and b take, as a pattern is written. They are
// for the same host and have something in common.
func example(a, b *entry) string {
	var text strings.Builder
	methods := a.pattern.methods
	if b.methods != 0 {
		methods = slices.DeleteFunc(slices.Clone(b.pattern.methods), func(m string) bool {
			return a.methods != 0 && !slices.Contains(a.pattern.methods, m)
		})
	}
	if len(methods) > 0 {
		text.WriteString(methods[0] + " ")
	}
	if a.pattern.wildcard {
		text.WriteByte('a')
	}
	text.WriteString(a.pattern.host)
	text.WriteString(meet(a.pattern, b.pattern).example())
	return text.String()
}

// Example returns a method, a host and a path that p takes; the host is empty where any
// will do.
func (p *Pattern) Example() (method, host, path string) {
	method, host = "GET", p.host
	if len(p.methods) > 0 && !slices.Contains(p.methods, method) {
		method = p.methods[0]
	}
	if p.wildcard {
		host = "a" + host
	}
	return method, host, p.example()
}

// example returns a path that p takes.
func (p *Pattern) example() string {
	var path strings.Builder
	for _, s := range p.segments {
		path.WriteByte('/')
		switch s.kind {
		case integer:
			path.WriteString("1")
		case uuid:
			path.WriteString("00000000-0000-4000-8000-000000000000")
		case whatever:
			path.WriteString(s.text)
		case literal:
			path.WriteString(url.PathEscape(s.text))
		}
	}
	if path.Len() == 0 || p.end == rest {
		path.WriteByte('/')
	}
	return path.String()
}
