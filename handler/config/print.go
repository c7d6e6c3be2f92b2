package config

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"text/tabwriter"
)

// unset is an environment that sets nothing but what there is no doing without.
var unset = []string{"BACKENDS=echo:any", "PLATFORM=none"}

// Print writes the value in force of each variable in environ, or of each that is
// not what it is by default, and where it is from: set, file, platform, default, or
// derived from what others are; and then the warnings of [Load]. cfg and usual are
// pointers to empty structs of one type, and check is as for Load. Structs in there
// with a method InForce say what comes of fields that leave it to others, by the
// addresses of these.
//
// What is set for one of each, and what it inherits, unless that is as it is by default
// or changedOnly, comes behind that, in the order of their names or of what a method
// Order of the struct around returns, which are indexes. What a method Idle of the one
// says means nothing to it, in patterns as for [One.Own], does not.
func Print(cfg, usual any, environ []string, check func() error, changedOnly bool, stdout io.Writer) error {
	p, err := newPrinting(cfg, usual, environ, check, stdout)
	if err != nil {
		return err
	}
	p.changedOnly = changedOnly
	p.all()
	for _, r := range p.repeated {
		for _, e := range r.inOrder() {
			p.one(e)
		}
	}
	err = p.w.Flush()
	for _, warning := range p.warnings {
		fmt.Fprintln(stdout, warning)
	}
	return err
}

// PrintOne is [Print] of what is not as it is by default for one of each, by its name:
// what is set for it, and what it inherits; of "" what holds where there is none.
func PrintOne(cfg, usual any, environ []string, check func() error, name string, stdout io.Writer) error {
	p, err := newPrinting(cfg, usual, environ, check, stdout)
	if err != nil {
		return err
	}
	p.changedOnly = true
	if name == "" {
		p.all()
		return p.w.Flush()
	}
	told := p.w
	p.w = tabwriter.NewWriter(io.Discard, 0, 0, 2, ' ', 0)
	p.all() // to know what is changed
	p.w, p.changedOnly = told, false
	for _, r := range p.repeated {
		for _, e := range r.elements {
			if e.name == name {
				p.one(e)
			}
		}
	}
	return p.w.Flush()
}

// printing writes variables.
type printing struct {
	*loading
	changedOnly bool
	now, before map[any]string
	w           *tabwriter.Writer
	changed     map[*Variable]bool // those that stand once: what holds is not so by default
	usual       []Variable         // those that stand once
}

func newPrinting(cfg, usual any, environ []string, check func() error, stdout io.Writer) (*printing, error) {
	l := load(cfg, environ, []func() error{check})
	if err := l.err(); err != nil {
		return nil, err
	}
	before := load(usual, unset, nil)
	if err := before.err(); err != nil {
		return nil, err
	}
	return &printing{
		loading: l, now: inForce(cfg), before: inForce(usual), usual: before.variables,
		w: tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0), changed: map[*Variable]bool{},
	}, nil
}

// all writes the variables that stand once.
func (p *printing) all() {
	for i := range p.variables {
		p.once(&p.variables[i], &p.usual[i])
	}
}

func (p *printing) line(name, origin, value string) {
	fmt.Fprintf(p.w, "%s\t%s\t%s\n", name, origin, value)
}

// once writes a variable that stands once, which usually is as another one.
func (p *printing) once(v, usual *Variable) {
	origin, changed, shown := v.Origin, v.Changed(), v.inForce(p.now)
	if origin == "default" && !v.Required && shown != usual.inForce(p.before) {
		origin, changed = "derived", true
	}
	if p.changed[v] = changed; changed || !p.changedOnly {
		p.line(v.Name, origin, shown)
	}
}

// one writes the variables of one of each: its own and what comes of them, and what it
// inherits, unless that is as by default.
func (p *printing) one(e *element) {
	idle := e.idle()
	for i := range e.variables {
		name := e.variables[i].Name
		v := e.variable(name)
		if v.of == nil || matches(idle, name) {
			continue // it is not for one alone, or not for this one
		}
		shown, base := v.inForce(p.now), v.base
		switch {
		case v.Origin == "set", v.Origin == "file", v.Origin == "platform":
			p.line(v.Name, v.Origin, shown)
		case base == nil:
		case v.Origin == "default" && p.changed[base] && shown == v.Shown(): // and not inherited
			p.line(v.Name, v.Origin, shown)
		case shown != base.inForce(p.now):
			p.line(v.Name, "derived", shown)
		case p.changed[base] && !p.changedOnly:
			p.line(v.Name, v.Origin, shown)
		}
	}
}

// idle returns patterns of the variables that mean nothing to e.
func (e *element) idle() []string {
	if says, ok := e.value.Addr().Interface().(interface{ Idle() []string }); ok {
		return says.Idle()
	}
	return nil
}

// inOrder returns r's elements in the order in which they are shown.
func (r *repeated) inOrder() []*element {
	ordered, ok := r.group.Addr().Interface().(interface{ Order() []int })
	if !ok {
		return r.elements
	}
	var all []*element
	for _, i := range ordered.Order() {
		all = append(all, r.elements[i])
	}
	return all
}

func (v Variable) inForce(all map[any]string) string {
	return cmp.Or(plain(all[v.value.Addr().Interface()]), v.Shown())
}

// inForce returns, by its address, what comes of each field that leaves it to
// others.
func inForce(cfg any) map[any]string {
	all := map[any]string{}
	var walk func(reflect.Value)
	walk = func(group reflect.Value) {
		if derived, ok := group.Addr().Interface().(interface{ InForce() map[any]string }); ok {
			maps.Copy(all, derived.InForce())
		}
		for field, value := range group.Fields() {
			switch {
			case !field.IsExported():
			case value.Kind() == reflect.Struct:
				walk(value)
			case value.Kind() == reflect.Slice && field.Tag.Get("each") != "":
				for i := range value.Len() {
					walk(value.Index(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(cfg).Elem())
	return all
}
