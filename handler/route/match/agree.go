package match

// mostRead is how many bytes are read of a path, in all readings together, to see
// whether they agree.
const mostRead = 256 << 10

// traits are what different servers read differently in a path.
type traits struct {
	escapes    bool // of what could stand there itself
	separators bool // escaped
	dotEscapes bool
	params     bool
	backslash  bool
	empty      bool // segments but for the last
	dots       bool // segments of dots
	capitals   bool
	overlong   bool // encodings that are none of UTF-8, and were taken for slashes and dots
	end        int  // what some take for the end of the path; 0: none
}

// traitsOf looks for what may be read differently. It errs towards more of that.
func traitsOf(path string) (t traits) {
	length, dots := 0, 0 // of a segment
	for i := 1; i < len(path); {
		c, width := path[i], 1
		if c == '%' {
			if d, w := escaped(path[i:]); w > 0 {
				c, width = d, w
				t.escape(c)
			}
		}
		switch c {
		case '/', '\\', ';':
			t.backslash = t.backslash || c == '\\'
			t.params = t.params || c == ';'
			t.empty = t.empty || length == 0
			t.dots = t.dots || isDots(length, dots)
			length, dots = -1, 0
		case '.':
			dots++
		case 0, '?', '#':
			if t.end == 0 {
				t.end = i
			}
			t.dots = t.dots || isDots(length, dots)
		case 0xc0, 0xc1:
			t.overlong = true
		default:
			t.capitals = t.capitals || 'A' <= c && c <= 'Z'
		}
		length++
		i += width
	}
	t.dots = t.dots || isDots(length, dots)
	return t
}

func isDots(length, dots int) bool { return length == dots && 0 < dots && dots <= 2 }

// escape notes that c was escaped.
func (t *traits) escape(c byte) {
	isSeparator := c == '/' || c == '\\'
	t.escapes = t.escapes || isSeparator || inPath(c)
	t.separators = t.separators || isSeparator
	t.dotEscapes = t.dotEscapes || c == '.'
}

// readings returns in which ways servers may read a path of these traits, as choices
// that are made one by one. The first of each changes nothing.
func (t *traits) readings() (all choices) {
	all.decodings = 1
	for _, also := range [...]struct {
		is bool
		decoding
	}{{t.escapes, ofAll}, {t.separators, ofText}, {t.dotEscapes && t.dots, ofDots}} {
		if also.is {
			all.decoding[all.decodings] = also.decoding
			all.decodings++
		}
	}
	all.params, all.backslash, all.collapse, all.dots = 1, 1, 1, 1
	if t.params {
		all.params = 2
		if t.escapes {
			all.params = 3
		}
	}
	if t.backslash {
		all.backslash = 2
	}
	if t.dots {
		all.dots = 3
	}
	if t.empty {
		all.collapse = 2
		if t.dots {
			all.collapse = 3
		}
	}
	return all
}

// choices says how many values each field of a reading may have.
type choices struct {
	decodings, params, backslash, collapse, dots int

	decoding [ofAll + 1]decoding
}

func (c *choices) count() int {
	return c.decodings * c.params * c.backslash * c.collapse * c.dots
}

// reading returns that of number i.
func (c *choices) reading(i int) (rd reading) {
	choose := func(n int) (chosen int) {
		i, chosen = i/n, i%n
		return chosen
	}
	rd.decode = c.decoding[choose(c.decodings)]
	rd.params = params(choose(c.params))
	rd.backslash = choose(c.backslash) > 0
	rd.collapse = collapse(choose(c.collapse))
	dots := choose(c.dots)
	rd.dots, rd.unslashed = dots > 0, dots > 1
	return rd
}

// agree reports whether the path leads to took's rule in whichever way it is read, and
// also where other is the site, if there is one. Where that would take too long it is
// said not to.
func (w *walk) agree(at, other *site, path string, took *entry) bool {
	if at.simple && other == nil {
		return true
	}
	t := traitsOf(path)
	all := t.readings()
	if t.overlong || all.count()*len(path) > mostRead {
		return false
	}
	folds := took != nil && (t.capitals || w.table.folds)
	if all.count() == 1 && t.end == 0 && !folds && other == nil {
		return true
	}
	for i := range all.count() {
		rd := all.reading(i)
		if !w.leads(at, other, path, rd, folds, took) || t.end > 0 && !w.leads(at, other, path[:t.end], rd, folds, took) {
			return false
		}
	}
	return true
}

// leads reports whether one reading of the path leads to took's rule.
func (w *walk) leads(at, other *site, path string, rd reading, folds bool, took *entry) bool {
	w.path.read(path, rd)
	for ; at != nil; at, other = other, nil {
		if !sameRule(w.search(at), took) {
			return false
		}
		if folds {
			w.folding = true
			e := w.search(at)
			w.folding = false
			if !sameRule(e, took) {
				return false
			}
		}
	}
	return true
}

func sameRule(a, b *entry) bool { return a == b || a != nil && b != nil && a.rule == b.rule }
