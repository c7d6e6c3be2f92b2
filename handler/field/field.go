// Package field answers: what does a header field mean to a proxy, and where may
// it stand?
//
// The one rule of this package holds wherever a field stands, in a header or a
// trailer, over HTTP/1.1 and HTTP/2, from clients and from backends: what a proxy
// reads, writes or vouches for in the header comes neither under another name nor
// behind the content, and no Connection field removes it.
package field

import (
	"iter"
	"net/http"
	"net/textproto"
	"strings"
)

// Set is the fields that are known: those of HTTP, those that say whom a request
// comes from, and those that a configuration adds. The zero value has no such
// addition. It is safe for concurrent use.
type Set struct {
	own map[string]string // as they are written, by their canonical names
}

// NewSet returns a set with the fields of those names among what the proxy reads,
// writes or vouches for. Empty names are passed over.
func NewSet(own ...string) Set {
	s := Set{own: make(map[string]string, len(own))}
	for _, name := range own {
		if name != "" {
			s.own[Canonical(name)] = http.CanonicalHeaderKey(name)
		}
	}
	return s
}

// Canonical returns the name, in canonical form, of the field that some program
// would take one of this name for. CGI and what descends from it cannot tell an
// underscore, or any other character that is no letter or digit, from a hyphen.
func Canonical(name string) string {
	if isCanonical(name) {
		return name
	}
	if !isPlain(name) {
		b := []byte(name)
		for i, c := range b {
			if !plain[c] {
				b[i] = '-'
			}
		}
		name = string(b)
	}
	return http.CanonicalHeaderKey(name)
}

// isCanonical reports whether a plain name is in its canonical form.
func isCanonical(name string) bool {
	begins := true // a word
	for i := range len(name) {
		c := name[i]
		if !plain[c] || begins && 'a' <= c && c <= 'z' || !begins && 'A' <= c && c <= 'Z' {
			return false
		}
		begins = c == '-'
	}
	return true
}

// isPlain reports whether nobody would take a field of that name for another one.
func isPlain(name string) bool {
	for i := range len(name) {
		if !plain[name[i]] {
			return false
		}
	}
	return true
}

var plain = func() (set [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-" {
		set[c] = true
	}
	return set
}()

// InTrailer reports whether a field may stand behind the content: whether nobody
// here would have read, written or removed it in the header (RFC 9110 §6.5.1).
func (s Set) InTrailer(name string) bool {
	k := s.kindOf(Canonical(name))
	return k == unknown || k == anywhere
}

// IsAlias reports whether a field, whose name is as net/http writes it, is not one
// of those that are known and would be taken for one. What an intermediary understands in one way and its backend in
// another has to end here.
func (s Set) IsAlias(name string) bool {
	if isPlain(name) {
		return false
	}
	canonical := Canonical(name)
	if s.own[canonical] == name {
		return false
	}
	k := s.kindOf(canonical)
	return k == hop || k == header
}

// Options yields the fields that lines of Connection name and that end here
// because of it (RFC 9110 §7.6.1). Fields that are for all recipients are not
// among them: a sender must not name those, and one that does would make the
// proxies behind it forget what those before it have written.
func (s Set) Options(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for option := range strings.SplitSeq(line, ",") {
				name := http.CanonicalHeaderKey(textproto.TrimString(option))
				if name == "" || s.kindOf(Canonical(name)) != unknown {
					continue
				}
				if !yield(name) {
					return
				}
			}
		}
	}
}

// EndsHere reports whether the field of that canonical name is for the next hop
// only, whether Connection names it or not.
func EndsHere(canonical string) bool { return hops.has(canonical) }

// EndHop removes from h, the header of a message that goes on, what is meant for
// the next hop only: the fields that Connection names, Connection itself and its
// like. It also removes what would be taken for another field.
func (s Set) EndHop(h http.Header) {
	for name := range s.Options(h["Connection"]) {
		delete(h, name)
	}
	for name := range h {
		if EndsHere(name) || s.IsAlias(name) {
			delete(h, name)
		}
	}
}
