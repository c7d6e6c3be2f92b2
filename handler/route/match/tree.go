package match

import "strings"

// node is a place in the tree of the patterns of a host: what their first segments have
// in common.
type node struct {
	literals map[string]*node
	folded   map[string][]*node  // by their lower case
	kinds    [whatever + 1]*node // literal is none of them
	exact    []*entry
	rest     []*entry
	prefix   []*entry
}

// add adds an entry with the segments of its pattern that are left.
func (n *node) add(e *entry, left []segment) {
	if len(left) == 0 {
		switch e.pattern.end {
		case exact:
			n.exact = append(n.exact, e)
		case rest:
			n.rest = append(n.rest, e)
		case prefix:
			n.prefix = append(n.prefix, e)
		}
		return
	}
	n.child(left[0]).add(e, left[1:])
}

// child returns the node behind s, which is made where there is none yet.
func (n *node) child(s segment) *node {
	if s.kind != literal {
		if n.kinds[s.kind] == nil {
			n.kinds[s.kind] = &node{}
		}
		return n.kinds[s.kind]
	}
	if n.literals[s.text] == nil {
		if n.literals == nil {
			n.literals, n.folded = map[string]*node{}, map[string][]*node{}
		}
		c := &node{}
		n.literals[s.text] = c
		lower := string(toLower([]byte(s.text)))
		n.folded[lower] = append(n.folded[lower], c)
	}
	return n.literals[s.text]
}

// isLeaf reports whether nothing is below n.
func (n *node) isLeaf() bool { return len(n.literals) == 0 && n.kinds == [whatever + 1]*node{} }

// find returns the first entry at n or below it that takes the request, whose path goes
// on with segment i. Each node is visited once at most, as there is one way to it.
func (w *walk) find(n *node, i int) *entry {
	if i == w.path.n {
		if e := w.first(n.exact); e != nil {
			return e
		}
		return w.first(n.prefix)
	}
	if !n.isLeaf() {
		if e := w.below(n, i); e != nil {
			return e
		}
	}
	if e := w.first(n.rest); e != nil {
		return e
	}
	return w.first(n.prefix)
}

// below is find for the nodes below n.
func (w *walk) below(n *node, i int) *entry {
	c := w.children(n, i)
	if c.same != nil {
		if e := w.find(c.same, i+1); e != nil {
			return e
		}
	}
	for _, alike := range c.alike {
		if alike == c.same {
			continue
		}
		if e := w.find(alike, i+1); e != nil {
			return e
		}
	}
	for k, child := range n.kinds {
		if !c.takes[k] {
			continue
		}
		if e := w.find(child, i+1); e != nil {
			return e
		}
	}
	return nil
}

// children are the nodes below one that take a segment.
type children struct {
	same  *node
	alike []*node // but for case
	takes [whatever + 1]bool
}

// children returns the nodes below n that take segment i. All that is asked of the
// segment is asked here: what is below uses the memory of its text.
func (w *walk) children(n *node, i int) (c children) {
	sp := w.path.spans[i]
	raw := w.text[sp.from:sp.to]
	if !w.folding && strings.IndexByte(raw, '%') < 0 {
		c.same = n.literals[raw]
		note(&c, n, raw)
		return c
	}
	text, ok := decode(w.literal[:0], raw, w.decodes)
	if !ok { // no literal is as long, and no number
		c.takes[whatever] = n.kinds[whatever] != nil
		return c
	}
	c.same = n.literals[string(text)]
	note(&c, n, text)
	if w.folding {
		c.alike = n.folded[string(toLower(text))]
	}
	return c
}

// note notes which of n's kinds take text.
func note[T string | []byte](c *children, n *node, text T) {
	for k, child := range n.kinds {
		c.takes[k] = child != nil && takes(kind(k), text)
	}
}

func toLower(text []byte) []byte {
	for i, c := range text {
		text[i] = lower(c)
	}
	return text
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// maxDigits is how many a number has that fits into 64 bits.
const maxDigits = 19

// takes reports whether a segment of kind k may be text.
func takes[T string | []byte](k kind, text T) bool {
	switch k {
	case integer:
		digits := text
		if len(digits) > 0 && digits[0] == '-' {
			digits = digits[1:]
		}
		if len(digits) == 0 || len(digits) > maxDigits {
			return false
		}
		for i := range len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return false
			}
		}
		return true
	case uuid:
		if len(text) != len("00000000-0000-0000-0000-000000000000") {
			return false
		}
		for i := range len(text) {
			isHyphen := i == 8 || i == 13 || i == 18 || i == 23
			if isHyphen != (text[i] == '-') || !isHyphen && !isHex(text[i]) {
				return false
			}
		}
		return true
	}
	return len(text) > 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
