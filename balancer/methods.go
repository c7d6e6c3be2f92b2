package balancer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Methods are names of methods of HTTP.
type Methods []string

// UnmarshalText parses a comma list of them.
func (m *Methods) UnmarshalText(text []byte) error {
	*m = nil
	var wrong []error
	for name := range strings.SplitSeq(string(text), ",") {
		name = strings.TrimSpace(name)
		upper := strings.ToUpper(name)
		known := slices.Contains([]string{"GET", "HEAD", "OPTIONS", "QUERY", "POST", "PUT", "PATCH", "DELETE"}, upper)
		switch {
		case !httpguts.ValidHeaderFieldName(name): // a token too
			wrong = append(wrong, fmt.Errorf("%q cannot be a method", name))
		case known && name != upper:
			wrong = append(wrong, fmt.Errorf("methods tell upper from lower case: write %s", upper))
		case upper == "CONNECT" || upper == "TRACE":
			wrong = append(wrong, fmt.Errorf("%s is not forwarded", upper))
		case slices.Contains(*m, name):
			wrong = append(wrong, fmt.Errorf("%s stands twice", name))
		default:
			*m = append(*m, name)
		}
	}
	return errors.Join(wrong...)
}

// MarshalText renders the list as UnmarshalText reads it.
func (m Methods) MarshalText() ([]byte, error) { return []byte(strings.Join(m, ",")), nil }
