package telemetry

import "unicode/utf8"

// textLimit bounds, in bytes, what a span keeps of a text that a client sent; 0
// sets no bound.
type textLimit int

// text returns what a span may keep of s. What ends the span writes it: nothing keeps
// the header, line or name that it is a part of.
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
	return s[:end]
}
