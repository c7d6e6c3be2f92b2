package match

import (
	"net/http"
	"strings"
)

// sentPath returns the path of r as it was sent.
func sentPath(r *http.Request) string {
	target := r.RequestURI
	switch {
	case target == "": // none that was received
		return r.URL.EscapedPath()
	case target[0] != '/':
		_, behind, found := strings.Cut(target, "://")
		at := strings.IndexAny(behind, "/?")
		if !found || at < 0 {
			return "/"
		}
		target = behind[at:]
	}
	if at := strings.IndexByte(target, '?'); at >= 0 {
		target = target[:at]
	}
	if target == "" {
		return "/"
	}
	return target
}

// reading is one way in which a server may read a path.
type reading struct {
	decode   decoding
	params   params
	collapse collapse
	// backslash is set where one is a slash.
	backslash bool
	// dots is set where . and .. are resolved, and unslashed where one of them at the
	// end leaves no slash there, as in path.Clean.
	dots, unslashed bool
}

// decoding says which escapes a server decodes before it looks for slashes and dots.
type decoding uint8

const (
	asSent decoding = iota // none but those of bytes that may not stand in a path
	ofDots                 // %2E, as a dot segment may be written in a URL of browsers
	ofText                 // all but slash and backslash
	ofAll
)

// params says what becomes of what follows a semicolon in a segment.
type params uint8

const (
	kept    params = iota
	dropped        // before anything is decoded
	gone           // also where the semicolon was encoded
)

// collapse says what becomes of empty segments.
type collapse uint8

const (
	emptyKept  collapse = iota
	emptyFirst          // they go before dots are resolved
	emptyLater          // they go when that has been done
)

// segments are those of one reading of a path, as far as patterns are deep and one more.
type segments struct {
	path   string
	decode decoding
	n      int
	spans  [maxDepth + 1]span
}

type span struct {
	from, to int
	empty    int // how many that are left out stood before it
}

// read fills s with what rd makes of path.
func (s *segments) read(path string, rd reading) {
	s.path, s.decode, s.n = path, rd.decode, 0
	empty := 0 // segments that have been left out since the last one
	for from := 1; from <= len(path); {
		to, next := rd.segment(path, from)
		isLast := next > len(path)
		end := to
		if rd.params != kept {
			end = rd.cut(path, from, to)
		}
		dots := rd.dotsIn(path[from:end])
		switch {
		case dots == 2 && empty > 0:
			empty--
		case dots == 2 && s.n > 0:
			empty = s.pop()
		case dots == 0 && (from < end || isLast || rd.collapse == emptyKept):
			s.push(from, end, empty)
			empty = 0
		case dots == 0 && rd.collapse == emptyLater:
			empty++
		}
		if dots > 0 && isLast && !(rd.unslashed && s.n > 0) {
			s.push(end, end, 0)
		}
		from = next
	}
}

func (s *segments) push(from, to, empty int) {
	if s.n < len(s.spans) {
		s.spans[s.n] = span{from, to, empty}
	} else {
		s.n += empty // all that matters of them is how many have to go
	}
	s.n++
}

// pop removes the last segment and returns how many were left out before it.
func (s *segments) pop() (empty int) {
	s.n--
	if s.n < len(s.spans) {
		return s.spans[s.n].empty
	}
	return 0
}

// segment returns where the segment that begins at from ends, and where the next one
// begins, which is behind the path where it is the last.
func (rd *reading) segment(path string, from int) (to, next int) {
	if !rd.backslash && rd.decode != ofAll {
		if i := strings.IndexByte(path[from:], '/'); i >= 0 {
			return from + i, from + i + 1
		}
		return len(path), len(path) + 1
	}
	for i := from; i < len(path); {
		c, width := rd.at(path, i)
		if c == '/' || c == '\\' && rd.backslash {
			return i, i + width
		}
		i += width
	}
	return len(path), len(path) + 1
}

// at returns the character at path[i] and its width.
func (rd *reading) at(path string, i int) (c byte, width int) {
	c = path[i]
	if c != '%' || rd.decode == asSent {
		return c, 1
	}
	d, width := escaped(path[i:])
	switch {
	case width == 0, rd.decode == ofDots && d != '.', rd.decode == ofText && (d == '/' || d == '\\'):
		return c, 1
	}
	return d, width
}

// cut returns where what belongs to the segment from path[from:to] ends.
func (rd *reading) cut(path string, from, to int) int {
	for i := from; i < to; i++ {
		if path[i] == ';' || rd.params == gone && strings.HasPrefix(path[i:to], "%3") && i+2 < to && path[i+2]|0x20 == 'b' {
			return i
		}
	}
	return to
}

// dotsIn returns how many dots a segment is that rd resolves, or 0.
func (rd *reading) dotsIn(s string) (dots int) {
	if !rd.dots || len(s) > 2*len("%2e") {
		return 0
	}
	for i := 0; i < len(s); {
		c, width := rd.at(s, i)
		if c != '.' || dots == 2 {
			return 0
		}
		dots++
		i += width
	}
	return dots
}

// text appends segment i, decoded, to memory. It is not ok where that is too small.
func (s *segments) text(i int, memory []byte) (text []byte, ok bool) {
	sp := s.spans[i]
	for at := sp.from; at < sp.to; {
		c, width := s.path[at], 1
		if c == '%' {
			if d, w := escaped(s.path[at:sp.to]); w > 0 && (s.decode >= ofText || !inPath(d)) {
				c, width = d, w
			}
		}
		if len(memory) == cap(memory) {
			return memory, false
		}
		memory = append(memory, c)
		at += width
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
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
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
