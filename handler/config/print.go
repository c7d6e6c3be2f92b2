package config

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"text/tabwriter"
)

// unset is an environment that sets nothing but what there is no doing without.
var unset = []string{"BACKENDS=echo:any", "PLATFORM=none"}

// Print writes the value in force of each variable in environ, or of each that is
// not what it is by default, and where it is from: set, file, platform, default, or
// derived from what others are; and then the warnings of [Load]. cfg and usual are
// pointers to empty structs of one type, and check is as for Load. Structs in there
// with a method InForce say what comes of fields that leave it to others, by the
// addresses of these.
func Print(cfg, usual any, environ []string, check func() error, changedOnly bool, stdout io.Writer) error {
	variables, warnings, err := Load(cfg, environ, check)
	if err != nil {
		return err
	}
	defaults, _, err := Load(usual, unset)
	if err != nil {
		return err
	}
	now, before := inForce(cfg), inForce(usual)
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for i, v := range variables {
		changed, shown := v.Changed(), v.inForce(now)
		if v.Origin == "default" && shown != defaults[i].inForce(before) {
			v.Origin, changed = "derived", true
		}
		if changed || !changedOnly {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Origin, shown)
		}
	}
	err = w.Flush()
	for _, warning := range warnings {
		fmt.Fprintln(stdout, warning)
	}
	return err
}

func (v Variable) inForce(all map[any]string) string {
	return cmp.Or(plain(all[v.value.Addr().Interface()]), v.Shown())
}

// inForce returns, by its address, what comes of each field that leaves it to
// others.
func inForce(cfg any) map[any]string {
	all := map[any]string{}
	var walk func(reflect.Value)
	walk = func(group reflect.Value) {
		if derived, ok := group.Addr().Interface().(interface{ InForce() map[any]string }); ok {
			maps.Copy(all, derived.InForce())
		}
		for i := range group.NumField() {
			if field := group.Field(i); field.Kind() == reflect.Struct && group.Type().Field(i).IsExported() {
				walk(field)
			}
		}
	}
	walk(reflect.ValueOf(cfg).Elem())
	return all
}
