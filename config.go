package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"spangate/balancer"
	"spangate/handler/environ"
	"spangate/policy"
	"spangate/probe"
)

// printConfig prints what env configures: the value in force of each variable,
// or of each that is not what it is by default, and where it is from: set, file,
// platform, default, or derived from what others are.
func printConfig(env []string, changedOnly bool, stdout io.Writer) error {
	var cfg, usual config
	variables, warnings, err := environ.Load(&cfg, env, cfg.check)
	if err != nil {
		return err
	}
	defaults, _, err := environ.Load(&usual, []string{"BACKENDS=echo:any", "PLATFORM=none"})
	if err != nil {
		return err
	}
	inForce, usually := cfg.inForce(), usual.inForce()
	shown := func(v environ.Variable, inForce map[string]string) string {
		return cmp.Or(environ.Plain(inForce[v.Name]), v.Shown())
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for i, v := range variables {
		text := shown(v, inForce)
		changed := v.Changed()
		if v.Origin == "default" && text != shown(defaults[i], usually) {
			v.Origin, changed = "derived", true
		}
		if changed || !changedOnly {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Origin, text)
		}
	}
	for _, warning := range warnings {
		fmt.Fprintln(w, warning)
	}
	return w.Flush()
}

// inForce returns, by variable, what comes of values that leave it to others.
func (c *config) inForce() map[string]string {
	text := c.Setup.InForce()
	text["PROBE_TYPE"] = string(c.Probe.Kind())
	if c.Probe.Kind() == probe.TypeHTTP {
		text["PROBE_PATH"] = string(cmp.Or(c.Probe.Path, "/"))
	}
	if c.Balancer.Host == balancer.HostAuto {
		text["BACKEND_HOST"] = hostRules(c.Balancer.Backends)
	}
	if limits := c.Policy.RateLimit.Effective(); len(limits) > 0 {
		shortest := slices.MinFunc(limits, func(a, b policy.Limit) int { return cmp.Compare(a.Per, b.Per) })
		text["RATE_LIMIT_BURST"] = strconv.FormatInt(shortest.Burst, 10)
	}
	if c.Balancer.Retry.TryTimeout == balancer.TryAuto {
		text["RETRY_TRY_TIMEOUT"] = "no limit"
		retry := c.Balancer.Retry
		retry.ResponseTimeout = c.Balancer.ResponseTimeout
		if limit := retry.AutoTryTimeout(); limit > 0 {
			text["RETRY_TRY_TIMEOUT"] = limit.Round(time.Millisecond).String() + " where another backend can be tried"
		}
	}
	if c.Handler.AdminPort == 0 && c.Handler.Port != 0 {
		text["ADMIN_PORT"] = strconv.Itoa(int(c.Handler.Port))
	}
	return text
}

// hostRules says what auto comes to for these backends.
func hostRules(backends balancer.Members) string {
	var rules []string
	for _, m := range backends {
		rule := string(balancer.HostPreserve)
		if m.Scheme == "https" {
			rule = string(balancer.HostBackend)
		}
		if !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	if len(rules) > 1 {
		return "backend for https, else preserve"
	}
	return strings.Join(rules, "")
}
