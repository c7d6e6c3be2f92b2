package otlptest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tree renders spans as a text for people and golden files: one line for each,
// children indented under their parent in the order in which they started,
//
//	GET SERVER Unset
//	  GET CLIENT Error error.type=connection_refused
//	  GET CLIENT Unset http.request.resend_count=1 link=2
//
// with the values of the named attributes alone. A span whose parent is not
// among them is a root. Identifiers are left out; a link names the line that it
// points to, or "elsewhere".
func Tree(spans []Span, attrs ...string) string {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int {
		// Clocks may be too coarse to tell two starts apart.
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.Name, b.Name))
	})
	known := map[string]bool{}
	for _, span := range spans {
		known[span.SpanID] = span.SpanID != ""
	}
	children := map[string][]Span{}
	for _, span := range spans {
		parent := span.ParentID
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], span)
	}

	t := tree{attrs: attrs, children: children, lines: map[string]int{}}
	t.walk("", func(span Span, _ int) { t.lines[span.SpanID] = len(t.lines) + 1 })
	var b strings.Builder
	t.walk("", func(span Span, depth int) {
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", depth), t.line(span))
	})
	return b.String()
}

type tree struct {
	attrs    []string
	children map[string][]Span
	lines    map[string]int // by span
}

func (t tree) walk(root string, visit func(span Span, depth int)) {
	var down func(parent string, depth int)
	down = func(parent string, depth int) {
		for _, span := range t.children[parent] {
			visit(span, depth)
			// A span without an identifier is nobody's parent, least of all
			// that of the roots.
			if span.SpanID != "" {
				down(span.SpanID, depth+1)
			}
		}
	}
	down(root, 0)
}

func (t tree) line(span Span) string {
	words := []string{span.Name, span.Kind, span.Status}
	for _, key := range t.attrs {
		if value, ok := span.Attributes[key]; ok {
			words = append(words, fmt.Sprintf("%s=%v", key, value))
		}
	}
	for _, link := range span.Links {
		to := "elsewhere"
		if n, ok := t.lines[link.SpanID]; ok {
			to = fmt.Sprint(n)
		}
		words = append(words, "link="+to)
	}
	return strings.Join(words, " ")
}
