package match

import (
	"errors"
	"math/bits"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Table says which rule takes a request. It does not change, and is safe for
// concurrent use. [Compile] makes one.
type Table struct {
	entries    []*entry // in match order
	methods    map[string]methodSet
	names      []string // of the methods, by their bits
	exactly    map[string]*site
	wildcards  map[string]*site // what follows the asterisk
	any        *site
	namesHosts bool
	depth      int  // the most segments of a pattern
	folds      bool // a pattern has capitals in its path
	rest       bool // what no rule takes goes somewhere
	restDoor   Door // by which it gets there
	doors      bool // a slash at the end may lead past one
}

// entry is one pattern of a rule.
type entry struct {
	rule       int
	name       string
	door       Door
	pattern    *Pattern
	methods    methodSet // 0: all
	conditions *Config
	order      int // among all entries, those that are more specific first
	id         int // of the conditions, from 1; 0: none
}

const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// methodSet is a set of the methods that some pattern names.
type methodSet uint64

// site is what there is for a host or a wildcard.
type site struct {
	root   node
	next   *site // the next one that the host belongs to, by precedence
	simple bool  // the path does not matter, here and further on
}

// Compile makes the table of rules. Its error joins one for each two rules that may
// take the same request and of which neither is more specific. rest, of which the door
// matters alone, is who answers what no rule takes, and is not to get what another reading,
// be it one without regard to case, leads to a rule; nil: nobody does.
func Compile(rules []Rule, rest *Rule) (*Table, error) {
	t := &Table{rest: rest != nil, methods: map[string]methodSet{}, exactly: map[string]*site{}, wildcards: map[string]*site{}, any: &site{}}
	if rest != nil {
		t.restDoor = rest.Door
	}
	if err := t.enter(rules); err != nil {
		return nil, err
	}
	for i, e := range t.entries {
		e.order = i
		t.depth = max(t.depth, len(e.pattern.segments))
		t.namesHosts = t.namesHosts || e.pattern.host != ""
		t.folds = t.folds || slices.ContainsFunc(e.pattern.segments, func(s segment) bool { return s.kind == literal && strings.ContainsAny(s.text, capitals) })
		t.siteOf(e.pattern).root.add(e, e.pattern.segments)
	}
	t.link()
	return t, nil
}

// Check returns the error of [Compile].
func Check(rules []Rule) error {
	return (&Table{methods: map[string]methodSet{}}).enter(rules)
}

// enter makes the entries of rules, in match order.
func (t *Table) enter(rules []Rule) error {
	conditional := 0
	for i, rule := range rules {
		id := 0
		if rule.Config.conditional() {
			conditional++
			id = conditional
		}
		for _, p := range rule.Config.Patterns {
			methods, err := t.methodsOf(p)
			if err != nil {
				return err
			}
			t.entries = append(t.entries, &entry{i, rule.Name, rule.Door, p, methods, rule.Config, 0, id})
			t.doors = t.doors || rule.Door != 0 && p.end != prefix
		}
	}
	sortEntries(t.entries)
	return conflicts(t.entries)
}

var errMethods = errors.New("more than 64 different methods in patterns")

// methodsOf returns the set of the methods that p names.
func (t *Table) methodsOf(p *Pattern) (set methodSet, err error) {
	for _, method := range p.methods {
		bit, ok := t.methods[method]
		if !ok {
			if len(t.names) == 64 {
				return 0, errMethods
			}
			bit = 1 << len(t.names)
			t.methods[method] = bit
			t.names = append(t.names, method)
		}
		set |= bit
	}
	return set, nil
}

// allow lists methods as the field Allow does.
func (t *Table) allow(set methodSet) string {
	var names []string
	for ; set != 0; set &= set - 1 {
		names = append(names, t.names[bits.TrailingZeros64(uint64(set))])
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// siteOf returns the site of a pattern's host, which is made where there is none yet.
func (t *Table) siteOf(p *Pattern) *site {
	sites := t.exactly
	switch {
	case p.host == "":
		return t.any
	case p.wildcard:
		sites = t.wildcards
	}
	if sites[p.host] == nil {
		sites[p.host] = &site{}
	}
	return sites[p.host]
}

// link says of each site where to go on, and of which the path does not matter.
func (t *Table) link() {
	for host, s := range t.exactly {
		s.next = t.wildcard([]byte(host))
	}
	for host, s := range t.wildcards {
		s.next = t.wildcard([]byte(host[1:]))
	}
	for _, sites := range []map[string]*site{t.exactly, t.wildcards, {"": t.any}} {
		for _, s := range sites {
			s.simple = true
			for at := s; at != nil; at = at.next {
				s.simple = s.simple && at.root.isLeaf() && len(at.root.exact)+len(at.root.rest) == 0
			}
		}
	}
}

// site returns where to look first for what takes requests for a host.
func (t *Table) site(host []byte) *site {
	if s := t.exactly[string(host)]; s != nil {
		return s
	}
	return t.wildcard(host)
}

// wildcard returns the site of the longest wildcard that a host belongs to, or that of
// all hosts.
func (t *Table) wildcard(host []byte) *site {
	if len(t.wildcards) == 0 {
		return t.any
	}
	for i := 1; i < len(host); i++ {
		if host[i] != '.' {
			continue
		}
		if s := t.wildcards[string(host[i:])]; s != nil {
			return s
		}
	}
	return t.any
}

// search returns the first entry of at, or further on, that takes the request.
func (w *walk) search(at *site) *entry {
	for ; at != nil; at = at.next {
		if e := w.find(&at.root, 0); e != nil {
			return e
		}
	}
	return nil
}

// walk is one look-up.
type walk struct {
	table   *Table
	request *http.Request
	client  netip.Addr
	method  methodSet
	allowed methodSet
	folding bool // literals are compared without regard to case

	text    string // the path that is read
	decodes bool   // of what its segments are compared
	path    segments
	sent    segments // after the first of two steps
	most    int      // how many segments matter
	spent   int      // on readings, see mostSpent
	dissent dissent
	known   [maxKnown]uint64   // which conditions have been looked at
	hold    [maxKnown]uint64   // and hold
	unclear [maxKnown]uint64   // or may
	doubts  [mostDoubts]*entry // that take the request unless a condition fails of which it is unclear whether it holds
	doubted int
	host    [maxHost]byte
	literal [maxLiteral]byte
}

// walk returns a look-up for r, which came from client.
func (t *Table) walk(r *http.Request, client netip.Addr) walk {
	method := r.Method
	if method == http.MethodConnect {
		method = http.MethodGet
	}
	return walk{table: t, request: r, client: client, method: t.methods[method], most: t.depth}
}

const (
	maxKnown   = 4   // words of conditions that are looked at once for a request
	maxLiteral = 256 // bytes of a segment that are compared
)

// standing returns whether the conditions of e hold, but for its method.
func (w *walk) standing(e *entry) standing {
	if e.id == 0 {
		return holds
	}
	word, bit := e.id/64, uint64(1)<<(e.id%64)
	if word < maxKnown && w.known[word]&bit != 0 {
		switch {
		case w.hold[word]&bit != 0:
			return holds
		case w.unclear[word]&bit != 0:
			return unclear
		}
		return fails
	}
	c := e.conditions
	s := fails
	if c.Clients.hold(w.client) {
		s = min(c.Headers.standing(w.request), c.ContentTypes.standing(w.request), c.Query.standing(w.request))
	}
	if word < maxKnown {
		w.known[word] |= bit
		switch s {
		case holds:
			w.hold[word] |= bit
		case unclear:
			w.unclear[word] |= bit
		}
	}
	return s
}

func (c *Config) conditional() bool {
	return len(c.Headers) > 0 || len(c.Query) > 0 || len(c.ContentTypes) > 0 || !c.Clients.IsZero()
}

// first returns the first of entries, which are in match order and whose paths all
// match, that takes the request. Those before it of which that is unclear are doubts.
func (w *walk) first(entries []*entry) *entry {
	for _, e := range entries {
		switch s := w.standing(e); {
		case s == fails:
		case e.methods != 0 && e.methods&w.method == 0:
			if s == holds {
				w.allowed |= e.methods
			}
		case s == unclear:
			w.doubt(e)
		default:
			return e
		}
	}
	return nil
}

// mostDoubts is how many rules are known to be in doubt.
const mostDoubts = 8

// doubt notes that e may take the request. Of a rule one is enough.
func (w *walk) doubt(e *entry) {
	for i, other := range w.doubts {
		switch {
		case other == nil:
			w.doubts[i] = e
			w.doubted++
			return
		case other.rule == e.rule:
			return
		}
	}
	w.doubted = mostDoubts + 1
}

// another returns what is in doubt and of another rule than that, or nil.
func (w *walk) another(rule int) *entry {
	for _, e := range w.doubts {
		if e != nil && e.rule != rule {
			return e
		}
	}
	return nil
}
