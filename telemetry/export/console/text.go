package console

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"spangate/handler"
)

// longestText is how much is shown of a text, in characters.
const longestText = 200

// visible returns a text as it may stand in a line: all that is not printable,
// line ends and tabs too, as escapes.
func visible(text []byte) string {
	if bytes.ContainsAny(text, "\n\t") {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\n"), []byte(`\n`)), []byte("\t"), []byte(`\t`))
	}
	return string(handler.Visible(text))
}

// shown returns a value as it is shown: cut when it is too long, and within quotes
// where its end could not be seen.
func shown(value string) string {
	cut := len(value) > longestText && utf8.RuneCountInString(value) > longestText
	if cut {
		value = string([]rune(value)[:longestText])
	}
	value = visible([]byte(value))
	if value == "" || strings.ContainsAny(value, ` "`) {
		value = `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
	}
	if cut {
		value += "…"
	}
	return value
}
