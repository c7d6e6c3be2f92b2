// Package environ answers: what does the environment say?
//
// It reads environment variables into the fields of a struct, whose tags say
// what a variable is:
//
//	env         its name; ",required" behind it: there is no doing without
//	envDefault  its value when it is not set
//	envPrefix   of a field that is a struct: begins each name in there
//	doc         what it means
//	example     what to suggest when it is required and missing
//	auto        what "auto" stands for where the platform has no default
//	min, max    the least and the greatest value, of a number or a duration
//	secret      "true": it is never shown, and NAME_FILE names a file to read it from
//
// A type may parse itself as an [encoding.TextUnmarshaler]; its error is shown
// to whoever wrote the value, behind the variable's name, and those that it
// joined are shown a line each. Nothing that is wrong falls back to a default.
package environ

import (
	"maps"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Faults are all that is wrong with what the user wrote, a line each.
type Faults []string

func (f Faults) Error() string { return strings.Join(f, "\n") }

// Load sets cfg, a pointer to a struct, from environ, of the form of
// [os.Environ], in which an empty value means that a variable is not set.
// warnings are about names that may be misspelled. The error is [Faults], all
// of them, the warnings behind; cfg then holds what is right.
//
// Each of checks is asked, once cfg is set, what is wrong with values that are
// right by themselves; its error names their variables. The field of a variable
// that is at fault is zero then, and a check should not complain of that.
func Load(cfg any, environ []string, checks ...func() error) (variables []Variable, warnings []string, err error) {
	given := env.ToMap(environ)
	maps.DeleteFunc(given, func(_, text string) bool { return text == "" })
	defaults := platformDefaults(given)
	maps.DeleteFunc(given, func(name, text string) bool {
		return isServiceLink(name, text) || name == "PLATFORM" && text == "auto"
	})
	var wrong Faults
	var known []string
	variables = Variables(cfg)
	for i := range variables {
		v := &variables[i]
		err := v.choose(given, defaults)
		if err == nil && v.text != "" {
			err = v.set()
		}
		for _, err := range each(err) {
			wrong = append(wrong, err.Error())
		}
		known = append(known, v.Name)
		if v.Secret {
			known = append(known, v.Name+"_FILE")
		}
	}
	for _, check := range checks {
		for _, err := range each(check()) {
			wrong = append(wrong, plain(err.Error()))
		}
	}
	unknown, warnings := misspelled(given, known)
	if wrong = append(wrong, unknown...); len(wrong) > 0 {
		err = append(wrong, warnings...)
	}
	return variables, warnings, err
}
