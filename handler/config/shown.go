package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Shown returns what Load read, as it may be shown: in one line, without
// secrets, and in words where zero stands for something else. A value says by a
// method InForce() string what it comes to here.
func (v Variable) Shown() string {
	zero, worded := v.tag.Lookup("zero")
	switch {
	case v.Secret && v.text != "":
		return "***"
	case worded && !v.inUse():
		return zero
	case v.Required && v.text == "":
		return "none" // there is doing without, see unless
	}
	if v.value.IsValid() && v.text != "" {
		if says, ok := v.value.Interface().(interface{ InForce() string }); ok {
			return says.InForce()
		}
	}
	return plain(v.redacted())
}

// redacted returns the text as it may be shown, whether it stands for a value or not: a
// type whose values may hold secrets beside other things says by a method Redacted what
// is left of one.
func (v Variable) redacted() string {
	if !v.value.IsValid() {
		return v.text
	}
	if says, ok := reflect.Zero(v.value.Type()).Interface().(interface{ Redacted(string) string }); ok {
		return says.Redacted(v.text)
	}
	return v.text
}

// fault returns an error of one line, whatever the text; nil if err is nil.
func fault(name, text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s=%.200q: %.500s", name, withoutCredentials(text), plain(err.Error()))
}

// each returns the errors that err joins, at whatever depth: it alone when it
// joins none.
func each(err error) (all []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, err := range joined.Unwrap() {
		all = append(all, each(err)...)
	}
	return all
}

// plain returns text as it may be shown: in one line, without credentials.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, withoutCredentials(text))
}

// withoutCredentials hides those of a URL; rather too much than too little.
func withoutCredentials(text string) string {
	before, rest, isURL := strings.Cut(text, "//")
	if i := strings.LastIndexByte(rest, '@'); isURL && i >= 0 {
		return before + "//***" + rest[i:]
	}
	return text
}
