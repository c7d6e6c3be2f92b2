package field

import "strings"

// names is a set of canonical names. Most that are asked for are not in it, as
// length and first letter tell.
type names struct {
	all      map[string]bool
	initials [64]uint32 // by length; a bit for each letter
}

func words(text string) *names {
	n := &names{all: map[string]bool{}}
	for word := range strings.FieldsSeq(text) {
		n.all[word] = true
		n.initials[len(word)%len(n.initials)] |= initial(word)
	}
	return n
}

// has reports whether name is one of them.
func (n *names) has(name string) bool {
	return name != "" && n.initials[len(name)%len(n.initials)]&initial(name) != 0 && n.all[name]
}

// initial returns a bit for the first letter.
func initial(name string) uint32 { return 1 << (name[0] % 32) }

// prefixes are those of names that are not all known.
type prefixes struct {
	all      []string
	initials uint32
}

func beginnings(text string) *prefixes {
	p := &prefixes{all: strings.Fields(text)}
	for _, prefix := range p.all {
		p.initials |= initial(prefix)
	}
	return p
}

// begin reports whether name begins with one of them.
func (p *prefixes) begin(name string) bool {
	if name == "" || p.initials&initial(name) == 0 {
		return false
	}
	for _, prefix := range p.all {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
