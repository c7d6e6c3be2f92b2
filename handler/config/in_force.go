package config

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
)

// Setting is variables and what comes of those that leave it to others, by the
// addresses of their fields.
type Setting struct {
	Variables []Variable
	InForce   map[any]string
}

func (s Setting) shown(i int) string {
	v := s.Variables[i]
	return cmp.Or(Plain(s.InForce[v.value.Addr().Interface()]), v.Shown())
}

// PrintInForce writes the value in force of each variable, or of each that is not
// what it is by default, and where it is from: set, file, platform, default, or
// derived from what others are. usual has the same variables, of which nobody has
// set any.
func PrintInForce(set, usual Setting, changedOnly bool, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for i, v := range set.Variables {
		changed := v.Changed()
		if v.Origin == "default" && set.shown(i) != usual.shown(i) {
			v.Origin, changed = "derived", true
		}
		if changed || !changedOnly {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Origin, set.shown(i))
		}
	}
	return w.Flush()
}
