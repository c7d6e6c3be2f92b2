package config

import (
	"reflect"
	"slices"
	"strings"
)

// One stands in the structs of a slice with the tag each: which of them it is.
type One struct {
	Name string          // as it stands in the list
	own  map[string]bool // by name of variable
}

// Sets reports whether a variable, by its name without what stands before it for
// each, is set for this one rather than inherited.
func (o *One) Sets(variable string) bool { return o.own[variable] }

// SetsAny reports whether any is whose name begins with one of prefixes.
func (o *One) SetsAny(prefixes ...string) bool {
	for name := range o.own {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return true
		}
	}
	return false
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
	value  reflect.Value
	own    []*Variable // those that are set, in the order of the struct
}

// take moves to r what seems to be given to it.
func (r *repeated) take(given map[string]string) {
	for name, text := range given {
		if len(name) <= len(r.prefix) || !r.takes(name) {
			continue
		}
		if r.given == nil {
			r.given = map[string]string{}
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
	var w walk
	w.add(r.template, place{prefixes: []string{""}, index: []int{}})
	r.variables = w.variables
	r.byName = make(map[string]*Variable, len(r.variables))
	for i := range r.variables {
		v := &r.variables[i]
		r.byName[v.Name] = v
		if outside := l.byName[v.Name]; outside != nil && outside.value.Type() == v.value.Type() {
			v.base = outside
			v.value.Set(outside.value)
		} else if v.choose(nil, nil); v.text != "" {
			v.value.Set(v.own(v.text))
		}
	}
}

// add adds the struct of a name, the i-th of r's slice.
func (r *repeated) add(name string, i int) {
	e := &element{repeated: r, name: name, prefix: r.prefix + Capitals(name) + "_", value: r.slice.Index(i)}
	e.value.Set(r.template)
	e.one().Name = name
	r.elements = append(r.elements, e)
	r.byPrefix[Capitals(name)] = e
}

func (e *element) one() *One { return e.value.Addr().Interface().(interface{ one() *One }).one() }

// variable returns the variable of e whose name ends with that, or nil: as it was
// set, or else inherited.
func (e *element) variable(name string) *Variable {
	for _, v := range e.own {
		if v.Name[len(e.prefix):] == name {
			return v
		}
	}
	v := e.byName[name]
	switch {
	case v == nil:
		return nil
	case v.whole:
		return v.base
	}
	return e.inherited(v)
}

// inherited returns what a variable of the template is in e, where it is not set.
func (e *element) inherited(of *Variable) *Variable {
	v := *of
	v.Name, v.of, v.value = e.prefix+of.Name, e, e.value.FieldByIndex(of.index)
	if v.base != nil {
		v.text, v.Origin = v.base.text, "inherited"
	}
	return &v
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
