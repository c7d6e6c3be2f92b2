package handler

import (
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
		default: // U+FFFD for a byte that is not UTF-8
			shown = appendEscape(shown, r)
		}
		i += size
	}
	return shown
}

func isVisibleASCII(b byte) bool { return b >= ' ' && b < 0x7f || b == '\n' || b == '\t' }

// AppendJSON appends text to b as a string of JSON, in which nothing is hidden: what
// [Visible] escapes is escaped. A byte that is not UTF-8 becomes U+FFFD.
func AppendJSON(b []byte, text string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); {
		if c := text[i]; ' ' <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if size > 1 && unicode.IsPrint(r) {
			i += size
			continue
		}
		b = append(b, text[from:i]...)
		i += size
		from = i
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = appendEscape(b, r)
		}
	}
	return append(append(b, text[from:]...), '"')
}

// appendEscape appends r as JSON escapes it.
func appendEscape(b []byte, r rune) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendEscape(appendEscape(b, high), low)
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
