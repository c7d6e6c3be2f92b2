package match

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// relation is what two sets have to do with one another.
type relation uint8

const (
	equal relation = iota
	inside
	around
	apart
	across // both have something that the other one has not, and something in common
)

// relationOf returns the relation of two sets, of which is known whether each is within
// the other, and whether they have something in common.
func relationOf(within, contains, meet bool) relation {
	switch {
	case within && contains:
		return equal
	case within:
		return inside
	case contains:
		return around
	case meet:
		return across
	}
	return apart
}

// within reports whether the one set has nothing that the other one has not.
func (r relation) within() bool { return r == equal || r == inside }

// both returns the relation of sets of pairs.
func (r relation) both(s relation) relation {
	switch {
	case r == apart || s == apart:
		return apart
	case r == equal || r == s:
		return s
	case s == equal:
		return r
	}
	return across
}

// sortEntries brings entries into match order: what is preferred stands before what it
// is preferred to.
func sortEntries(all []*entry) {
	slices.SortStableFunc(all, func(a, b *entry) int {
		return cmp.Or(compareHosts(a.pattern, b.pattern), comparePaths(a.pattern, b.pattern), compareMethods(a.methods, b.methods), -compareWeights(a.conditions, b.conditions))
	})
	// Among equals, those that are contained go first. They are few.
	first := 0
	for i, e := range all {
		if !sameRank(all[first], e) {
			first = i
		}
		for j := first; j < i; j++ {
			if conditionsOf(e.conditions, all[j].conditions) == inside {
				copy(all[j+1:i+1], all[j:i])
				all[j] = e
				break
			}
		}
	}
}

// sameRank reports whether what two entries contain of one another has to decide.
func sameRank(a, b *entry) bool {
	return a == b || compareHosts(a.pattern, b.pattern) == 0 && comparePaths(a.pattern, b.pattern) == 0 && a.methods == b.methods &&
		compareWeights(a.conditions, b.conditions) == 0
}

// compareHosts orders exact hosts before wildcards, longer before shorter, and any last.
func compareHosts(a, b *Pattern) int {
	rank := func(p *Pattern) int {
		switch {
		case p.host == "":
			return 2
		case p.wildcard:
			return 1
		}
		return 0
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 || a.host == b.host {
		return c
	}
	if a.wildcard {
		return cmp.Or(-cmp.Compare(len(a.host), len(b.host)), strings.Compare(a.host, b.host))
	}
	return strings.Compare(a.host, b.host)
}

// comparePaths orders paths from the left: what ends, then literals, types, variables,
// the rest, and prefixes. Of two of which one contains the other that comes last.
func comparePaths(a, b *Pattern) int {
	for i := range max(len(a.segments), len(b.segments)) + 1 {
		c := cmp.Compare(a.rank(i), b.rank(i))
		if c == 0 && i < len(a.segments) && a.segments[i].kind == literal {
			c = strings.Compare(a.segments[i].text, b.segments[i].text)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// rank returns what p has for segment i.
func (p *Pattern) rank(i int) int {
	switch {
	case i < len(p.segments):
		return 1 + int(p.segments[i].kind)
	case i > len(p.segments) || p.end == exact:
		return 0
	}
	return 1 + int(whatever) + int(p.end)
}

// compareMethods orders fewer methods before more, and all last.
func compareMethods(a, b methodSet) int {
	size := func(s methodSet) int { return bits.OnesCount64(uint64(s)) }
	if a == 0 || b == 0 {
		return -cmp.Compare(size(a), size(b))
	}
	return cmp.Or(cmp.Compare(size(a), size(b)), cmp.Compare(a, b))
}

// compareWeights orders what has fewer conditions before what has more.
func compareWeights(a, b *Config) int {
	return cmp.Or(
		cmp.Compare(len(a.Headers), len(b.Headers)),
		cmp.Compare(len(a.Query), len(b.Query)),
		compareBool(!a.Clients.IsZero(), !b.Clients.IsZero()),
		compareBool(len(a.ContentTypes) > 0, len(b.ContentTypes) > 0),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// conflicts returns an error for each two entries of different rules, in match order,
// that may take the same request while neither is preferred.
func conflicts(all []*entry) error {
	var wrong []error
	told := map[[2]int]bool{}
	first := 0 // of those for the same host
	for i, a := range all {
		if compareHosts(a.pattern, all[first].pattern) != 0 {
			first = i
		}
		for _, b := range all[i+1:] {
			if compareHosts(a.pattern, b.pattern) != 0 {
				break
			}
			if a.rule == b.rule || !conflict(a, b) || slices.ContainsFunc(all[first:i], func(c *entry) bool { return c.settles(a, b) }) {
				continue
			}
			x, y := a, b
			if x.rule > y.rule {
				x, y = y, x
			}
			if pair := [2]int{x.rule, y.rule}; !told[pair] {
				told[pair] = true
				wrong = append(wrong, fmt.Errorf("routes %q (%s) and %q (%s): both match %s and neither is more specific", x.name, x.pattern, y.name, y.pattern, example(x, y)))
			}
		}
	}
	return errors.Join(wrong...)
}

// settles reports whether e takes whatever both a and b do, which it stands before. It
// may leave out that it does where their clients or media types have to be taken
// together.
func (e *entry) settles(a, b *entry) bool {
	c, x, y := e.conditions, a.conditions, b.conditions
	return pathsOf(meet(a.pattern, b.pattern), e.pattern).within() &&
		methodsOf(a.methods.and(b.methods), e.methods).within() &&
		follows(c.Headers, x.Headers, y.Headers) && follows(c.Query, x.Query, y.Query) &&
		(clientsOf(x, c).within() || clientsOf(y, c).within()) &&
		(contentTypesOf(x.ContentTypes, c.ContentTypes).within() || contentTypesOf(y.ContentTypes, c.ContentTypes).within())
}

// follows reports whether each of c follows from one of a or b.
func follows(c, a, b []wanted) bool {
	return !slices.ContainsFunc(c, func(w wanted) bool {
		implies := func(v wanted) bool { return v.name == w.name && (!w.hasValue || v == w) }
		return !slices.ContainsFunc(a, implies) && !slices.ContainsFunc(b, implies)
	})
}

// conflict reports whether two entries for the same host may take the same request and
// neither is preferred.
func conflict(a, b *entry) bool {
	paths := preferenceOf(a.pattern, b.pattern)
	if paths == inside || paths == around || paths == apart {
		return false
	}
	methods := methodsOf(a.methods, b.methods)
	if methods == apart || paths == equal && (methods == inside || methods == around) {
		return false
	}
	conditions := conditionsOf(a.conditions, b.conditions)
	if paths == across || methods == across {
		return conditions != apart
	}
	return compareWeights(a.conditions, b.conditions) == 0 && (conditions == equal || conditions == across)
}
