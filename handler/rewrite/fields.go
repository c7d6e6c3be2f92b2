package rewrite

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/config"
	"spangate/handler/field"
)

// Fields say how the fields of a header are changed, one after the other. As text they
// are items, each on a line of its own or behind a comma:
//
//	Name: value   the field has this value alone
//	+Name: value  the field has this value too
//	?Name: value  the field has this value where it has none
//	-Name         there is no such field
//
// A value is a [Template]. Line ends always separate. A comma does where what follows is
// an item: a sign, if any, a name, a colon and a blank; or -Name up to the next comma or
// the end. Any other comma belongs to the value, so that Cache-Control: no-cache,
// max-age=60 is one field. A comma before what looks like an item without a blank behind
// its colon (A:1,B:2) is refused: it could mean either.
type Fields struct {
	text  string
	items []item
}

type item struct {
	how    byte // 0 sets; or + - ?
	name   string
	value  Template
	values []string // where the value is a constant; shared by all requests
}

// UnmarshalText parses items; off and none stand for no item at all. Its error joins one
// for each item that is wrong.
func (f *Fields) UnmarshalText(text []byte) error {
	parsed := Fields{text: string(text)}
	if parsed.text == "off" || parsed.text == "none" {
		*f = parsed
		return nil
	}
	var wrong []error
	set := map[string]bool{}
	for line := range lines(parsed.text) {
		for _, text := range split(line) {
			i, err := parseItem(text)
			if err == nil && i.how == 0 && set[i.name] {
				err = fmt.Errorf("%s is set twice; +%s: adds a value", i.name, i.name)
			}
			if err != nil {
				wrong = append(wrong, err)
				continue
			}
			set[i.name] = set[i.name] || i.how == 0
			parsed.items = append(parsed.items, i)
		}
	}
	if wrong == nil {
		*f = parsed
	}
	return errors.Join(wrong...)
}

// MarshalText returns what the items were parsed from.
func (f Fields) MarshalText() ([]byte, error) { return []byte(f.text), nil }

// Redacted returns a text of items as it may be shown: without the values of fields whose
// names say that these are secret.
func (Fields) Redacted(text string) string {
	var items []string
	for line := range lines(text) {
		for _, item := range split(line) {
			if name, _, ok := strings.Cut(item, ":"); ok && secretNames.MatchString(name) {
				item = name + ": ***"
			}
			items = append(items, strings.Trim(item, " \t"))
		}
	}
	return strings.Join(items, ", ")
}

var secretNames = regexp.MustCompile(`(?i)auth|cookie|credential|key|passw|secret|token`)

func lines(text string) iter.Seq[string] {
	return strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' })
}

// split returns the items of a line.
func split(line string) (items []string) {
	from := 0
	for at := range len(line) {
		if line[at] == ',' && beginsItem(line[at+1:]) {
			items = append(items, line[from:at])
			from = at + 1
		}
	}
	items = append(items, line[from:])
	return slices.DeleteFunc(items, func(item string) bool { return strings.TrimSpace(item) == "" })
}

// beginsItem reports whether what follows a comma is another item.
func beginsItem(text string) bool {
	text = strings.TrimLeft(text, " \t")
	if name, removes := strings.CutPrefix(text, "-"); removes {
		name, _, _ = strings.Cut(name, ",")
		return httpguts.ValidHeaderFieldName(strings.TrimRight(name, " \t"))
	}
	text = strings.TrimLeft(text, "+?")
	name, value, ok := strings.Cut(text, ":")
	return text == "" || ok && httpguts.ValidHeaderFieldName(name) && (value == "" || strings.IndexByte(" \t,", value[0]) >= 0)
}

// unclear returns the name of what stands behind a comma of a value and may be meant as an
// item.
func unclear(value string) string {
	for _, behind := range strings.Split(value, ",")[1:] {
		behind = strings.Trim(behind, " \t")
		name, value, ok := strings.Cut(strings.TrimLeft(behind, "+?"), ":")
		if ok && httpguts.ValidHeaderFieldName(name) && strings.Trim(name, "0123456789") != "" && !strings.HasPrefix(value, "//") {
			return name
		}
	}
	return ""
}

func parseItem(text string) (item, error) {
	text = strings.Trim(text, " \t")
	i, rest := item{}, text
	if text != "" && strings.IndexByte("+-?", text[0]) >= 0 {
		i.how, rest = text[0], text[1:]
	}
	name, value, hasValue := strings.Cut(rest, ":")
	word, _, _ := strings.Cut(text, " ") // what follows may be a secret
	i.name = http.CanonicalHeaderKey(name)
	value = strings.Trim(value, " \t")
	switch {
	case !httpguts.ValidHeaderFieldName(name) || !hasValue && i.how != '-':
		return i, fmt.Errorf("%.40q must be Name: value, +Name: value, ?Name: value or -Name", word)
	case i.how == '-' && hasValue:
		return i, fmt.Errorf("-%s has no value", i.name)
	case i.how == '-':
		return i, nil
	case value == "":
		return i, fmt.Errorf("%s: has no value; -%s removes the field", i.name, i.name)
	case !httpguts.ValidHeaderFieldValue(value):
		return i, fmt.Errorf("%s: has a control character in its value", i.name)
	}
	if other := unclear(value); other != "" {
		return i, fmt.Errorf("%s: has %.40s: in its value; with a blank behind that colon, or on a line of its own, it is a field", i.name, other)
	}
	if err := i.value.UnmarshalText([]byte(value)); err != nil {
		return i, fmt.Errorf("%s: %w", i.name, err)
	}
	if constant, ok := i.value.constant(); ok {
		i.values = []string{constant}
	}
	return i, nil
}

// Names returns the canonical names of all fields that are changed.
func (f *Fields) Names() (names []string) {
	for i := range f.items {
		names = append(names, f.items[i].name)
	}
	return names
}

// check returns what is wrong with f, the address of a variable, apart from its syntax:
// with names, by what reserved says of their canonical form, and with values, which may
// hold the variables of patterns.
func (f *Fields) check(reserved func(canonical string) (why string), patterns []string) error {
	var wrong []error
	for i := range f.items {
		i := &f.items[i]
		if why := reserved(field.Canonical(i.name)); why != "" {
			wrong = append(wrong, config.Wrong(config.Fields{f}, "%s: %s", i.name, why))
		}
		if err := i.value.unknown(patterns); err != nil {
			wrong = append(wrong, config.WrongFor(config.Fields{f}, fmt.Errorf("%s: %w", i.name, err)))
		}
	}
	return errors.Join(wrong...)
}

// maxValue bounds what a template makes of a request: of a longer value there is none.
const maxValue = 8 << 10

// apply changes header. A value that comes out empty, or too long to pass, is none: what
// would set it leaves no such field, so that nobody takes a client's own for it.
func (f *Fields) apply(header http.Header, v *Values) {
	for n := range f.items {
		i := &f.items[n]
		if i.how == '-' {
			delete(header, i.name)
			continue
		}
		said := header[i.name]
		if i.how == '?' && len(said) > 0 {
			continue
		}
		values := i.values
		if values == nil {
			var room [256]byte
			if b := i.value.Append(room[:0], v); 0 < len(b) && len(b) <= maxValue {
				values = []string{string(b)}
			}
		}
		switch {
		case i.how == '+' && len(said) > 0:
			header[i.name] = append(slices.Clip(said), values...)
		case values != nil:
			header[i.name] = values
		case i.how == 0:
			delete(header, i.name)
		}
	}
}
