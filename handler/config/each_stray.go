package config

import (
	"fmt"
	"strings"
)

// stray says what a name is taken for that begins as those of r's variables do, and is
// none of them; "" if there is nothing to say.
func (l *loading) stray(r *repeated, name, text string) string {
	g := l.guess(r, r.rest(name))
	if g == nil || text == "" && !g.isDoor() {
		return ""
	}
	return plain(name) + ": " + g.String()
}

// rest returns what follows the prefix of r's variables in a name that begins with
// that, or with the list's own.
func (r *repeated) rest(name string) string {
	name = Capitals(strings.TrimPrefix(strings.ToUpper(name), ours))
	if rest, ok := strings.CutPrefix(name, r.list.Name+"_"); ok {
		return rest
	}
	return strings.TrimPrefix(name, r.prefix)
}

// ours begins what others would call a variable of ours.
const ours = "SPANGATE_"

// far is as many slips as nobody makes.
const far = 3

// guess is which variable of which struct may be meant by what follows r's prefix.
type guess struct {
	*repeated
	name     string // what stands there for that of the list
	element  string // the nearest of these; empty: none is near
	variable *Variable
	meant    string // what stands there for a variable, to which variable is the nearest; empty: its own name
	slips    int
}

// guess returns what is meant with the fewest slips, or nil.
func (l *loading) guess(r *repeated, rest string) (best *guess) {
	var elements, variables []string
	for _, e := range r.elements {
		elements = append(elements, Capitals(e.name))
	}
	for _, v := range r.variables {
		if !v.whole {
			variables = append(variables, v.Name)
		}
	}
	for i := range len(rest) {
		if rest[i] != '_' || i == 0 {
			continue
		}
		g := &guess{repeated: r, name: rest[:i]}
		g.variable = l.variableCalled(r, rest[i+1:])
		if r.byPrefix[g.name] != nil {
			g.element = g.name
		} else if near := Nearest(g.name, elements); near != "" {
			g.element, g.slips = near, distance(g.name, near, far)
		} else {
			g.slips = far
		}
		switch {
		case g.variable != nil && r.refused[g.name]:
			return nil
		case g.variable != nil && (len(r.elements) > 0 || !l.isWhole(g.variable)):
		case g.element == "":
			continue
		default:
			g.meant = rest[i+1:]
			near, slips := nearest(g.meant, alike(g.meant, variables), 2*slip)
			if of := meantOf(g.meant); r.byName[of] != nil {
				near, slips = of, 0
			}
			if slips > 2 && g.slips > 0 {
				continue
			}
			g.variable, g.slips = r.byName[near], g.slips+min(slips, far)
		}
		if best == nil || g.slips < best.slips || g.slips == best.slips && best.variable == nil {
			best = g
		}
	}
	if v := l.variableCalled(r, strings.TrimLeft(rest, "_")); best == nil && v != nil && len(r.elements) > 0 {
		return &guess{repeated: r, variable: v}
	}
	return best
}

// variableCalled returns the variable of one of r, or else the one that stands once,
// that a name is of, or of the file of.
func (l *loading) variableCalled(r *repeated, name string) *Variable {
	for _, name := range []string{name, strings.TrimSuffix(name, "_FILE")} {
		if v := r.byName[name]; v != nil {
			return v
		}
		if v := l.byName[name]; v != nil {
			return v
		}
	}
	return nil
}

// meantOf returns the name of a variable that is meant by another one.
func meantOf(name string) string {
	if m, ok := meantForEach[name]; ok {
		return m
	}
	return meant()[name].name
}

// isWhole reports whether v is not for one of each to set.
func (l *loading) isWhole(v *Variable) bool { return v.whole || l.byName[v.Name] == v }

func (g *guess) isDoor() bool {
	if g.variable == nil {
		return false
	}
	_, is := g.variable.tag.Lookup("door")
	return is
}

func (g *guess) String() string {
	noun := g.noun()
	asked := fmt.Sprintf("no %s is called %q", noun, inList(g.name))
	switch {
	case g.name == "":
		return fmt.Sprintf("is of no %s; that of one is %s<NAME>_%s", noun, g.prefix, g.variable.Name)
	case g.variable != nil && g.meant == "" && (g.variable.index == nil || g.variable.whole):
		return g.variable.Name + " holds for the whole program" + g.instead()
	case g.element == "" && len(g.elements) == 0:
		return asked + ", as " + g.list.Name + " is not set"
	case g.element == "":
		return asked + "; " + g.list.Name + " lists those that there are"
	case g.variable == nil:
		return fmt.Sprintf("unknown; spangate help %s says what a %s has", strings.ToLower(g.list.Name), noun)
	case g.meant != "" || g.element == g.name:
		return "unknown; did you mean " + g.prefix + g.element + "_" + g.variable.Name + "?"
	}
	return fmt.Sprintf("%s; did you mean %q (%s%s_%s)?", asked, g.byPrefix[g.element].name, g.prefix, g.element, g.variable.Name)
}

// instead says which variable of one is meant by that of the whole program.
func (g *guess) instead() string {
	of := g.byName[meantForEach[g.variable.Name]]
	if of == nil || g.element == "" {
		return ""
	}
	return "; did you mean " + g.prefix + g.element + "_" + of.Name + "?"
}

// inList returns how a name stands in a list that does so in the names of variables.
func inList(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// noun is what one of r is called.
func (r *repeated) noun() string { return strings.ToLower(strings.TrimSuffix(r.prefix, "_")) }
