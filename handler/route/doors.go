package route

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"spangate/handler/route/match"
	"spangate/policy"
)

// The variables of each kind of door, as [config.One.Own] takes them: a route that sets none
// of a kind has the door that holds for all.
var (
	authVariables        = []string{"AUTH_*"}
	accessVariables      = []string{"ALLOW_CIDRS", "DENY_CIDRS"}
	rateLimitVariables   = []string{"RATE_LIMIT*"}
	concurrencyVariables = []string{"MAX_CONCURRENT_*", "MAX_QUEUE*"}
	bodyVariables        = []string{"MAX_REQUEST_BODY"}
)

// doors are those that there are of different kinds, by what they are made of.
type doors map[string]match.Door

// of returns the door that cfg describes: 0 where it lets in everybody.
func (d *doors) of(cfg *policy.Config) match.Door {
	if cfg.Open() && cfg.Access.Deny.Empty() {
		return 0
	}
	made := fmt.Sprintf("%#v %#v", cfg.Auth, cfg.Access)
	if *d == nil {
		*d = doors{}
	}
	if (*d)[made] == 0 {
		(*d)[made] = match.Door(len(*d) + 1)
	}
	return (*d)[made]
}

// Doors says who is let in where nothing else is said, as the policies do, and where
// routes let in somebody else what they say otherwise. Of many routes it tells some, those
// first that let in anybody.
func (r *Routes) Doors(all *Config) []slog.Attr {
	const most = 16
	global := all.Policy.Doors()
	var open, others []string
	variables := slices.Concat(authVariables, accessVariables, rateLimitVariables, concurrencyVariables, bodyVariables)
	for i := range r.Each {
		n := &r.Each[i]
		if !n.Sets(variables...) {
			continue // it has those that hold for all
		}
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
