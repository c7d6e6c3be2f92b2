package balancer

import (
	"slices"
	"strings"
	"time"
)

// InForce returns, by its address, what comes of fields that leave it to others.
func (c *Config) InForce() map[any]string {
	text := map[any]string{}
	if c.Host == HostAuto {
		text[&c.Host] = hostRules(c.Backends)
	}
	if c.Retry.TryTimeout == TryAuto {
		text[&c.Retry.TryTimeout] = "no limit"
		if limit := c.Retry.autoTryTimeout(c.ResponseTimeout); limit > 0 {
			text[&c.Retry.TryTimeout] = limit.Round(time.Millisecond).String() + " where another backend can be tried"
		}
	}
	return text
}

// hostRules says what auto comes to for these backends.
func hostRules(backends Members) string {
	var rules []string
	for _, m := range backends {
		rule := string(hostPreserve)
		if m.scheme == "https" {
			rule = string(hostBackend)
		}
		if !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	if len(rules) != 1 {
		return "backend for https, else preserve"
	}
	return strings.Join(rules, "")
}
