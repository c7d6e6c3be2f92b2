package field

import (
	"net/http"
	"slices"
)

// Answer is what policies have to say in the header of the answer to one request,
// whoever gives that: a backend, or the proxy itself. Who sends the header applies
// it, once. The zero value says nothing. It is not safe for concurrent use.
//
// Names are canonical. Values are shared, not copied: nobody may change them.
type Answer struct {
	set    []line
	forbid []string
	vary   []string
	other  map[string][]string // where nobody says anything else

	lines [3]line   // for set, as most have no more to say
	value [1]string // of the first that SetValue was told
}

type line struct {
	name   string
	values []string
}

// Set has the answer say values in the field of that name, in place of whatever
// else is said there, and also where the field is forbidden.
func (a *Answer) Set(name string, values ...string) {
	if a.set == nil {
		a.set = a.lines[:0]
	}
	a.set = append(a.set, line{name, values})
}

// SetValue is Set for a single value, which it returns as that of a field. A nil
// Answer says nothing.
func (a *Answer) SetValue(name, value string) []string {
	if a == nil {
		return []string{value}
	}
	values := a.value[:]
	if value == "" || a.value[0] != "" { // it is taken, or would not look so
		values = make([]string, 1)
	}
	values[0] = value
	a.Set(name, values...)
	return values
}

// Forbid keeps the fields of those names out of the answer.
func (a *Answer) Forbid(names ...string) { a.forbid = join(a.forbid, names) }

// Vary names fields of the request that the answer depends on, before those that
// the one who gives it names.
func (a *Answer) Vary(lines ...string) { a.vary = join(a.vary, lines) }

// Default has the answer say what fields says of those that nobody else says anything
// of. It replaces what an earlier Default was told. A nil Answer says nothing.
func (a *Answer) Default(fields map[string][]string) {
	if a != nil {
		a.other = fields
	}
}

// join returns b behind a, and changes neither.
func join(a, b []string) []string {
	if len(a) == 0 {
		return slices.Clip(b)
	}
	return append(slices.Clip(a), b...)
}

// Apply writes what a says into the header of the answer, which has what its giver
// says. A nil Answer says nothing.
func (a *Answer) Apply(header http.Header) {
	if a == nil {
		return
	}
	for _, name := range a.forbid {
		delete(header, name)
	}
	if len(a.vary) > 0 {
		header["Vary"] = join(a.vary, header["Vary"])
	}
	for _, l := range a.set {
		header[l.name] = l.values
	}
	for name, values := range a.other {
		if _, said := header[name]; !said {
			header[name] = values
		}
	}
}
