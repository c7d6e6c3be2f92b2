package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// span is what collectors of any kind know of a span.
type span struct {
	id, parent         string   // hexadecimal; no parent: empty
	links              []string // span ids
	name, kind, status string   // such as GET, SERVER, Unset
	attributes         map[string]string
	start, end         time.Time
}

// shown are the attributes that a tree shows, in this order.
var shown = []string{
	"http.response.status_code", "error.type", "http.request.resend_count",
	"spangate.retry.stop_reason", "spangate.retry.reason", "spangate.retry.attempt",
	"spangate.rate_limit.result", "spangate.probe.type",
	"spangate.backend.state", "spangate.backend.reason",
}

// tree renders spans as text that begins with a line's end: a line for each,
// children indented under their parent, siblings in the order in which they
// began. A link is the number of the line that it points to. Of protocols those
// are shown that are not HTTP/1.1.
func tree(spans []span) string {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(a.start.Compare(b.start), a.end.Compare(b.end), cmp.Compare(a.name, b.name))
	})
	known := make(map[string]bool)
	for _, s := range spans {
		known[s.id] = true
	}
	var walk func(parent string, depth int, visit func(span, int))
	walk = func(parent string, depth int, visit func(span, int)) {
		for _, s := range spans {
			if s.parent == parent || parent == "" && !known[s.parent] {
				visit(s, depth)
				walk(s.id, depth+1, visit)
			}
		}
	}
	lines := make(map[string]string)
	walk("", 0, func(s span, _ int) { lines[s.id] = fmt.Sprint(len(lines) + 1) })

	text := "\n"
	walk("", 0, func(s span, depth int) {
		words := []string{s.name, s.kind, s.status}
		for _, key := range shown {
			if value, ok := s.attributes[key]; ok {
				words = append(words, key+"="+value)
			}
		}
		if version := s.attributes["network.protocol.version"]; version == "2" {
			words = append(words, "network.protocol.version="+version)
		}
		if s.parent != "" && !known[s.parent] {
			words = append(words, "parent=elsewhere")
		}
		for _, id := range s.links {
			words = append(words, "link="+cmp.Or(lines[id], "elsewhere"))
		}
		text += strings.Repeat("  ", depth) + strings.Join(words, " ") + "\n"
	})
	return text
}
