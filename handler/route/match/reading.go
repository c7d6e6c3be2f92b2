package match

import (
	"cmp"
	"net/http"
	"strings"

	"spangate/handler/wire/http1"
)

// sentPath returns the path of r as it was sent.
func sentPath(r *http.Request) string {
	target := r.RequestURI
	if target == "" { // none that was received
		target = r.URL.EscapedPath()
	}
	path, _ := http1.SplitTarget(target)
	return cmp.Or(path, "/")
}

// reading is one way in which a path may be read: what is done to it as it was sent, and
// then, by those who decode it before they look at it, or again behind another server,
// to what that has left. The first of them may decode it for the second, which looks at
// what that has left and decodes nothing again. Its zero value changes nothing.
type reading struct {
	sent    step
	isTwo   bool
	decoded step
	text    bool // segments are compared as what they encode
}

// step is what is done to a path at once.
type step struct {
	decodes   bool // escapes are what they encode, slashes only if splits is set
	splits    bool
	decodeDot bool // %2E is a dot in a segment of dots, as in URLs of browsers
	backslash bool // is a slash
	params    params
	script    script
	collapse  collapse
	dots      dots
}

// params says what becomes of what follows a semicolon in a segment.
type params uint8

const (
	paramsKept    params = iota
	paramsDropped        // up to the end of the segment
	paramsToSlash        // up to a slash, whatever a backslash is
)

// script says what becomes of the first segment that is a script of PHP and not the last:
// what follows it is a path for the script.
type script uint8

const (
	scriptKept   script = iota
	scriptFirst         // it goes before dots are resolved
	scriptBefore        // it goes before anything else, with what may be parameters in its name
	scriptLater         // it goes when dots have been resolved
)

// collapse says what becomes of empty segments, but for the last.
type collapse uint8

const (
	emptyKept  collapse = iota
	emptyFirst          // they go before dots are resolved
	emptyLater          // they go when that has been done
)

// dots says what becomes of segments of dots.
type dots uint8

const (
	dotsKept     dots = iota
	dotsResolved      // RFC 3986 §5.2.4: behind one at the end stays a slash
	dotsCleaned       // that goes too, as in path.Clean
)

// segments are the first ones of a reading of a path, no more than matter.
type segments struct {
	most  int // how many of them matter; that there are more does too
	n     int
	spans [maxDepth + 1]span
	empty int32 // segments that have been left out since the last one
	past  bool  // a script
}

type span struct {
	from, to int32
	empty    int32 // how many that are left out stood before it
}

// read reads the path, and says whether it could: where the first step leaves more
// segments than are kept of it, the second would not see all that it has to.
func (w *walk) read(path string, rd *reading) bool {
	w.text, w.decodes = path, rd.text
	w.path.reset(w.most)
	w.spent += aReading
	if !rd.isTwo {
		w.spent += rd.sent.split(&w.path, path, 1, len(path), true)
		return true
	}
	w.sent.reset(maxDepth)
	w.spent += rd.sent.split(&w.sent, path, 1, len(path), true)
	known := min(w.sent.n, len(w.sent.spans))
	for i, sp := range w.sent.spans[:known] {
		w.spent += rd.decoded.split(&w.path, path, int(sp.from), int(sp.to), i == w.sent.n-1)
	}
	return known == w.sent.n || rd.decoded.dots == dotsKept && w.path.n > w.path.most
}

func (s *segments) reset(most int) { s.most, s.n, s.empty, s.past = most, 0, 0, false }

// split adds to s what path[from:to] has between slashes, and returns how much of it that
// has taken to look at. isLast says that nothing follows it.
func (st *step) split(s *segments, path string, from, to int, isLast bool) (read int) {
	begin := from
	for from <= to && (st.dots != dotsKept || s.n <= s.most+1) { // no more of them would matter
		if st.script == scriptBefore && !s.past {
			if end, next := (&step{decodes: st.decodes, splits: st.splits}).segment(path, from, to); (next <= to || !isLast) && isScript(path[from:end]) {
				s.past = true
				from = next
				continue
			}
		}
		end, next := st.segment(path, from, to)
		st.add(s, path[:end], from, isLast && next > to)
		from = next
	}
	if isLast && st.script == scriptLater {
		s.dropScript(path)
	}
	return from - begin
}

// dropScript removes the first segment that is a script, if another one follows.
func (s *segments) dropScript(path string) {
	known := min(s.n, len(s.spans))
	for i, sp := range s.spans[:known] {
		if i < s.n-1 && isScript(path[sp.from:sp.to]) {
			copy(s.spans[i:known], s.spans[i+1:known])
			s.n--
			return
		}
	}
}

