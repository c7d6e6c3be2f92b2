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
	r.addListed(l.amiss[r.list.Name])
	l.bind(r)
	for _, e := range r.elements {
		for i := range r.variables {
			if v := &r.variables[i]; v.Required && v.base == nil && e.variable(v.Name).text == "" {
				missing := e.inherited(v)
				l.refuse(missing, missing.missing())
			}
		}
	}
}

// addListed makes a struct for each name of the list. What is wrong with a name is none
// of the others' business: what is given to them is looked at, too.
func (r *repeated) addListed(amiss bool) {
	const most = 1000
	r.byPrefix, r.refused = map[string]*element{}, map[string]bool{}
	if r.list.text == "" {
		return
	}
	names := strings.Split(r.list.text, ",")
	if amiss {
		names = slices.DeleteFunc(names, func(name string) bool {
			_, err := r.list.read(name)
			if err != nil {
				r.refused[Capitals(name)] = true
			}
			return err != nil
		})
	}
	names = names[:min(len(names), most)]
	r.slice.Set(reflect.MakeSlice(r.slice.Type(), len(names), len(names)))
	for i, name := range names {
		if written := Capitals(name); r.byPrefix[written] == nil {
			r.add(name, written, i)
		}
	}
	r.slice.SetLen(len(r.elements))
}

// A binding is a variable for which there is something in the environment.
type binding struct {
	*element
	variable *Variable // of the template
	name     string    // of it
}

func (b binding) compare(other binding) int {
	return cmp.Or(b.i-other.i, b.variable.order-other.variable.order)
}

// bind sets what is given to r's structs. What is none of their variables becomes a
// stray.
func (l *loading) bind(r *repeated) {
	bindings := make([]binding, 0, len(r.given))
	for name, text := range r.given {
		b, others := r.reading(name)
		switch {
		case others != nil:
			l.strays = append(l.strays, ambiguous(name, append(others, b)))
		case b.element != nil:
			bindings = append(bindings, b)
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
	slices.SortFunc(bindings, binding.compare)
	bindings = slices.CompactFunc(bindings, func(a, b binding) bool { return a.compare(b) == 0 }) // a secret may be given in a file, too
	own := make([]Variable, 0, len(bindings))
	for i, b := range bindings {
		if i == 0 || bindings[i-1].element != b.element {
			own = own[len(own):]
		}
		if v := b.called(b.name, b.variable); l.set(&v, r.given) {
			own = append(own, v)
		}
		b.own = own[:len(own):len(own)]
		b.one().own = b.own
	}
	for _, e := range r.elements {
		if e.own != nil {
			e.beginAnew()
		}
	}
	slices.Sort(l.strays)
	slices.Sort(l.warnings)
}

// reading returns which variable of which struct a name stands for, none if that has no
// element; and what else it can stand for.
func (r *repeated) reading(name string) (first binding, others []binding) {
	rest, ok := strings.CutPrefix(name, r.prefix)
	if !ok {
		return first, nil
	}
	for i := range len(rest) {
		if rest[i] != '_' {
			continue
		}
		e, called := r.byPrefix[rest[:i]], name
		if e == nil {
			continue
		}
		v := r.byName[rest[i+1:]]
		if v == nil {
			called = strings.TrimSuffix(name, "_FILE")
			if v = r.byName[strings.TrimSuffix(rest[i+1:], "_FILE")]; v == nil || !v.Secret {
				continue
			}
		}
		switch {
		case v.whole:
		case first.element == nil:
			first = binding{e, v, called}
		default:
			others = append(others, binding{e, v, called})
		}
	}
	return first, others
}

func ambiguous(name string, readings []binding) string {
	slices.SortFunc(readings, binding.compare)
	var ways []string
	for _, b := range readings {
		ways = append(ways, fmt.Sprintf("%s of %q", b.variable.Name, b.element.name))
	}
	return fmt.Sprintf("%s: may be %s; give one of them another name", name, either(ways))
}

// set sets a variable of one of each to what is given, and reports whether anything is.
func (l *loading) set(v *Variable, given map[string]string) bool {
	err := v.emptyDoor(given)
	if err == nil && given[v.Name] == "" && (!v.Secret || given[v.Name+"_FILE"] == "") {
		return false
	}
	if err == nil {
		err = v.choose(given, l.defaults[v.Name[len(v.of.prefix):]])
	}
	if v.Origin != "file" {
		v.Origin = "set" // auto, too, in place of what would be inherited
	}
	if err == nil {
		err = v.set()
	}
	l.refuse(v, err)
	return true
}

// set sets the field to what the text stands for. Words that switch off what would be
// inherited do so where it is said what zero stands for; elsewhere where the type does
// not know them, and the variable is one that can be off.
func (v *Variable) set() error {
	isOff := IsOff(v.text) && v.base != nil
	if _, worded := v.tag.Lookup("zero"); isOff && worded {
		v.text = ""
		v.value.SetZero()
		return nil
	}
	value, err := v.read(v.text)
	if err != nil && isOff && v.canBeOff() {
		if v.text = v.Default; v.text == "" {
			v.value.SetZero()
			return nil
		}
		value, err = v.own(v.text), nil // a door's stands open
	}
	v.value.Set(value)
	return v.wrong(err == nil)
}

// offWords returns the words that switch v off, and what holds then.
func (v *Variable) offWords() (words []string, comes string) {
	if !v.canBeOff() {
		return nil, ""
	}
	_, worded := v.tag.Lookup("zero")
	for _, word := range []string{"off", "none", "0"} {
		if value, err := v.read(word); worded || err != nil || value.IsZero() {
			words = append(words, word)
		}
	}
	return words, cmp.Or(v.tag.Get("zero"), v.Default, "off")
}

func (v *Variable) canBeOff() bool {
	_, worded := v.tag.Lookup("zero")
	_, isDoor := v.tag.Lookup("door")
	return worded || isDoor || v.value.Kind() == reflect.Bool
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
