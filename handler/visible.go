package handler

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible returns text with \u escapes, as JSON has them, for what a terminal
// would not show but obey, or show as something else: control characters (C1 as
// well as C0 and DEL), marks of direction, and whatever else is not printable.
// Line ends and tabs stay. Of JSON it changes no meaning: there they stand for the
// same within a string, and elsewhere such characters do not occur. Without any,
// the result is text itself.
func Visible(text []byte) []byte {
	i := 0
	for i < len(text) && isVisibleASCII(text[i]) {
		i++
	}
	if i == len(text) {
		return text
	}
	shown := append(make([]byte, 0, len(text)+32), text[:i]...)
	for i < len(text) {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case isVisibleASCII(text[i]), size > 1 && unicode.IsPrint(r):
			shown = append(shown, text[i:i+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			shown = fmt.Appendf(shown, `\u%04x\u%04x`, high, low)
		default: // U+FFFD for a byte that is not UTF-8
			shown = fmt.Appendf(shown, `\u%04x`, r)
		}
		i += size
	}
	return shown
}

func isVisibleASCII(b byte) bool { return b >= ' ' && b < 0x7f || b == '\n' || b == '\t' }
