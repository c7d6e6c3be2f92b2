package config

import (
	"strings"
	"unicode"
)

// commas returns a list whose items are separated by commas, blanks or line
// ends as one with commas alone. Where there is nothing between two commas there
// is nothing in what is returned, for the type to complain of.
func commas(list string) string {
	if strings.IndexFunc(list, unicode.IsSpace) < 0 {
		return list
	}
	var items []string
	for part := range strings.SplitSeq(list, ",") {
		if fields := strings.Fields(part); len(fields) > 0 {
			items = append(items, fields...)
		} else {
			items = append(items, "")
		}
	}
	return strings.Join(items, ",")
}
