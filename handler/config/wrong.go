package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Fields are the addresses of fields that have variables.
type Fields []any

// Wrong returns a complaint about a field, of which it has the address, worded
// NAME="value": text, and NAME: text if it is a secret. About [Fields] it is worded
// NAME, NAME: text, for values that say nothing to whoever reads it. The text is
// that of [fmt.Errorf], with the name of the variable in place of the address of a
// field among args.
//
// Whoever complains does not know what the variables are called, which depends on
// where a struct stands: [Load] and [Named] do, and put the names in.
func Wrong(about any, format string, args ...any) error {
	if fields, ok := about.(Fields); ok {
		return &complaint{fields: fields, format: format, args: args}
	}
	return &complaint{fields: Fields{about}, showValue: true, format: format, args: args}
}

// WrongFor returns a complaint as [Wrong] does for each error that err joins; nil
// for none.
func WrongFor(about any, err error) error {
	var all []error
	for _, err := range each(err) {
		all = append(all, Wrong(about, "%w", err))
	}
	return errors.Join(all...)
}

// Named returns err, which may join several, with the names in complaints that the
// variables have in cfg, a pointer to a struct that has the fields. What several
// say is told once.
func Named(cfg any, err error) error {
	return NamedBy(func(name string) string { return name }, cfg, err)
}

// NamedBy is as [Named] is where variables are called otherwise than cfg says, as those
// of one of several are: called returns how, see [One.Called].
func NamedBy(called func(name string) string, cfg any, err error) error {
	if err == nil {
		return nil
	}
	variables := Variables(cfg)
	for i := range variables {
		variables[i].Name = called(variables[i].Name)
	}
	at := func(address any) *Variable { return variableOf(variables, address) }
	told := map[string]bool{}
	var all []error
	for _, err := range each(err) {
		if c, ok := errors.AsType[*complaint](err); ok {
			err = c.named(at)
		}
		if !told[err.Error()] {
			told[err.Error()] = true
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// complaint is an error that lacks the names of variables.
type complaint struct {
	fields    Fields
	showValue bool
	format    string
	args      []any
}

// Error returns the text as it is where nobody knows the names.
func (c *complaint) Error() string { return c.named(nowhere).Error() }

// Unwrap returns the cause, if there is one.
func (c *complaint) Unwrap() error { return errors.Unwrap(c.named(nowhere)) }

// nowhere knows no variable.
func nowhere(any) *Variable { return nil }

// named returns the error that c is where at knows the variables of fields.
//
// What one of each inherits has the name that it was set by. Where nobody has set it,
// it is called as it would have to be for that one, if anything else that c is about,
// or names, is that one's own: that is what it does not go with.
func (c *complaint) named(at func(address any) *Variable) error {
	about, beside := c.variables(at)
	own := slices.ContainsFunc(append(beside, about...), func(v *Variable) bool { return v.of != nil && v.source() == v })
	name := func(v *Variable) string {
		if source := v.source(); !own || source.Origin != "default" {
			return source.Name
		}
		return v.Name
	}
	var names []string
	for _, field := range c.fields {
		text := "?"
		if v := at(field); v != nil {
			text = name(v)
			if c.showValue && !v.Secret {
				text += fmt.Sprintf("=%.200q", withoutCredentials(formatted(v.value)))
			}
		}
		names = append(names, text)
	}
	args := []any{strings.Join(names, ", ")}
	for _, arg := range c.args {
		if v := at(arg); v != nil {
			arg = name(v)
		}
		args = append(args, arg)
	}
	return fmt.Errorf("%s: "+c.format, args...)
}

// variables returns those that c is about, and those that it names beside.
func (c *complaint) variables(at func(address any) *Variable) (about, beside []*Variable) {
	for _, field := range c.fields {
		if v := at(field); v != nil {
			about = append(about, v)
		}
	}
	for _, arg := range c.args {
		if v := at(arg); v != nil {
			beside = append(beside, v)
		}
	}
	return about, beside
}

// variableOf returns the variable whose field has an address, or nil.
func variableOf(variables []Variable, address any) *Variable {
	pointer := reflect.ValueOf(address)
	if pointer.Kind() != reflect.Pointer {
		return nil
	}
	for i := range variables {
		if v := &variables[i]; v.value.Type() == pointer.Type().Elem() && v.value.Addr().UnsafePointer() == pointer.UnsafePointer() {
			return v
		}
	}
	return nil
}

// formatted returns a value as somebody could have written it.
func formatted(value reflect.Value) string {
	if m, ok := value.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	if value.Kind() != reflect.Slice {
		return fmt.Sprint(value.Interface())
	}
	var items []string
	for i := range value.Len() {
		items = append(items, formatted(value.Index(i)))
	}
	return strings.Join(items, ",")
}
