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
// writes that it is to be shut believes that there is one.
//
// Of variables in amiss something worse is known, and what those in unknown say
// is not known: neither is complained of.
func useless(variables []Variable, amiss, unknown map[string]bool) (lines []string) {
	s := scope{map[string]*Variable{}, unknown}
	for i := range variables {
		s.variables[variables[i].Name] = &variables[i]
	}
	for i := range variables {
		v := &variables[i]
		if v.Origin != "set" && v.Origin != "file" || amiss[v.Name] {
			continue
		}
		needs, within := v.tag.Get("needs"), v.tag.Get("within")
		if _, isDoor := v.tag.Lookup("door"); needs == "" && within == "" || !isDoor && !v.Changed() {
			continue
		}
		conditions, why, explained := strings.Cut(needs, "; ")
		for condition := range strings.FieldsSeq(conditions) {
			reason := s.fails(v, condition)
			if reason == "" {
				continue
			}
			if explained {
				reason += ": " + why
			}
			lines = append(lines, fmt.Sprintf("%s: is of no use %s", v.Name, reason))
		}
		if bound := s.find(v, within); bound != nil && !unknown[bound.Name] {
			if most := bound.value.Int(); most > 0 && v.value.Int() > most {
				lines = append(lines, fault(v.Name, v.text, fmt.Errorf("must not be above %s, which is %s", bound.Name, bound.text)).Error())
			}
		}
	}
	return lines
}

// scope is what variables know of each other.
type scope struct {
	variables map[string]*Variable
	unknown   map[string]bool
}

// find returns the variable that is meant by a name in a tag of v: the one whose
// prefixes are nearest to v's.
func (s scope) find(v *Variable, name string) *Variable {
	for _, prefix := range slices.Backward(v.prefixes) {
		if found := s.variables[prefix+name]; found != nil {
			return found
		}
	}
	return nil
}

// fails returns why a condition of v does not hold. It is empty for one that
// holds, or of which that is not known.
func (s scope) fails(v *Variable, condition string) string {
	alternatives := strings.Split(condition, "|")
	if slices.ContainsFunc(alternatives, func(alternative string) bool { return s.mayHold(v, parseTerm(alternative)) }) {
		return ""
	}
	return whyNot(alternatives, func(name string) string { return s.find(v, name).Name })
}

func (s scope) mayHold(v *Variable, t term) bool {
	other := s.find(v, t.name)
	if other == nil || s.unknown[other.Name] {
		return true
	}
	text := strings.ToLower(other.text)
	switch t.operator {
	case "*=":
		return strings.Contains(text, t.value)
	case "!=":
		return text != t.value
	case "=":
		return text == t.value
	}
	return other.inUse()
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

// whyNot says without what, and with what, none of the alternatives holds.
func whyNot(alternatives []string, named func(string) string) string {
	var without, with []string
	parts := map[string][]string{} // of values, by variable
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
		without = append(without, either(parts[name])+" in "+named(name))
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
// the platform.
func (v *Variable) Changed() bool {
	text := v.Default
	if text == "auto" {
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
