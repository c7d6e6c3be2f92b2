package environ

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Variable is a field of a configuration that has an env tag.
//
// Needs lists conditions, with blanks between them, without which a value that
// somebody set is of no use, and behind "; " what is so instead. Each condition
// is one of several that stand for themselves, with | between them: NAME (is on:
// neither zero nor empty), NAME=value, NAME!=value, or NAME*=part, where part is
// in the value. Values are in lower case. Names are those of the variables with
// the nearest prefix, so that a struct means its own wherever it stands.
type Variable struct {
	Name     string
	Default  string // whatever the platform
	Auto     string // what "auto" stands for, unless the platform says; it stands for itself when empty
	Min, Max string // least and greatest value; there is none when empty
	Doc      string // what it means
	Needs    string
	Within   string // the name of a variable: a greater value than its is of no use, unless that is zero
	Required bool
	Secret   bool
	Origin   string // set, file, platform or default; empty before Load

	text     string // what the value is parsed from
	alike    string // what else to say of all the variables of its struct together; they are those of another
	prefixes []string
	field    reflect.StructField
	value    reflect.Value
}

// Variables returns the variables of cfg, a pointer to a struct, in its order.
func Variables(cfg any) []Variable {
	return variablesIn(reflect.ValueOf(cfg).Elem(), []string{""}, "")
}

// variablesIn returns the variables of a struct. The last of prefixes begins
// their names, the others those of the structs around it.
func variablesIn(group reflect.Value, prefixes []string, alike string) (all []Variable) {
	prefix := prefixes[len(prefixes)-1]
	for field, value := range group.Fields() {
		tag := field.Tag
		name, options, _ := strings.Cut(tag.Get("env"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			all = append(all, Variable{
				Name: prefix + name, Default: tag.Get("envDefault"), Auto: tag.Get("auto"), Min: tag.Get("min"), Max: tag.Get("max"),
				Doc: tag.Get("doc"), Needs: tag.Get("needs"), Within: tag.Get("within"),
				Required: options == "required", Secret: tag.Get("secret") == "true",
				alike: alike, prefixes: prefixes, field: field, value: value,
			})
		case value.Kind() == reflect.Struct:
			all = append(all, variablesIn(value, append(slices.Clip(prefixes), prefix+tag.Get("envPrefix")), cmp.Or(tag.Get("alike"), alike))...)
		}
	}
	return all
}

// choose finds the variable's text: what was set, or else the default of the
// platform, or else its own.
func (v *Variable) choose(given, defaults map[string]string) (err error) {
	if file := v.Name + "_FILE"; v.Secret && given[file] != "" {
		v.Origin = "file"
		if given[v.Name] != "" {
			return fault(file, given[file], fmt.Errorf("%s is set too", v.Name))
		}
		v.text, err = readSecret(given[file])
		return fault(file, given[file], err)
	}
	if how, door := v.field.Tag.Lookup("door"); door {
		if err := v.emptyDoor(given, how); err != nil {
			return err
		}
	}
	isAuto := func(text string) bool { return v.Auto != "" && text == "auto" }
	switch text := given[v.Name]; {
	case text != "" && !isAuto(text):
		v.text, v.Origin = text, "set"
	case defaults[v.Name] != "":
		v.text, v.Origin = defaults[v.Name], "platform"
	case isAuto(text), isAuto(v.Default):
		v.text, v.Origin = v.Auto, "default"
	default:
		v.text, v.Origin = v.Default, "default"
	}
	if v.field.Tag.Get("list") == "true" {
		v.text = commas(v.text)
	}
	switch example := v.field.Tag.Get("example"); {
	case v.text != "" || !v.Required:
		return nil
	case example != "":
		return fmt.Errorf("%s: required, e.g. %s", v.Name, example)
	default:
		return fmt.Errorf("%s: required: %s", v.Name, v.Doc)
	}
}

// emptyDoor refuses a variable that is set but empty, or the one that names its
// file: a door must not be open because a variable of somebody's script was not
// set. how says what opens it on purpose.
func (v *Variable) emptyDoor(given map[string]string, how string) error {
	names := []string{v.Name}
	if v.Secret {
		names = append(names, v.Name+"_FILE")
	}
	empty := ""
	for _, name := range names {
		switch text, isSet := given[name]; {
		case strings.TrimSpace(text) != "":
			return nil
		case isSet && empty == "":
			empty = name
		}
	}
	if empty == "" {
		return nil
	}
	return fmt.Errorf("%s: is set but empty, which must not open the door by mistake; %s", empty, how)
}

// set gives the field the value that the text stands for.
func (v *Variable) set() error {
	value, err := v.parse(v.text)
	if err == nil && !utf8.ValidString(v.text) {
		err = errors.New("must be UTF-8") // telemetry could not send it
	}
	if err == nil && v.Min != "" {
		if least, _ := v.parse(v.Min); value.Int() < least.Int() {
			err = fmt.Errorf("must be at least %s", v.Min)
		}
	}
	if err == nil && v.Max != "" {
		if most, _ := v.parse(v.Max); value.Int() > most.Int() {
			err = fmt.Errorf("must be at most %s", v.Max)
		}
	}
	quoted := len(v.text) > 1 && strings.ContainsAny(v.text[:1], `"'`) && v.text[0] == v.text[len(v.text)-1]
	if err != nil && quoted {
		err = errors.New("leave out the quotes around it, which are a part of the value here")
	}
	switch {
	case err == nil:
		v.value.Set(value)
		return nil
	case v.Secret && quoted:
		return fmt.Errorf("%s: %w", v.Name, err)
	case v.Secret: // whose reason may quote the value
		return fmt.Errorf("%s: malformed; expected: %s", v.Name, v.Doc)
	default:
		return v.faults(each(err))
	}
}

// faults names the variable before each reason, and the whole text with a lone
// one: of several, each says which part of it is meant.
func (v *Variable) faults(reasons []error) error {
	if len(reasons) == 1 {
		return fault(v.Name, v.text, reasons[0])
	}
	var all []error
	for _, reason := range reasons {
		all = append(all, fmt.Errorf("%s: %.500s", v.Name, Plain(reason.Error())))
	}
	return errors.Join(all...)
}

// parse converts text as package env does. What env does with reflection for a
// whole struct is too slow to do for each variable.
func (v *Variable) parse(text string) (reflect.Value, error) {
	value := reflect.New(v.field.Type)
	into := value.Elem()
	var err error
	switch to := value.Interface().(type) {
	case encoding.TextUnmarshaler:
		err = to.UnmarshalText([]byte(text))
	case *[]string:
		*to = strings.Split(text, ",")
	case *time.Duration:
		*to, err = time.ParseDuration(text)
	default:
		switch {
		case into.Kind() == reflect.String:
			into.SetString(text)
		case into.Kind() == reflect.Bool:
			var b bool
			b, err = strconv.ParseBool(text)
			into.SetBool(b)
		case into.CanInt():
			var n int64
			n, err = strconv.ParseInt(text, 10, into.Type().Bits())
			into.SetInt(n)
		case into.CanUint():
			var n uint64
			n, err = strconv.ParseUint(text, 10, into.Type().Bits())
			into.SetUint(n)
		default:
			panic(fmt.Sprintf("environ: %s has the type %s", v.Name, v.field.Type))
		}
	}
	if err != nil {
		err = reason(v.field.Type, err)
	}
	return into, err
}