// segment returns where the segment that begins at from ends, and where the next one
// begins, which is behind to where it is the last.
func (st *step) segment(path string, from, to int) (end, next int) {
	if !st.splits && !st.backslash {
		if i := strings.IndexByte(path[from:to], '/'); i >= 0 {
			return from + i, from + i + 1
		}
		return to, to + 1
	}
	backslash := st.backslash
	for i := from; i < to; {
		c, width := st.at(path[:to], i)
		if c == '/' || c == '\\' && backslash {
			return i, i + width
		}
		if c == ';' && st.params == paramsToSlash {
			backslash = false
		}
		i += width
	}
	return to, to + 1
}

// at returns the character at path[i] and its width.
func (st *step) at(path string, i int) (c byte, width int) {
	if path[i] != '%' || !st.decodes {
		return path[i], 1
	}
	d, width := escaped(path[i:])
	if width == 0 || !st.splits && (d == '/' || d == '\\') {
		return '%', 1
	}
	return d, width
}

// add adds the segment path[from:].
func (st *step) add(s *segments, path string, from int, isLast bool) {
	if st.params != paramsKept {
		path = path[:from+st.param(path[from:])]
	}
	dots := 0
	if st.dots != dotsKept {
		dots = st.dotsIn(path[from:])
	}
	switch {
	case dots == 2 && s.empty > 0:
		s.empty--
	case dots == 2:
		s.pop()
	case dots == 1:
	case st.script == scriptFirst && !isLast && !s.past && isScript(path[from:]):
		s.past = true
	case from < len(path) || isLast || st.collapse == emptyKept:
		s.push(from, len(path))
	case st.collapse == emptyLater:
		s.empty++
	}
	if dots > 0 && isLast && (st.dots == dotsResolved || s.n == 0) {
		s.push(len(path), len(path))
	}
}

func (s *segments) push(from, to int) {
	if s.n < len(s.spans) {
		s.spans[s.n] = span{int32(from), int32(to), s.empty}
	} else {
		s.n += int(s.empty) // all that matters of them is how many have to go
	}
	s.n++
	s.empty = 0
}

func (s *segments) pop() {
	if s.n == 0 {
		return
	}
	if s.n--; s.n < len(s.spans) {
		s.empty = s.spans[s.n].empty
	}
}

// param returns where the parameters of a segment begin.
func (st *step) param(segment string) int {
	for i := 0; i < len(segment); {
		c, width := st.at(segment, i)
		if c == ';' {
			return i
		}
		i += width
	}
	return len(segment)
}

// dotsIn returns how many dots a segment is, or 0.
func (st *step) dotsIn(segment string) (dots int) {
	if len(segment) > 2*len("%2e") {
		return 0
	}
	for i := 0; i < len(segment); {
		c, width := st.at(segment, i)
		if d, w := escaped(segment[i:]); st.decodeDot && w > 0 {
			c, width = d, w
		}
		if c != '.' || dots == 2 {
			return 0
		}
		dots++
		i += width
	}
	return dots
}

// isScript reports whether a segment names a script of PHP, in whatever way it is written.
func isScript(segment string) bool {
	for _, want := range [...]byte{'p', 'h', 'p', '.'} {
		end := len(segment) - 1
		if end < 0 {
			return false
		}
		c := segment[end]
		if end >= 2 && segment[end-2] == '%' {
			if d, width := escaped(segment[end-2:]); width > 0 {
				c, end = d, end-2
			}
		}
		if lower(c) != want {
			return false
		}
		segment = segment[:end]
	}
	return true
}

// decode appends to memory what a segment encodes, or with all unset only those bytes of
// it that may not stand in a path. It is not ok where the memory is too small.
func decode(memory []byte, segment string, all bool) (text []byte, ok bool) {
	for i := 0; i < len(segment); {
		c, width := segment[i], 1
		if c == '%' {
			if d, n := escaped(segment[i:]); n > 0 && (all || !inPath(d)) {
				c, width = d, n
			}
		}
		if len(memory) == cap(memory) {
			return memory, false
		}
		memory = append(memory, c)
		i += width
	}
	return memory, true
}

// inPath reports whether a path may hold c itself. Brackets may not (RFC 3986 §3.3),
// and pass all the same.
func inPath(c byte) bool {
	return '!' <= c && c <= '~' && !strings.ContainsRune("\"#%<>?\\^`{|}", rune(c))
}

// escaped returns what s, which begins with a percent sign, encodes there, and how long
// that is: 0 where it encodes nothing.
func escaped(s string) (c byte, width int) {
	if len(s) < 3 || s[0] != '%' || !isHex(s[1]) || !isHex(s[2]) {
		return '%', 0
	}
	return unhex(s[1])<<4 | unhex(s[2]), 3
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
