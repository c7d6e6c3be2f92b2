package config

import (
	"fmt"
	"reflect"
	"strings"
)

// placeholder stands for the name in those of variables that are there for each.
const placeholder = "<NAME>"

// schema is all that there is to be set.
type schema struct {
	variables []Variable // those of each, as far as they inherit nothing, with a placeholder for the name
	repeated  []*repeated
	once      map[string]*Variable // those that stand once
}

func schemaOf(cfg any) *schema {
	l := begin(cfg, nil)
	s := &schema{repeated: l.repeated, once: l.byName}
	for _, r := range l.repeated {
		r.prepare(l)
	}
	for i := range l.variables {
		v := l.variables[i]
		for _, r := range l.repeated {
			if r.inherits(&l.variables[i]) {
				v.each = r.prefix + placeholder + "_"
			}
		}
		s.variables = append(s.variables, v)
		for _, r := range l.repeated {
			if r.list == &l.variables[i] {
				s.variables = append(s.variables, r.alone()...)
			}
		}
	}
	return s
}

// inherits reports whether one of r can set v for itself.
func (r *repeated) inherits(v *Variable) bool {
	own := r.byName[v.Name]
	return own != nil && own.base == v && !own.whole
}

// alone returns the variables that stand nowhere but in r.
func (r *repeated) alone() (all []Variable) {
	for _, v := range r.variables {
		if v.base == nil {
			v.Name = r.prefix + placeholder + "_" + v.Name
			all = append(all, v)
		}
	}
	return all
}

// inherited says which variables one of each can set as well, if v lists the names of
// these; else "".
func (s *schema) inherited(v *Variable) string {
	for _, r := range s.repeated {
		if r.list.Name != v.Name {
			continue
		}
		var names []string
		for _, v := range s.variables {
			if strings.HasPrefix(v.each, r.prefix) {
				names = append(names, v.Name)
			}
		}
		return fmt.Sprintf("A %s can have its own of these, with %s%s_ before the name: %s. What is not set for it, it inherits.", r.noun(), r.prefix, placeholder, strings.Join(names, ", "))
	}
	return ""
}

// of returns the variable of one of each that a name is, whatever that one is called.
// Otherwise the error, one of [Faults], says what is meant if there is a repeated that
// it seems to be of.
func (s *schema) of(name string) (v *Variable, err error) {
	l := &loading{byName: s.once}
	for _, r := range s.repeated {
		if !strings.HasPrefix(name, r.prefix) {
			continue
		}
		r.pretend(r.rest(name))
		if b, _ := r.reading(name); b.element != nil {
			v := *b.variable
			v.Name = b.name
			return &v, nil
		}
		if stray := l.stray(r, name, "x"); stray != "" {
			return nil, Faults{stray}
		}
	}
	return nil, nil
}

// pretend gives r a struct for all that a name could be in which rest follows r's
// prefix.
func (r *repeated) pretend(rest string) {
	r.elements, r.byPrefix = nil, map[string]*element{}
	r.slice = reflect.MakeSlice(r.slice.Type(), strings.Count(rest, "_"), strings.Count(rest, "_"))
	for i := range len(rest) {
		if rest[i] == '_' && i > 0 {
			r.add(rest[:i], rest[:i], len(r.elements))
		}
	}
}
