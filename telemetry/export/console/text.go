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

// brief returns a text that all who read a line can see, or as much of it as there is
// room for.
func brief(text string) string {
	if len(text) > longestText && utf8.RuneCountInString(text) > longestText {
		return visible([]byte(string([]rune(text)[:longestText]))) + "…"
	}
	return visible([]byte(text))
}

// shown returns a value as it is shown: within quotes where its end could not be seen.
func shown(value string) string {
	value = brief(value)
	if value == "" || strings.ContainsAny(value, ` "`) {
		return `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
	}
	return value
}
