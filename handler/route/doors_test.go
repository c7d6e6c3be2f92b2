package route

import (
	"path"
	"slices"
	"testing"

	"spangate/handler/config"
	"spangate/policy"
)

// A door that had a variable of another name would be taken from what routes inherit,
// whatever a route says.
func TestVariablesOfDoors(t *testing.T) {
	isOther := func(v config.Variable) bool { return v.Name != "MAX_REQUEST_BODY" }
	for name, door := range map[string]struct {
		variables []config.Variable
		patterns  []string
	}{
		"auth":        {config.Variables(&policy.AuthConfig{}), authVariables},
		"access":      {config.Variables(&policy.AccessConfig{}), accessVariables},
		"rate limit":  {config.Variables(&policy.RateLimitConfig{}), rateLimitVariables},
		"concurrency": {config.Variables(&policy.ConcurrencyConfig{}), concurrencyVariables},
		"body":        {slices.DeleteFunc(config.Variables(&policy.Config{}), isOther), bodyVariables},
	} {
		if len(door.variables) == 0 {
			t.Errorf("%s has no variables", name)
		}
		for _, v := range door.variables {
			if !slices.ContainsFunc(door.patterns, func(pattern string) bool { ok, _ := path.Match(pattern, v.Name); return ok }) {
				t.Errorf("%s of %s is none of %q", v.Name, name, door.patterns)
			}
		}
	}
}
