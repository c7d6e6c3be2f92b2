package config

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

	"github.com/caarlos0/env/v11"
)

// A Variable is a field of a configuration that has an env tag.
//
// Its tag needs lists conditions, with blanks between them, without which a value that
// somebody set is of no use, and behind "; " what is so instead. Each condition
// is one of several that stand for themselves, with | between them: NAME (is on:
// neither zero nor empty), NAME=value, NAME!=value, or NAME*=part, where part is
// in the value. Values are in lower case. Names are those of the variables with
// the nearest prefix, so that a struct means its own wherever it stands.
//
// Its tag instead says which question it answers together with others, see relate.
type Variable struct {
	Name     string
	Default  string // whatever the platform
	Required bool
	Secret   bool
	Origin   string // set, file, platform or default; empty before Load

	text     string // what the value is parsed from
	alike    string // what else to say of all the variables of its struct together; they are those of another
	prefixes []string
	tag      tag
	value    reflect.Value

	of      *element  // the one of each that it belongs to; nil: it stands once
	base    *Variable // whose value it has unless it is set; nil: its own
	index   []int     // its field's, within one of each
	order   int       // its own among all
	whole   bool      // it holds for the whole program, whatever struct it is inherited with
	instead []string  // one of each that sets one of these does not inherit it
	each    string    // begins the name by which one of each sets it; empty: none does
}

// Doc returns what the variable means.
func (v *Variable) Doc() string { return v.tag.Get("doc") }

// Min returns its least value, empty if there is none.
func (v *Variable) Min() string { return v.tag.Get("min") }

// auto returns what "auto" stands for, unless the platform says. It stands for
// itself when that is empty.
func (v *Variable) auto() string { return v.tag.Get("auto") }

// Variables returns the variables of cfg, a pointer to a struct, in its order, but
// for those of structs that are there once for each of a list.
func Variables(cfg any) []Variable {
	w := newWalk()
	w.add(reflect.ValueOf(cfg).Elem(), place{prefixes: []string{""}})
	return w.variables
}

// walk is what is found in a configuration.
type walk struct {
	tags      tag // of all fields
	variables []Variable
	repeated  []*repeated
}

// newWalk has room for roughly as many as there are.
func newWalk() *walk { return &walk{tags: make(tag, 0, 2048), variables: make([]Variable, 0, 256)} }

// place is where in a configuration a struct stands. The last of prefixes begins the
// names of its variables, the others those of the structs around it.
type place struct {
	prefixes []string
	alike    string
	index    []int // within one of each; nil: outside
	whole    bool
}

// add adds the variables of a struct.
func (w *walk) add(group reflect.Value, at place) {
	prefix := at.prefixes[len(at.prefixes)-1]
	for field, value := range group.Fields() {
		first := len(w.tags)
		w.tags = appendTag(w.tags, field.Tag)
		tag := w.tags[first:len(w.tags):len(w.tags)]
		name, options, _ := strings.Cut(tag.Get("env"), ",")
		inner := at
		if at.index != nil {
			inner.index = append(slices.Clip(at.index), field.Index...)
			inner.whole = at.whole || tag.Get("whole") == "true"
		}
		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			w.variables = append(w.variables, Variable{
				Name: prefix + name, Default: tag.Get("envDefault"), Required: options == "required", Secret: tag.Get("secret") == "true",
				alike: at.alike, prefixes: at.prefixes, tag: tag, value: value, index: inner.index, whole: inner.whole, order: len(w.variables),
			})
		case value.Kind() == reflect.Struct:
			inner.prefixes = append(slices.Clip(at.prefixes), prefix+tag.Get("envPrefix"))
			inner.alike = cmp.Or(tag.Get("alike"), at.alike)
			w.add(value, inner)
		case value.Kind() == reflect.Slice && tag.Get("each") != "":
			w.repeated = append(w.repeated, &repeated{group: group, prefix: prefix + tag.Get("envPrefix"), names: group.FieldByName(tag.Get("each")), slice: value})
		}
	}
}

// choose finds the variable's text: what was set, or else the default of the
// platform, or else its own.
func (v *Variable) choose(given map[string]string, platform string) (err error) {
	text, isSet := given[v.Name]
	if v.Secret {
		if file := v.Name + "_FILE"; given[file] != "" {
			v.Origin = "file"
			switch {
			case text != "":
				return fault(file, given[file], fmt.Errorf("%s is set too", v.Name))
			case isQuoted(given[file]):
				return fault(file, given[file], errQuoted)
			}
			v.text, err = readSecret(given[file])
			return fault(file, given[file], err)
		}
	}
	if isSet || v.Secret {
		if err := v.emptyDoor(given); err != nil {
			return err
		}
	}
	isAuto := func(text string) bool { return text == "auto" && v.auto() != "" }
	if text != "" && v.tag.Get("list") == "true" {
		text = commas(text)
	}
	switch {
	case text != "" && !isAuto(text):
		v.text, v.Origin = text, "set"
	case platform != "":
		v.text, v.Origin = platform, "platform"
	case isAuto(text), isAuto(v.Default):
		v.text, v.Origin = v.auto(), "default"
	default:
		v.text, v.Origin = v.Default, "default"
	}
	unless := v.tag.Get("unless")
	if v.text != "" || !v.Required || unless != "" && given[unless] != "" {
		return nil
	}
	return v.missing()
}

