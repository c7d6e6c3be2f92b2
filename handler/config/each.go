package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// One stands in the structs of a slice with the tag each: which of them it is.
type One struct {
	Name   string // as it stands in the list
	own    []Variable
	prefix string // begins their names
}

// Own returns the names of the variables that are set for this one, rather than
// inherited, in the order of the struct. By patterns it is asked for some: they are what
// follows the one's own name in that of a variable, with * for anything.
func (o *One) Own(patterns ...string) (names []string) {
	for i := range o.own {
		if name := o.own[i].Name; matches(patterns, name[len(o.prefix):]) {
			names = append(names, name)
		}
	}
	return names
}

// Sets reports whether [One.Own] has any.
func (o *One) Sets(patterns ...string) bool { return o.Own(patterns...) != nil }

// Called returns the name of the variable that the one's value is of, which has that name
// where it is all others': its own, if that is set.
func (o *One) Called(name string) string {
	if o.Sets(name) {
		return o.prefix + name
	}
	return name
}

// Useless returns a complaint about each variable that [One.Own] has by patterns: that it
// is of no use, and why, which is as for [Wrong].
func (o *One) Useless(patterns []string, why string, args ...any) error {
	var wrong []error
	for i := range o.own {
		if v := &o.own[i]; matches(patterns, v.Name[len(o.prefix):]) {
			wrong = append(wrong, Wrong(Fields{v.value.Addr().Interface()}, "is of no use "+why, args...))
		}
	}
	return errors.Join(wrong...)
}

func (o *One) one() *One { return o }

// Capitals returns how a name of a list stands in the names of variables: in capitals,
// and with _ for -.
func Capitals(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// repeated is a slice with the tag each.
type repeated struct {
	prefix string        // begins the names of its variables
	group  reflect.Value // the struct that it is in
	names  reflect.Value // the field that lists names
	list   *Variable     // its
	slice  reflect.Value
	given  map[string]string // of the environment, what seems to be for it

	// These are made when there is something to set.
	template  reflect.Value // one of which nothing is set
	variables []Variable    // its
	byName    map[string]*Variable
	elements  []*element
	byPrefix  map[string]*element // by the name as it stands in variables
	refused   map[string]bool     // likewise: names that cannot be
}

// element is one of the structs.
type element struct {
	*repeated
	name   string
	prefix string // begins the names of its variables
	i      int
	value  reflect.Value
	own    []Variable  // those that are set, in the order of the struct
	anew   []*Variable // of the template: those that are as by default, whatever others inherit
}

// take moves to r what seems to be given to it.
func (r *repeated) take(given map[string]string) {
	for name, text := range given {
		if len(name) <= len(r.prefix) || !r.takes(name) {
			continue
		}
		if r.given == nil {
			r.given = make(map[string]string, len(given))
		}
		r.given[name] = text
		delete(given, name)
	}
}

func (r *repeated) takes(name string) bool {
	upper := strings.TrimPrefix(strings.ToUpper(name), ours)
	return strings.HasPrefix(upper, r.prefix) || strings.HasPrefix(upper, r.list.Name+"_")
}

// prepare makes what all of r's structs begin as.
func (r *repeated) prepare(l *loading) {
	r.template = reflect.New(r.slice.Type().Elem()).Elem()
	w := newWalk()
	w.add(r.template, place{prefixes: []string{""}, index: []int{}})
	r.variables = w.variables
	relate(r.variables)
	r.byName = make(map[string]*Variable, len(r.variables))
	for i := range r.variables {
		v := &r.variables[i]
		r.byName[v.Name] = v
		if outside := l.byName[v.Name]; outside != nil && outside.value.Type() == v.value.Type() {
			v.base = outside
			v.value.Set(outside.value)
		} else if v.choose(nil, ""); v.text != "" {
			v.value.Set(v.own(v.text))
		}
	}
}

// add adds the struct of a name, the i-th of r's slice, which is written so in the names
// of variables.
func (r *repeated) add(name, written string, i int) {
	e := &element{repeated: r, name: name, prefix: r.prefix + written + "_", i: i, value: r.slice.Index(i)}
	e.value.Set(r.template)
	one := e.one()
	one.Name, one.prefix = name, e.prefix
	r.elements = append(r.elements, e)
	r.byPrefix[written] = e
}

func (e *element) one() *One { return e.value.Addr().Interface().(interface{ one() *One }).one() }

// variable returns the variable of e whose name ends with that, or nil: as it was
// set, or else inherited.
func (e *element) variable(name string) *Variable {
	for i := range e.own {
		if v := &e.own[i]; v.Name[len(e.prefix):] == name {
			return v
		}
	}
	v := e.byName[name]
	switch {
	case v == nil:
		return nil
	case slices.Contains(e.anew, v):
		return e.usual(v)
	case v.whole:
		return v.base
	}
	return e.inherited(v)
}

// inherited returns what a variable of the template is in e, where it is not set.
func (e *element) inherited(of *Variable) *Variable {
	v := e.called(e.prefix+of.Name, of)
	if v.base != nil {
		v.text, v.Origin = v.base.text, "inherited"
	}
	return &v
}

// called returns what a variable of the template is in e, by its name there.
func (e *element) called(name string, of *Variable) Variable {
	v := *of
	v.Name, v.of, v.value = name, e, e.value.FieldByIndex(of.index)
	return v
}

// variableAt returns the variable whose field, in one of r's structs, has an address.
func (r *repeated) variableAt(address any) *Variable {
	pointer := reflect.ValueOf(address)
	if pointer.Kind() != reflect.Pointer || len(r.elements) == 0 {
		return nil
	}
	at, size := pointer.Pointer()-r.elements[0].value.UnsafeAddr(), r.slice.Type().Elem().Size()
	if at >= size*uintptr(len(r.elements)) { // before the first it is more than that
		return nil
	}
	for i := range r.variables {
		v := &r.variables[i]
		if v.value.Type() == pointer.Type().Elem() && v.value.UnsafeAddr()-r.template.UnsafeAddr() == at%size {
			return r.elements[at/size].variable(v.Name)
		}
	}
	return nil
}

// source returns the variable that v's value is from.
func (v *Variable) source() *Variable {
	if v.base != nil && v.Origin == "inherited" {
		return v.base
	}
	return v
}
