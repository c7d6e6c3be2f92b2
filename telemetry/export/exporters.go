package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Exporters is where one signal goes: some of "otlp", "console", "console_json" and
// "prometheus", or nowhere when it is empty.
type Exporters []string

// UnmarshalText parses a comma list of exporters, or none. Its error joins one for each
// item that is wrong. Which signals each of them is for [Config.Check] knows.
func (e *Exporters) UnmarshalText(text []byte) error {
	*e = nil
	var wrong []error
	items := strings.Split(string(text), ",")
	for _, item := range items {
		item = strings.TrimSpace(item)
		switch {
		case item == "none" && len(items) > 1:
			wrong = append(wrong, errors.New("none must stand alone"))
		case item == "none", slices.Contains(*e, item):
		case item == "otlp", item == "console", item == "console_json", item == "prometheus":
			*e = append(*e, item)
		default:
			wrong = append(wrong, fmt.Errorf("%q must be otlp, console, console_json, prometheus or none", item))
		}
	}
	return errors.Join(wrong...)
}

// MarshalText renders the list as UnmarshalText reads it.
func (e Exporters) MarshalText() ([]byte, error) {
	if len(e) == 0 {
		return []byte("none"), nil
	}
	return []byte(strings.Join(e, ",")), nil
}

func (e Exporters) has(name string) bool { return slices.Contains(e, name) }
