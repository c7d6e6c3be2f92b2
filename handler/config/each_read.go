package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// readEach makes a struct for each name of r's list, and sets what is given to it.
func (l *loading) readEach(r *repeated) {
	if r.list.text == "" && len(r.given) == 0 {
		return
	}
	r.prepare(l)
	names := r.listed()
	r.slice.Set(reflect.MakeSlice(r.slice.Type(), len(names), len(names)))
	for i, name := range names {
		r.add(name, i)
	}
	l.bind(r)
	for _, e := range r.elements {
		for i := range r.variables {
			if v := &r.variables[i]; v.Required && v.base == nil && !e.one().Sets(v.Name) {
				missing := e.inherited(v)
				l.refuse(missing, missing.missing())
			}
		}
	}
}

// listed returns the names that are right by themselves, whatever is wrong with the list:
// what is given to them is looked at, too.
func (r *repeated) listed() (names []string) {
	const most = 1000
	r.byPrefix, r.refused = map[string]*element{}, map[string]bool{}
	seen := map[string]bool{}
	if r.list.text == "" {
		return nil
	}
	for item := range strings.SplitSeq(r.list.text, ",") {
		name := Capitals(item)
		if _, err := r.list.read(item); err != nil {
			r.refused[name] = true
		} else if !seen[name] && len(names) < most {
			names = append(names, item)
			seen[name] = true
		}
	}
	return names
}

// A binding is a variable for which there is something in the environment.
type binding struct {
	*element
	variable *Variable // of the template
}

// bind sets what is given to r's structs. What is none of their variables becomes a
// stray.
func (l *loading) bind(r *repeated) {
	var bindings []binding
	for name, text := range r.given {
		switch readings := r.readings(name); {
		case len(readings) == 1:
			bindings = append(bindings, readings[0])
		case len(readings) > 1:
			l.strays = append(l.strays, ambiguous(name, readings))
		case isServiceLink(name, text) || isContainerLink(name, text):
			l.warnOfLink(r, name, text)
		case meant()[name].name != "":
			l.given[name] = text // it begins so by chance
		default:
			if stray := l.stray(r, name, text); stray != "" {
				l.strays = append(l.strays, stray)
			}
		}
	}
	order := map[*element]int{}
	for i, e := range r.elements {
		order[e] = i
	}
	slices.SortFunc(bindings, func(a, b binding) int {
		return cmp.Or(order[a.element]-order[b.element], slices.Compare(a.variable.index, b.variable.index))
	})
	for _, b := range slices.Compact(bindings) { // a secret may be given twice, as it is and in a file
		l.set(b)
	}
	slices.Sort(l.strays)
	slices.Sort(l.warnings)
}

// readings returns which variables of which structs a name can stand for.
func (r *repeated) readings(name string) (all []binding) {
	rest, ok := strings.CutPrefix(name, r.prefix)
	if !ok {
		return nil
	}
	for i := range len(rest) {
		if rest[i] != '_' {
			continue
		}
		e := r.byPrefix[rest[:i]]
		if e == nil {
			continue
		}
		v := r.byName[rest[i+1:]]
		if v == nil {
			if v = r.byName[strings.TrimSuffix(rest[i+1:], "_FILE")]; v == nil || !v.Secret {
				continue
			}
		}
		if !v.whole {
			all = append(all, binding{e, v})
		}
	}
	return all
}

func ambiguous(name string, readings []binding) string {
	var ways []string
	for _, b := range readings {
		ways = append(ways, fmt.Sprintf("%s of %q", b.variable.Name, b.name))
	}
	return fmt.Sprintf("%s: may be %s; give one of them another name", name, either(ways))
}

// set sets a variable of one of each to what is given.
func (l *loading) set(b binding) {
	v := b.inherited(b.variable)
	err := v.emptyDoor(b.given)
	if err == nil && b.given[v.Name] == "" && (!v.Secret || b.given[v.Name+"_FILE"] == "") {
		return
	}
	b.own = append(b.own, v)
	one := b.one()
	if one.own == nil {
		one.own = map[string]bool{}
	}
	one.own[b.variable.Name] = true
	v.Origin = "set"
	if err == nil {
		err = v.choose(b.given, map[string]string{v.Name: l.defaults[b.variable.Name]})
	}
	if err == nil {
		err = v.set()
	}
	l.refuse(v, err)
}

// set sets the field to what the text stands for. Words that switch off do so where
// it is said what zero stands for; elsewhere where the type does not know them, and
// the variable is one that can be off.
func (v *Variable) set() error {
	_, worded := v.tag.Lookup("zero")
	_, isDoor := v.tag.Lookup("door")
	isOff := v.text == "off" || v.text == "none" || v.text == "0"
	if isOff && worded {
		v.text = ""
		v.value.SetZero()
		return nil
	}
	value, err := v.read(v.text)
	switch {
	case err == nil:
		v.value.Set(value)
	case isOff && (isDoor || v.value.Kind() == reflect.Bool):
		v.value.SetZero()
		return nil
	}
	return v.wrong(err == nil)
}

// warnOfLink tells of what Kubernetes, or Docker, set for a service whose name looks
// like that of one of r: it is not heeded.
func (l *loading) warnOfLink(r *repeated, name, text string) {
	for prefix := range maps.Keys(r.byPrefix) {
		variable, ours := strings.CutPrefix(name, r.prefix+prefix+"_")
		if ours && l.byName[variable] != nil {
			l.warnings = append(l.warnings, fmt.Sprintf("%s=%.200q: ignored, looks like a Kubernetes service link", name, withoutCredentials(text)))
			return
		}
	}
}
