package policy

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// Doors says who is let in: which credentials are asked for, which addresses may
// come, and what is limited. It shows no secret.
func (c Config) Doors() []slog.Attr {
	rate, _ := c.RateLimit.Limits.MarshalText()
	if len(c.RateLimit.Limits) > 0 && c.RateLimit.DryRun {
		rate = append(rate, ", dry run"...)
	}
	body, _ := c.MaxRequestBody.MarshalText()
	if c.MaxRequestBody == 0 {
		body = []byte(off)
	}
	concurrent := off
	if n := c.Concurrency.Max; n > 0 {
		concurrent = strconv.FormatInt(int64(n), 10)
	}
	return []slog.Attr{
		slog.String("authentication", c.Auth.methods()),
		slog.String("exempt_paths", c.Auth.exempt()),
		slog.String("allow_cidrs", c.Access.Allow.Summary()),
		slog.String("deny_cidrs", c.Access.Deny.Summary()),
		slog.String("rate_limit", string(rate)),
		slog.String("max_concurrent_requests", concurrent),
		slog.String("max_request_body", string(body)),
	}
}

// Open reports whether anybody may come in, from anywhere.
func (c Config) Open() bool {
	return !c.Auth.configured() && (c.Access.Allow.IsZero() || c.Access.Allow.All())
}

const off = "off"

// methods lists how one can be let in: off when anybody is.
func (c AuthConfig) methods() string {
	var all []string
	for _, method := range []struct {
		name string
		on   bool
	}{{methodAPIKey, c.APIKeys != ""}, {methodBasic, c.BasicUsers != ""}, {methodJWT, c.Token.JWKSURL != ""}, {methodClientCert, c.ClientCert != ""}} {
		if method.on {
			all = append(all, method.name)
		}
	}
	if all == nil {
		return off
	}
	return strings.Join(all, ",")
}

// exempt lists the paths that need no credentials, where others do, or how many they
// are when they are many.
func (c AuthConfig) exempt() string {
	const most = 8
	switch n := len(c.ExemptPaths); {
	case n == 0 || !c.configured():
		return "none"
	case n > most:
		return fmt.Sprintf("%d paths", n)
	}
	return strings.Join(c.ExemptPaths, ",")
}
