package telemetry

import (
	"strings"
	"unicode/utf8"
)

// text returns what a span may keep of s, which a client sent: so many bytes as
// texts may have characters, in memory of their own if that is not all of it.
// The SDK cuts too, but keeps the whole header, line or name alive behind what
// it leaves, and a queue of spans then holds as much as clients like to send.
func (t *Telemetry) text(s string) string {
	if t.longestText <= 0 || len(s) <= t.longestText {
		return s
	}
	end := t.longestText
	for range utf8.UTFMax - 1 { // more than that are no character
		if utf8.RuneStart(s[end]) || end == 0 {
			break
		}
		end--
	}
	return strings.Clone(s[:end])
}

// part is text for a part of a text of so many bytes.
func (t *Telemetry) part(s string, whole int) string {
	if cut := t.text(s); len(cut) < len(s) || t.longestText <= 0 || whole <= t.longestText {
		return cut
	}
	return strings.Clone(s)
}
