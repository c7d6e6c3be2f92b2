package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// useless returns a line for each variable whose value is of no use as others
// are. Only what somebody set counts, and only where it differs from what holds
// anyway: a default, or a platform's, asks for nothing. A door's counts as it is: who
// writes that it is to be shut believes that there is one. What one of each inherits
// is of use where it is for that one.
//
// Of variables in amiss something worse is known, and what those in unknown say
// is not known: neither is complained of.
func (l *loading) useless() (lines []string) {
	for i := range l.variables {
		lines = append(lines, l.uselessAs(&l.variables[i])...)
	}
	for _, r := range l.repeated {
		for _, e := range r.elements {
			for i := range e.own {
				lines = append(lines, l.uselessAs(&e.own[i])...)
			}
		}
	}
	return lines
}

// uselessAs returns a line for each reason why v is of no use.
func (l *loading) uselessAs(v *Variable) (lines []string) {
	if v.Origin != "set" && v.Origin != "file" || l.amiss[v.Name] {
		return nil
	}
	needs, within := v.tag.Get("needs"), v.tag.Get("within")
	if _, isDoor := v.tag.Lookup("door"); needs == "" && within == "" || !isDoor && !v.Changed() {
		return nil
	}
	conditions, why, explained := strings.Cut(needs, "; ")
	for condition := range strings.FieldsSeq(conditions) {
		alternatives := strings.Split(condition, "|")
		if l.anywhere(v, func(e *element) bool { return l.mayHold(v, e, alternatives) }) {
			continue
		}
		there := slices.DeleteFunc(alternatives, func(a string) bool { return l.find(v, v.of, parseTerm(a).name) == nil })
		reason := whyNot(there, func(name string) string { return l.find(v, v.of, name).Name })
		if explained {
			reason += ": " + why
		}
		lines = append(lines, fmt.Sprintf("%s: is of no use %s", v.Name, reason))
	}
	if !l.anywhere(v, func(e *element) bool { return l.bounded(v, e, within) }) {
		bound := l.find(v, v.of, within).source()
		lines = append(lines, fault(v.Name, v.text, fmt.Errorf("must not be above %s, which is %s", bound.Name, bound.text)).Error())
	}
	return lines
}

// anywhere reports whether holds does where v is set, or for one of each that
// inherits it.
func (l *loading) anywhere(v *Variable, holds func(*element) bool) bool {
	if holds(v.of) {
		return true
	}
	if v.of != nil {
		return false
	}
	for _, r := range l.repeated {
		for _, e := range r.elements {
			if e.inheritsFrom(v) && holds(e) {
				return true
			}
		}
	}
	return false
}

// find returns the variable that is meant by a name in a tag of v: the one whose
// prefixes are nearest to v's; and that of e, if it is one of each and has one.
func (l *loading) find(v *Variable, e *element, name string) *Variable {
	for _, prefix := range slices.Backward(v.prefixes) {
		if e != nil {
			if found := e.variable(prefix + name); found != nil {
				return found
			}
		}
		if found := l.byName[prefix+name]; found != nil {
			return found
		}
	}
	return nil
}

// mayHold reports whether one of alternatives holds for v in e, or that is not known.
// One whose variable does not exist there does not hold; if none exists, nothing is known.
func (l *loading) mayHold(v *Variable, e *element, alternatives []string) bool {
	exists := false
	for _, alternative := range alternatives {
		t := parseTerm(alternative)
		other := l.find(v, e, t.name)
		if other == nil {
			continue
		}
		if exists = true; l.isUnknown(other) || t.holds(other) {
			return true
		}
	}
	return !exists
}

// bounded reports whether v is not above the variable of that name in e, or that is
// not known.
func (l *loading) bounded(v *Variable, e *element, name string) bool {
	bound := l.find(v, e, name)
	if bound == nil || l.isUnknown(bound) {
		return true
	}
	most := bound.value.Int()
	return most <= 0 || v.value.Int() <= most
}

// term is what one alternative of a condition asks of a variable.
type term struct{ name, operator, value string }

func parseTerm(text string) term {
	for _, operator := range []string{"*=", "!=", "="} {
		if name, value, ok := strings.Cut(text, operator); ok {
			return term{name, operator, value}
		}
	}
	return term{name: text}
}

func (t term) holds(v *Variable) bool {
	text := strings.ToLower(v.text)
	switch t.operator {
	case "*=":
		return strings.Contains(text, t.value)
	case "!=":
		return text != t.value
	case "=":
		return text == t.value
	}
	return v.inUse()
}

// whyNot says without what, and with what, none of the alternatives holds.
func whyNot(alternatives []string, named func(string) string) string {
	var without, with []string
	parts := map[string][]string{} // of values, by variable
	in := map[string][]string{}    // variables, by what parts of their values there may be
	for _, alternative := range alternatives {
		switch t := parseTerm(alternative); t.operator {
		case "!=":
			with = append(with, named(t.name)+"="+t.value)
		case "*=":
			parts[t.name] = append(parts[t.name], t.value)
		default:
			without = append(without, named(t.name)+t.operator+t.value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part := either(parts[name])
		in[part] = append(in[part], named(name))
	}
	for _, part := range slices.Sorted(maps.Keys(in)) {
		without = append(without, part+" in "+either(in[part]))
	}
	var reasons []string
	if without != nil {
		reasons = append(reasons, "without "+either(without))
	}
	if with != nil {
		reasons = append(reasons, "with "+either(with))
	}
	return strings.Join(reasons, " and ")
}

// inUse reports whether v turns something on: whether its value is neither zero
// nor an empty list.
func (v *Variable) inUse() bool {
	switch v.value.Kind() {
	case reflect.Slice, reflect.Map:
		return v.value.Len() > 0
	}
	return !v.value.IsZero()
}

// Changed reports whether the value is another one than by default, whatever
// the platform; of one of each, another one than it would inherit.
func (v *Variable) Changed() bool {
	text := v.Default
	switch {
	case v.of != nil && v.base != nil:
		return !reflect.DeepEqual(v.base.value.Interface(), v.value.Interface())
	case text == "auto":
		text = cmp.Or(v.auto(), text)
	}
	if v.text == text {
		return false
	}
	usual := reflect.Zero(v.value.Type())
	if text != "" {
		usual = v.own(text)
	}
	return !reflect.DeepEqual(usual.Interface(), v.value.Interface())
}

// either spells alternatives: "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