// missing returns that v, without which there is no doing, is not set.
func (v *Variable) missing() error {
	if example := v.tag.Get("example"); example != "" {
		return fmt.Errorf("%s: required, e.g. %s", v.Name, example)
	}
	return fmt.Errorf("%s: required: %s", v.Name, v.Doc())
}

// emptyDoor refuses a door's variable that is set but empty, or the one that names
// its file: a door must not be open because a variable of somebody's script was
// not set.
func (v *Variable) emptyDoor(given map[string]string) error {
	how, isDoor := v.tag.Lookup("door")
	if !isDoor {
		return nil
	}
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

// wrong returns what is wrong with the text. readable says that it stands for a
// value; otherwise it is to be found out. The field has the value if there is one.
func (v *Variable) wrong(readable bool) error {
	var err error
	quoted := isQuoted(v.text)
	if !readable && !quoted {
		_, err = v.parse(v.text)
	}
	switch {
	case quoted:
		err = errQuoted
	case err != nil:
	case !utf8.ValidString(v.text):
		err = errors.New("must be UTF-8") // telemetry could not send it
	case v.beyond(v.Min(), -1):
		err = fmt.Errorf("must be at least %s", v.Min())
	case v.beyond(v.tag.Get("max"), 1):
		err = fmt.Errorf("must be at most %s", v.tag.Get("max"))
	}
	switch {
	case err == nil:
		return nil
	case v.Secret && quoted:
		return fmt.Errorf("%s: %w", v.Name, err)
	case v.Secret: // whose reason may quote the value
		return fmt.Errorf("%s: malformed; expected: %s", v.Name, v.Doc())
	default:
		return v.faults(each(err))
	}
}

// errQuoted is of values whose quotes a shell would have taken off, and a file of
// variables does not. They would be a part even of a name or a path, and of a
// secret that nobody then knows: no value of ours has them.
var errQuoted = errors.New("leave out the quotes around it, which are a part of the value here")

func isQuoted(text string) bool {
	return len(text) > 1 && strings.ContainsAny(text[:1], `"'`) && text[0] == text[len(text)-1]
}

// beyond reports whether the value is less than bound, or with sign 1 greater.
func (v *Variable) beyond(bound string, sign int) bool {
	if bound == "" {
		return false
	}
	return cmp.Compare(v.value.Int(), v.own(bound).Int()) == sign
}

// faults names the variable before each reason, and the whole text with a lone
// one: of several, each says which part of it is meant.
func (v *Variable) faults(reasons []error) error {
	if len(reasons) == 1 {
		return fault(v.Name, v.redacted(), reasons[0])
	}
	var all []error
	for _, reason := range reasons {
		all = append(all, fmt.Errorf("%s: %.500s", v.Name, plain(reason.Error())))
	}
	return errors.Join(all...)
}

// own converts a text of v's tags, which is known to be right.
func (v *Variable) own(text string) reflect.Value {
	value, _ := v.read(text)
	return value
}

// read converts text as parse does, but for the reason why it cannot. It asks package
// env about the kinds only that hardly any variable has: parse takes longer.
func (v *Variable) read(text string) (reflect.Value, error) {
	pointer := reflect.New(v.value.Type())
	value := pointer.Elem()
	if u, ok := pointer.Interface().(encoding.TextUnmarshaler); ok {
		return value, u.UnmarshalText([]byte(text))
	}
	switch {
	case value.Type() == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		value.SetInt(int64(d))
		return value, err
	case value.CanInt():
		n, err := strconv.ParseInt(text, 10, value.Type().Bits())
		value.SetInt(n)
		return value, err
	case value.Kind() == reflect.Bool:
		is, err := strconv.ParseBool(text)
		value.SetBool(is)
		return value, err
	case value.Kind() == reflect.String:
		value.SetString(text)
		return value, nil
	}
	return v.parse(text)
}

// parse converts text as package env does for a field of v's type. It has a
// struct of that field alone: env's errors name the field, and several structs
// have one of that name. That takes as long as to read a dozen fields, and is for
// the few that ask.
func (v *Variable) parse(text string) (reflect.Value, error) {
	field := reflect.StructField{Name: "V", Type: v.value.Type(), Tag: `env:"V"`}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := env.ParseWithOptions(alone.Interface(), env.Options{Environment: map[string]string{"V": text}})
	if perr, ok := errors.AsType[env.ParseError](err); ok {
		err = reason(v.value.Type(), perr.Err)
	}
	return alone.Elem().Field(0), err
}
