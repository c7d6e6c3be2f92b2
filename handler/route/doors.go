package route

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Doors says who is let in where nothing else is said, as the policies do, and where
// routes let in somebody else what they say otherwise. Of many routes it tells some, those
// first that let in anybody.
func (r *Routes) Doors(all *Config) []slog.Attr {
	const most = 16
	global := all.Policy.Doors()
	var open, others []string
	for i := range r.Each {
		n := &r.Each[i]
		var differ []string
		for j, door := range n.Policy.Doors() {
			if !door.Equal(global[j]) {
				differ = append(differ, door.String())
			}
		}
		switch line := n.Name + ": " + strings.Join(differ, " "); {
		case differ == nil:
		case n.Policy.Open():
			open = append(open, line)
		default:
			others = append(others, line)
		}
	}
	told := slices.Concat(open, others)
	if told == nil {
		return global
	}
	if more := len(told) - most; more > 0 {
		told = append(told[:most], fmt.Sprintf("and %d more", more))
	}
	return append(global, slog.String("routes", strings.Join(told, "; ")))
}
