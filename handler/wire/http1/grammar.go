package http1

import (
	"encoding/binary"
	"strings"
)

// isToken reports whether s is a token (RFC 9110 §5.6.2), as methods and names of
// fields are.
func isToken(s string) bool {
	if len(s) < 8 {
		return areToken(s) && s != ""
	}
	last := s[len(s)-8:] // which may overlap those before
	for ; len(s) > 8; s = s[8:] {
		if !areLetters(eightOf(s)) && !areToken(s[:8]) {
			return false
		}
	}
	return areLetters(eightOf(last)) || areToken(last)
}

func areToken(s string) bool {
	for i := range len(s) {
		if !inToken[s[i]] {
			return false
		}
	}
	return true
}

var inToken = func() (set [256]bool) {
	for c := range byte(0x7f) {
		set[c] = isLetter(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	}
	return set
}()

// isValue reports whether s can be a field's value (RFC 9110 §5.5).
func isValue(s string) bool {
	if len(s) < 8 {
		return areValue(s)
	}
	last := s[len(s)-8:] // which may overlap those before
	for ; len(s) > 8; s = s[8:] {
		if haveBelow(eightOf(s), ' ') && !areValue(s[:8]) {
			return false
		}
	}
	return !haveBelow(eightOf(last), ' ') || areValue(last)
}

func areValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isVisible reports whether nothing in a target is a blank or a control character.
func isVisible(target []byte) bool {
	if len(target) < 8 {
		return areVisible(target)
	}
	last := target[len(target)-8:] // which may overlap those before
	for ; len(target) > 8; target = target[8:] {
		if haveBelow(binary.LittleEndian.Uint64(target), '!') {
			return false
		}
	}
	return !haveBelow(binary.LittleEndian.Uint64(last), '!')
}

func areVisible(target []byte) bool {
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// each has a one in each of eight bytes, and highest the highest bits of these.
const (
	each    = 0x0101010101010101
	highest = 0x80 * each
)

// eightOf returns the first eight bytes of s as one number.
func eightOf(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// haveBelow reports whether one of eight bytes is less than least, which is of ASCII, or
// is a DEL.
func haveBelow(eight uint64, least byte) bool {
	del := eight ^ 0x7f*each
	return ((eight-uint64(least)*each)&^eight|(del-each)&^del)&highest != 0
}

// areLetters reports whether each of eight bytes is an ASCII letter or a hyphen.
func areLetters(eight uint64) bool {
	small := eight | 0x20*each
	letters := (small + (0x80-'a')*each) &^ (small + (0x80-'z'-1)*each)
	hyphens := ^(eight ^ '-'*each + 0x7f*each)
	return eight&highest == 0 && (letters|hyphens)&highest == highest
}
