// Package config answers: what does the environment say?
//
// It has the kinds of values that variables hold, [Bytes] and [CIDRs] among them,
// and reads environment variables into the fields of a struct, whose tags say
// what a variable is:
//
//	env         its name; ",required" behind it: there is no doing without
//	envDefault  its value when it is not set
//	envPrefix   of a field that is a struct: begins each name in there
//	doc         what it means
//	alike       of a field that is a struct like another one: what to say of all its variables in one row
//	example     what to suggest when it is required and missing
//	auto        what "auto" stands for where the platform has no default
//	zero        what its value stands for when it is zero or empty
//	min, max    the least and the greatest value, of a number or a duration
//	within      the variable above which its value is of no use
//	needs       what it is of no use without, see [Variable]
//	list        "true": blanks and line ends separate its items as commas do
//	door        how to open on purpose what it keeps closed: set but empty, it is refused
//	secret      "true": it is never shown, and NAME_FILE names a file to read it from
//	unless      the variable with which there is doing without one that is required
//	each        of a slice of structs: the field beside it that lists names, for each of which there is one
//	whole       "true": of a variable, or a struct of them, in there: it holds for all, and is not for one alone to set
//
// The structs of a slice with the tag each have a [One]. What begins their variables
// is envPrefix and the name, in capitals and with _ for -. One that is not set has the
// value of the variable outside that has the rest of its name and its type: it inherits that.
// To switch off what would be inherited, off, none or 0 is written, whatever else the
// type reads: it stands for zero where a tag zero says what that means.
//
// A type may parse itself as an [encoding.TextUnmarshaler]; its error is shown
// to whoever wrote the value, behind the variable's name, and those that it
// joined are shown a line each. Nothing that is wrong falls back to a default.
package config

import (
	"maps"
	"slices"
	"strings"
)

// Faults are all that is wrong with what the user wrote, a line each.
type Faults []string

func (f Faults) Error() string { return strings.Join(f, "\n") }

// Load sets cfg, a pointer to a struct, from environ, of the form of
// [os.Environ], in which an empty value means that a variable is not set, but
// for those of a door. warnings are about names that may be misspelled. The
// error is [Faults], all of them, the warnings behind; cfg then holds what is
// right.
//
// Each of checks is asked, once cfg is set, what is wrong with values that are
// right by themselves. Its error joins one for each complaint, as [Wrong] makes
// them. A complaint in which a variable takes part whose value is not known is not
// heard: the field is zero then.
func Load(cfg any, environ []string, checks ...func() error) (variables []*Variable, warnings []string, err error) {
	l := load(cfg, environ, checks)
	return l.all(), l.warnings, l.err()
}

// ignore removes from given what is not meant for us.
func ignore(given map[string]string, known []string) {
	maps.DeleteFunc(given, func(name, text string) bool {
		return isServiceLink(name, text) || isContainerLink(name, text) && !slices.Contains(known, name) || name == "PLATFORM" && text == "auto"
	})
}

// namesOf returns the names that are read.
func namesOf(variables []Variable) (known []string) {
	known = make([]string, 0, 2*len(variables))
	for _, v := range variables {
		known = append(known, v.Name)
		if v.Secret {
			known = append(known, v.Name+"_FILE")
		}
	}
	return known
}
