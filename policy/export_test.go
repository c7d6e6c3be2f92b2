package policy

import "net/http"

// Check returns what is wrong with values that are right by themselves.
func (c *CORSConfig) Check() error { return c.check() }

// Check returns what is wrong with values that are right by themselves.
func (c *RateLimitConfig) Check() error { return c.check() }

// Func returns what finds the key of a request.
func (k RateLimitKey) Func() func(*http.Request) Key { return k.source() }
