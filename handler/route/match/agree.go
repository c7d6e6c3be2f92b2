package match

// A path is read until that has cost mostSpent, in all readings together: a unit for each
// byte, and aReading for what there is to do beside.
const (
	mostSpent = 64 << 10
	aReading  = 64
)

// shape is what there is in a path that servers differ about.
type shape struct {
	params    bool
	backslash bool
	empty     bool // segments but for the last
	dots      bool // segments of dots
	dotsLast  bool
	script    bool // a segment of a PHP script
}

// traits are what different servers read differently in a path.
type traits struct {
	sent, decoded shape
	capitals      bool
	escapes       bool // of what could stand there itself
	structure     bool // escapes of slashes, dots and semicolons
	two           bool // what is done at once and what one by one may differ
	overlong      bool // encodings that are none of UTF-8, and were taken for slashes and dots
	end           int  // what some take for the end of the path; 0: none
}

// traitsOf looks for what may be read differently. It errs towards more of that.
func traitsOf(path string) (t traits) {
	if isPlain, capitals := plain(path); isPlain {
		return traits{capitals: capitals}
	}
	before := byte('/')
	for i := 1; i < len(path); {
		c, width := path[i], 1
		if c == '%' {
			if d, w := escaped(path[i:]); w > 0 {
				c, width = d, w
				isStructure := c == '/' || c == '\\' || c == '.' || c == ';'
				t.structure = t.structure || isStructure
				t.escapes = t.escapes || isStructure || inPath(c)
			}
		}
		switch {
		case 'A' <= c && c <= 'Z':
			t.capitals = true
		case c == 0, c == '?', c == '#':
			if t.end == 0 {
				t.end = i
			}
		case c == 0xc0, c == 0xc1, before == 0xe0 && 0x80 <= c && c < 0xa0, before == 0xf0 && 0x80 <= c && c < 0x90:
			t.overlong = true
		}
		before = c
		i += width
	}
	t.sent = shapeOf(path, step{})
	t.decoded = t.sent
	t.two = t.structure || t.sent.count() > 1
	if t.structure {
		t.decoded = shapeOf(path, step{decodes: true, splits: true})
	}
	return t
}

// plain reports whether there is nothing in a path that servers differ about, but for
// capitals. It says no where that takes a closer look.
func plain(path string) (isPlain, capitals bool) {
	slash := true // before path[i]
	for i := 1; i < len(path); i++ {
		c := path[i]
		switch {
		case odd[c] == isOdd, slash && (c == '/' || c == '.'):
			return false, false
		case odd[c] == isCapital:
			capitals = true
		}
		slash = c == '/'
		if slash && path[i-1]|0x20 == 'p' && isScript(path[:i]) {
			return false, false
		}
	}
	return true, capitals
}

const (
	isOdd     = 1
	isCapital = 2
)

var odd = func() (set [256]uint8) {
	for c := range set {
		switch {
		case 'A' <= c && c <= 'Z':
			set[c] = isCapital
		case c != '/' && !inPath(byte(c)), c == ';':
			set[c] = isOdd
		}
	}
	return set
}()

// shapeOf looks for what servers differ about where they read characters as st does. It
// takes whatever may end a segment for its end.
func shapeOf(path string, st step) (s shape) {
	from, dots := 1, 0
	inParam := false // which goes up to the next slash that is sent, for some
	ends := func(at int, isLast bool) {
		s.empty = s.empty || at == from && !isLast
		if dots > 0 && dots <= 2 {
			s.dots, s.dotsLast = true, true
		} else if at > from && !inParam {
			s.dotsLast = false
		}
		s.script = s.script || !isLast && isScript(path[from:at])
		dots = 0
	}
	for i := 1; i < len(path); {
		c, width := st.at(path, i)
		if d, w := escaped(path[i:]); w > 0 && d == '.' {
			c, width = d, w
		}
		switch c {
		case '/', '\\', ';':
			s.backslash = s.backslash || c == '\\'
			s.params = s.params || c == ';'
			ends(i, false)
			inParam = c == ';' || inParam && path[i] != '/'
			from = i + width
		case '.':
			if dots >= 0 {
				dots++
			}
		default:
			dots = -1
		}
		i += width
	}
	ends(len(path), true)
	return s
}

// count returns how many things there are that servers differ about.
func (s *shape) count() (n int) {
	for _, is := range [...]bool{s.params, s.backslash, s.empty, s.dots, s.script} {
		if is {
			n++
		}
	}
	return n
}

// choices says how many values each choice of a reading has. The first changes nothing.
type choices struct {
	text, sent, decoded int
	simple              int // readings in which nobody decodes the path for another server
	count               int
}

// readings returns how many ways there are to read a path of these traits.
func (t *traits) readings() (c choices) {
	c = choices{text: 1, sent: t.sent.steps(t.structure), decoded: t.decoded.steps(false)}
	if t.escapes {
		c.text = 2
	}
	c.simple = c.text * c.sent
	if t.two {
		c.simple *= 1 + 2*c.decoded
	}
	c.count = c.simple
	if t.structure && t.decoded.dots && t.decoded.count() > 1 {
		c.count += 2 * c.decoded * 2 * c.decoded
	}
	return c
}

// chooser takes a number apart into choices.
type chooser int

func (c *chooser) choose(n int) int {
	chosen := int(*c) % n
	*c /= chooser(n)
	return chosen
}

