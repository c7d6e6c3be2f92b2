package console

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Widths of the columns, the space after them included.
const (
	nameWidth = 26
	kindWidth = 9
	tookWidth = 9
)

// tree is a span and what was done in it.
type tree struct {
	*span
	children []tree
	note     string // why it stands without its parent; empty: it is a root
}

// render returns the lines of trees of one trace.
func render(trees []tree, s style) string {
	b := block{style: s, spans: map[spanID]*span{}}
	b.know(trees)
	for _, t := range sorted(trees) {
		b.tree(t, "", "")
	}
	return b.String()
}

// sorted sorts trees by when they began.
func sorted(trees []tree) []tree {
	slices.SortStableFunc(trees, func(a, b tree) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	return trees
}

// block is the lines of trees, one for each span.
type block struct {
	strings.Builder
	style style
	spans map[spanID]*span // all of them
}

func (b *block) know(trees []tree) {
	for _, t := range trees {
		b.spans[t.id] = t.span
		b.know(t.children)
	}
}

// tree writes the lines of t. The first begins with branch, the others with trunk.
func (b *block) tree(t tree, branch, trunk string) {
	b.line(t, branch)
	for i, child := range sorted(t.children) {
		if i == len(t.children)-1 {
			b.tree(child, trunk+"└─ ", trunk+"   ")
		} else {
			b.tree(child, trunk+"├─ ", trunk+"│  ")
		}
	}
}

func (b *block) line(t tree, branch string) {
	name := b.style.bold(t.name)
	if t.failed {
		name = b.style.alarming(t.name)
	}
	b.column(utf8.RuneCountInString(branch+t.name), nameWidth, b.style.faint(branch)+name)
	b.column(len(t.kind), kindWidth, t.kind)
	words := b.attributes(t.span)
	if to := b.links(t.span); to != "" {
		words = append(words, b.style.faint("← "+to))
	}
	if branch == "" {
		words = append(words, b.style.faint("trace="+t.trace.short()))
	}
	if t.note != "" {
		words = append(words, b.style.faint("("+t.note+")"))
	}
	took := t.took()
	if len(words) > 0 {
		b.column(len(took), tookWidth, took)
	} else {
		b.WriteString(took)
	}
	b.WriteString(strings.Join(words, " "))
	b.WriteByte('\n')
}

// column writes a text that shows so many characters, and what is missing of the width.
func (b *block) column(length, width int, text string) {
	b.WriteString(text)
	b.WriteString(strings.Repeat(" ", max(width-length, 1)))
}

func (b *block) attributes(s *span) (words []string) {
	named := false
	for _, a := range s.attributes {
		value := a.value
		if a.key == "error.type" {
			value, named = b.style.alarming(value), true
		}
		words = append(words, b.style.faint(a.key+"=")+value)
	}
	if s.failed && !named {
		words = append(words, b.style.alarming("Error"))
	}
	return words
}

// links returns where those of s lead: to an attempt or another span that the block
// shows, or to traces.
func (b *block) links(s *span) string {
	var to []string
	for _, l := range s.links {
		text := "trace " + l.trace.short()
		if of := b.spans[l.id]; of != nil && of.trace == l.trace {
			text = of.name
			if of.kind == "CLIENT" {
				text = "attempt " + cmp.Or(of.value(resends), "0")
			}
		}
		if !slices.Contains(to, text) {
			to = append(to, text)
		}
	}
	return strings.Join(to, ", ")
}
