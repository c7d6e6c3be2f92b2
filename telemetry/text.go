package telemetry

import (
	"strings"
	"unicode/utf8"
)

// textLimit bounds, in bytes, what a span keeps of a text that a client sent; 0
// sets no bound.
type textLimit int

// text returns what a span may keep of s, in memory of its own if that is not all
// of it.
// The SDK cuts too, but keeps the whole header, line or name alive behind what
// it leaves, and a queue of spans then holds as much as clients like to send.
func (l textLimit) text(s string) string {
	if l <= 0 || len(s) <= int(l) {
		return s
	}
	end := int(l)
	for range utf8.UTFMax - 1 { // more than that are no character
		if utf8.RuneStart(s[end]) || end == 0 {
			break
		}
		end--
	}
	return strings.Clone(s[:end])
}

// part is text for a part of a text of so many bytes.
func (l textLimit) part(s string, whole int) string {
	if cut := l.text(s); len(cut) < len(s) || l <= 0 || whole <= int(l) {
		return cut
	}
	return strings.Clone(s)
}