// reading returns that of number i. It is not ok where others stand for that one.
func (t *traits) reading(i int, c *choices) (rd reading, ok bool) {
	n := chooser(i)
	if i >= c.simple {
		// Who decodes the path for another server matters if he resolves dots: what there is
		// beside, one does as well as two.
		n -= chooser(c.simple)
		rd.isTwo, rd.text = true, true
		rd.decoded, rd.sent = t.decoding(&n), t.decoding(&n)
		return rd, rd.sent.dots != dotsKept
	}
	rd.text = n.choose(c.text) > 0
	rd.sent = t.sent.step(&n, t.structure)
	if n > 0 {
		n--
		rd.isTwo, rd.decoded = true, t.decoding(&n)
	}
	return rd, true
}

// decoding returns the step that n chooses of those who decode the path.
func (t *traits) decoding(n *chooser) step {
	splits := n.choose(2) == 0
	st := t.decoded.step(n, false)
	st.decodes, st.splits = true, splits
	return st
}

// choices returns how many values each field of a step has.
func (s *shape) choices(escapedDots bool) (params, backslash, script, collapse, dots, decodeDot int) {
	params, backslash, script, collapse, dots, decodeDot = 1, 1, 1, 1, 1, 1
	if s.params {
		params = 2
		if s.backslash {
			params = 3
		}
	}
	if s.backslash {
		backslash = 2
	}
	if s.script {
		script = 2
		if s.params || s.backslash {
			script = 3
		}
		if s.dots {
			script = 4
		}
	}
	if s.empty {
		collapse = 2
	}
	if s.dots {
		dots = 2
		if s.dotsLast {
			dots = 3
		}
		if s.empty {
			collapse = 3
		}
		if escapedDots {
			decodeDot = 2
		}
	}
	return params, backslash, script, collapse, dots, decodeDot
}

// steps returns how many steps there are for a path of that shape.
func (s *shape) steps(escapedDots bool) int {
	params, backslash, script, collapse, dots, decodeDot := s.choices(escapedDots)
	return params * backslash * script * collapse * dots * decodeDot
}

// step returns the one that n chooses.
func (s *shape) step(n *chooser, escapedDots bool) (st step) {
	nParams, nBackslash, nScript, nCollapse, nDots, nDecodeDot := s.choices(escapedDots)
	st.params = params(n.choose(nParams))
	st.backslash = n.choose(nBackslash) > 0
	st.script = script(n.choose(nScript))
	st.collapse = collapse(n.choose(nCollapse))
	st.dots = dots(n.choose(nDots))
	st.decodeDot = n.choose(nDecodeDot) > 0
	return st
}

// agree reports whether the path leads to took's rule in whichever way it is read, and
// also where other is the site, if there is one. Where that would take too long it is
// said not to.
func (w *walk) agree(at, other *site, path string, took *entry) bool {
	if at.simple && (other == nil || other.simple) {
		return other == nil || w.leadsTo(other, took, false, true)
	}
	t := traitsOf(path)
	c := t.readings()
	if t.overlong || took != nil && took.pattern.binds() && (t.sent.dots || t.decoded.dots) {
		return false // where dots are resolved, variables would not be what they are taken for
	}
	folds := (took != nil || w.table.rest) && (t.capitals || w.table.folds)
	if c.count > 1 || folds || w.table.doors || other != nil || w.text != path {
		for i := range c.count {
			rd, ok := t.reading(i, &c)
			if ok && (w.spent > mostSpent || !w.leads(at, other, path, &rd, folds, took)) {
				return false
			}
		}
	}
	return t.end == 0 || w.agree(at, other, path[:t.end], took)
}

// leads reports whether one reading of the path leads to took's rule. Where it does not
// w holds that reading.
func (w *walk) leads(at, other *site, path string, rd *reading, folds bool, took *entry) bool {
	if !w.read(path, rd) {
		return false
	}
	return w.leadsTo(at, took, folds, false) && (other == nil || w.leadsTo(other, took, folds, true))
}

// leadsTo is leads for one site, where the path has been read. isOther says that it is
// the one of those who make nothing of a dot at the end of a host.
func (w *walk) leadsTo(at *site, took *entry, folds, isOther bool) bool {
	e := w.search(at)
	w.dissent.folding = sameRule(e, took) && folds
	w.folding = w.dissent.folding
	if w.folding {
		e = w.search(at)
	}
	if sameRule(e, took) && w.table.doors {
		n, empty := w.path.n, w.path.empty
		if guarded := w.acrossSlash(at); guarded != nil && w.passes(guarded, took) {
			e = guarded
		} else {
			w.path.n, w.path.empty = n, empty // for the other site
		}
	}
	w.folding = false
	if sameRule(e, took) {
		return true
	}
	w.dissent.found, w.dissent.to, w.dissent.isOther = true, e, isOther
	return false
}

// acrossSlash returns the entry that takes the path that has been read with a slash at its
// end where it has none, and without where it has one. That is how w holds it then.
func (w *walk) acrossSlash(at *site) *entry {
	s := &w.path
	last := s.n - 1
	switch {
	case last < 0, last > s.most: // it is longer than what any pattern ends with
		return nil
	case s.spans[last].from < s.spans[last].to:
		s.push(len(w.text), len(w.text))
	case last > 0:
		s.n = last
	}
	doubted := w.doubted
	e := w.search(at)
	w.doubted = doubted
	return e
}

// passes reports whether what goes to took's rule, or to the rest, passes by the door of
// one that is more specific, but for a slash. Who has a pattern for one of the two alone
// means that one.
func (w *walk) passes(guarded, took *entry) bool {
	switch {
	case guarded.door == 0:
		return false
	case took == nil:
		return w.table.rest && guarded.door != w.table.restDoor
	}
	return guarded.door != took.door && guarded.order < took.order && took.pattern.end != exact
}

// dissent is what a reading has led to that is not what it should have.
type dissent struct {
	found            bool
	to               *entry
	folding, isOther bool
}

func sameRule(a, b *entry) bool { return a == b || a != nil && b != nil && a.rule == b.rule }
