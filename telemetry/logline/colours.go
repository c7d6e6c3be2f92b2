package logline

import (
	"io"
	"os"
	"slices"
	"strings"
)

// Coloured reports whether w is a terminal that shows colours, by what is set in its
// environment (NAME=value), and whose user wants them (no-color.org).
func Coloured(w io.Writer, environ []string) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	value := func(name string) (value string) {
		for _, variable := range slices.Backward(environ) {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value
			}
		}
		return ""
	}
	terminal := value("TERM")
	return terminal != "" && terminal != "dumb" && value("NO_COLOR") == ""
}
