package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// loading is what is known while a configuration is read.
type loading struct {
	given    map[string]string // what is left of the environment
	defaults map[string]string // the platform's

	variables []Variable // that stand once
	byName    map[string]*Variable
	repeated  []*repeated

	wrong    Faults
	strays   []string // of names that are none; told behind wrong
	warnings []string
	amiss    map[string]bool // variables that a fault names
	unknown  map[string]bool // those of them whose values are not known
}

func load(cfg any, environ []string, checks []func() error) *loading {
	l := begin(cfg, environ)
	l.read(cfg)
	for _, r := range l.repeated {
		l.readEach(r)
	}
	l.check(checks)
	l.wrong = append(l.wrong, l.useless()...)
	strays, warnings := misspelled(l.given, namesOf(l.variables))
	l.strays = append(l.strays, strays...)
	l.warnings = append(l.warnings, warnings...)
	return l
}

// err returns all that is wrong, the warnings behind; nil if nothing is.
func (l *loading) err() error {
	if all := slices.Concat(l.wrong, l.strays); len(all) > 0 {
		return append(all, l.warnings...)
	}
	return nil
}

// begin looks at what there is to be set, and at what there is to set it from.
func begin(cfg any, environ []string) *loading {
	l := &loading{given: env.ToMap(environ), byName: map[string]*Variable{}, amiss: map[string]bool{}}
	for name, text := range l.given {
		l.given[name] = strings.TrimRight(text, "\r\n") // a line's end is no part of what was in the line
	}
	l.defaults = platformDefaults(l.given)
	w := newWalk()
	w.add(reflect.ValueOf(cfg).Elem(), place{prefixes: []string{""}})
	l.variables, l.repeated = w.variables, w.repeated
	for i := range l.variables {
		l.byName[l.variables[i].Name] = &l.variables[i]
	}
	for _, r := range l.repeated {
		r.list = variableOf(l.variables, r.names.Addr().Interface())
		r.take(l.given)
	}
	ignore(l.given, namesOf(l.variables))
	return l
}

// read sets the variables that stand once.
func (l *loading) read(cfg any) {
	missing := make([]error, len(l.variables))
	texts := make(map[string]string, len(l.variables))
	for i := range l.variables {
		v := &l.variables[i]
		missing[i] = v.choose(l.given, l.defaults[v.Name])
		texts[v.Name] = v.text
	}
	readable := env.ParseWithOptions(cfg, env.Options{Environment: texts}) == nil
	for i := range l.variables {
		v, err := &l.variables[i], missing[i]
		if err == nil && v.text != "" && (v.Origin != "default" || !readable) {
			err = v.wrong(readable)
		}
		l.refuse(v, err)
	}
}

// refuse tells what err joins of v, whose value is not known then.
func (l *loading) refuse(v *Variable, err error) {
	for _, err := range each(err) {
		l.wrong = append(l.wrong, err.Error())
		l.amiss[v.Name] = true
		v.value.SetZero()
	}
}

// check tells what checks find wrong.
func (l *loading) check(checks []func() error) {
	l.unknown = maps.Clone(l.amiss)
	for _, check := range checks {
		for _, err := range each(check()) {
			if c, ok := errors.AsType[*complaint](err); ok {
				about, beside := c.variables(l.variableAt)
				if slices.ContainsFunc(append(beside, about...), l.isUnknown) {
					continue
				}
				for _, v := range about {
					l.amiss[v.source().Name] = true
				}
				err = c.named(l.variableAt)
			}
			if text := plain(err.Error()); !slices.Contains(l.wrong, text) {
				l.wrong = append(l.wrong, text)
			}
		}
	}
}

func (l *loading) isUnknown(v *Variable) bool { return l.unknown[v.source().Name] }

// variableAt returns the variable whose field has an address, or nil.
func (l *loading) variableAt(address any) *Variable {
	if v := variableOf(l.variables, address); v != nil {
		return v
	}
	for _, r := range l.repeated {
		if v := r.variableAt(address); v != nil {
			return v
		}
	}
	return nil
}

// all returns the variables that stand once, and those that are set for one of each.
func (l *loading) all() (all []*Variable) {
	add := func(variables []Variable) {
		for i := range variables {
			all = append(all, &variables[i])
		}
	}
	add(l.variables)
	for _, r := range l.repeated {
		for _, e := range r.elements {
			add(e.own)
		}
	}
	return all
}
