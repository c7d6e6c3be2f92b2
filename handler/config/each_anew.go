package config

import (
	"reflect"
	"slices"
	"strings"
)

// Variables with a tag instead answer one question together, so that a part of the
// answer must not be taken from somewhere else: who is let in, how much is a client's
// share. The tag has the name of the question and, behind a blank, what of the answer
// the variable belongs to. Where one of each sets one that does, and not to off, it has
// an answer of its own: of all variables of that question that belong to something else
// it inherits none. One that belongs to nothing is never an answer by itself, and
// goes along with what is inherited.

// relate notes in variables with a tag instead which others are in place of them.
func relate(variables []Variable) {
	for i := range variables {
		question, part, _ := strings.Cut(variables[i].tag.Get("instead"), " ")
		if question == "" {
			continue
		}
		for j := range variables {
			if q, other, _ := strings.Cut(variables[j].tag.Get("instead"), " "); q == question && other != "" && other != part {
				variables[i].instead = append(variables[i].instead, variables[j].Name)
			}
		}
	}
}

// beginAnew sets to their defaults the variables of e that it does not inherit because of
// what is set for it.
func (e *element) beginAnew() {
	sets := func(name string) bool {
		i := slices.IndexFunc(e.own, func(v Variable) bool { return v.Name[len(e.prefix):] == name })
		return i >= 0 && e.own[i].inUse()
	}
	for i := range e.variables {
		of := &e.variables[i]
		if of.base == nil || !slices.ContainsFunc(of.instead, sets) || slices.ContainsFunc(e.own, func(v Variable) bool { return v.base == of.base }) {
			continue
		}
		usual := reflect.Zero(of.value.Type())
		if of.Default != "" {
			usual = of.own(of.Default)
		}
		e.value.FieldByIndex(of.index).Set(usual)
		e.anew = append(e.anew, of)
	}
}

// usual returns what a variable of the template is in e, where it is as by default.
func (e *element) usual(of *Variable) *Variable {
	v := e.called(e.prefix+of.Name, of)
	v.text, v.Origin = v.Default, "default"
	return &v
}

// inheritsFrom reports whether a variable that stands once holds in e because nothing else
// does.
func (e *element) inheritsFrom(v *Variable) bool {
	return !slices.ContainsFunc(e.own, func(other Variable) bool { return other.base == v }) &&
		!slices.ContainsFunc(e.anew, func(other *Variable) bool { return other.base == v })
}
