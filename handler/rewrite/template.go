package rewrite

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"spangate/handler/config"
)

// Template is a text with placeholders, such as /v2/users/{id}{?}. A placeholder is the
// name of a [Values] in braces; {{ and }} stand for a brace. It is parsed once, and does
// not change.
type Template struct {
	text  string
	parts []part
}

// part is a piece of a template: what stands there, or the name of what is put there.
type part struct{ literal, name string }

// query is the placeholder that stands for the query with its question mark, and for
// nothing where there is no query.
const query = "?"

// UnmarshalText parses a template. Whether all names in it are known depends on where it
// stands, and is for [Template.unknown] to say.
func (t *Template) UnmarshalText(text []byte) error {
	parsed := Template{text: string(text)}
	literal := ""
	for rest := parsed.text; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			literal += rest
			break
		}
		literal += rest[:at]
		brace := rest[at : at+1]
		if rest = rest[at+1:]; strings.HasPrefix(rest, brace) {
			literal, rest = literal+brace, rest[1:]
			continue
		}
		name, behind, closed := strings.Cut(rest, "}")
		switch {
		case brace == "}":
			return errors.New("has a } that ends nothing; }} stands for one")
		case !closed, strings.Contains(name, "{"):
			return errors.New("has a { without a }; {{ stands for one")
		case !isName(name):
			return fmt.Errorf("{%.40s} is no name; {{ stands for a brace", name)
		}
		if literal != "" {
			parsed.parts = append(parsed.parts, part{literal: literal})
		}
		parsed.parts = append(parsed.parts, part{name: name})
		literal, rest = "", behind
	}
	if literal != "" {
		parsed.parts = append(parsed.parts, part{literal: literal})
	}
	*t = parsed
	return nil
}

// MarshalText returns what the template was parsed from.
func (t Template) MarshalText() ([]byte, error) { return []byte(t.text), nil }

// IsZero reports whether there is no template.
func (t Template) IsZero() bool { return t.text == "" }

// isName reports whether name may be a placeholder's. What patterns say behind a name is
// let pass for [Template.unknown] to complain of in words that help.
func isName(name string) bool {
	if name == query {
		return true
	}
	name = bare(name)
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', i > 0 && '0' <= c && c <= '9', i > 0 && c == '-':
		default:
			return false
		}
	}
	return name != ""
}

// bare returns the name of a variable as a pattern has it: {id}, {id:int} or {rest...}.
func bare(name string) string {
	name, _, _ = strings.Cut(strings.TrimSuffix(name, "..."), ":")
	return name
}

// constant returns the text that the template always comes to, if there is one.
func (t Template) constant() (text string, ok bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].name == "":
		return t.parts[0].literal, true
	}
	return "", false
}

// lead returns the text before the first placeholder.
func (t Template) lead() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].literal
}

// names yields the names of the placeholders.
func (t Template) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range t.parts {
			if p.name != "" && !yield(p.name) {
				return
			}
		}
	}
}

// unknown returns an error for each name in the template that is neither that of a
// value nor a variable of each of the patterns, of which it has the paths.
func (t Template) unknown(patterns []string) error {
	var wrong []error
	for name := range t.names() {
		if name == query || slices.Contains(builtin, name) {
			continue
		}
		lacks := slices.IndexFunc(patterns, func(pattern string) bool { return !slices.Contains(variables(pattern), name) })
		if lacks < 0 && len(patterns) > 0 {
			continue
		}
		known := builtin
		for _, pattern := range patterns {
			known = append(variables(pattern), known...)
		}
		why := fmt.Sprintf("{%.40s} is unknown here", name)
		if lacks >= 0 && slices.Contains(known, name) {
			why = fmt.Sprintf("{%.40s} is not in %s", name, patterns[lacks])
		} else if near := config.Nearest(bare(name), known); near != "" {
			why += fmt.Sprintf("; did you mean {%s}?", near)
		} else {
			why += "; known are {" + strings.Join(known, "}, {") + "}"
		}
		wrong = append(wrong, errors.New(why))
	}
	return errors.Join(wrong...)
}

// variables returns the names of the variables of a pattern, of which it has the path.
func variables(pattern string) (names []string) {
	for _, behind := range strings.Split(pattern, "{")[1:] {
		name, _, _ := strings.Cut(behind, "}")
		names = append(names, bare(name))
	}
	return names
}

// Append appends to b what the template comes to for a request. A value is inserted as
// it was sent, but for bytes that no URI may hold, which are percent-encoded: so no
// value ends a line, or puts a blank, a quote or a fragment where none was.
func (t *Template) Append(b []byte, v *Values) []byte {
	for i := range t.parts {
		if p := &t.parts[i]; p.name == "" {
			b = append(b, p.literal...)
		} else {
			b = v.append(b, p.name)
		}
	}
	return b
}
