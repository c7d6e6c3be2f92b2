package environ

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
)

// A Variable is a field of a configuration that has an env tag.
type Variable struct {
	Name     string
	Default  string // whatever the platform
	Auto     string // what "auto" stands for, unless the platform says; it stands for itself when empty
	Min, Max string // least and greatest value; there is none when empty
	Doc      string // what it means
	Required bool
	Secret   bool
	Origin   string // set, file, platform or default; empty before Load

	text  string // what the value is parsed from
	field reflect.StructField
	value reflect.Value
}

// Variables returns the variables of cfg, a pointer to a struct, in its order.
func Variables(cfg any) []Variable {
	return variablesIn(reflect.ValueOf(cfg).Elem(), "")
}

func variablesIn(group reflect.Value, prefix string) (all []Variable) {
	for field, value := range group.Fields() {
		tag := field.Tag
		name, options, _ := strings.Cut(tag.Get("env"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			all = append(all, Variable{
				Name: prefix + name, Default: tag.Get("envDefault"), Auto: tag.Get("auto"), Min: tag.Get("min"), Max: tag.Get("max"), Doc: tag.Get("doc"),
				Required: options == "required", Secret: tag.Get("secret") == "true",
				field: field, value: value,
			})
		case value.Kind() == reflect.Struct:
			all = append(all, variablesIn(value, prefix+tag.Get("envPrefix"))...)
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
	switch example := v.field.Tag.Get("example"); {
	case v.text != "" || !v.Required:
		return nil
	case example != "":
		return fmt.Errorf("%s: required, e.g. %s", v.Name, example)
	default:
		return fmt.Errorf("%s: required: %s", v.Name, v.Doc)
	}
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
	switch {
	case err == nil:
		v.value.Set(value)
		return nil
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
		all = append(all, fmt.Errorf("%s: %.500s", v.Name, plain(reason.Error())))
	}
	return errors.Join(all...)
}

// parse converts text as package env does, but in a struct of one field: env's
// errors name the field, and several structs have one of that name.
func (v *Variable) parse(text string) (reflect.Value, error) {
	field := reflect.StructField{Name: v.field.Name, Type: v.field.Type, Tag: `env:"V" ` + v.field.Tag}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := env.ParseWithOptions(alone.Interface(), env.Options{Environment: map[string]string{"V": text}})
	if perr, ok := errors.AsType[env.ParseError](err); ok {
		err = reason(v.field.Type, perr.Err)
	}
	return alone.Elem().Field(0), err
}
