package policy

import (
	"errors"
	"slices"
	"time"

	"spangate/handler/config"
)

// CORSConfig says which pages of other origins may use the service, and how.
// Methods and Headers that are nil stand for their defaults.
type CORSConfig struct {
	Origins             CORSOrigins   `env:"CORS_ALLOWED_ORIGINS" instead:"pages origins" envDefault:"none" list:"true" zero:"none" doc:"comma list of origins whose pages may use the service from a browser: https://app.example.com, https://*.example.com for all names below example.com at any depth, or * alone for all; none leaves CORS to the backends"`
	Methods             CORSMethods   `env:"CORS_ALLOWED_METHODS" envDefault:"GET,HEAD,POST,PUT,PATCH,DELETE" list:"true" needs:"CORS_ALLOWED_ORIGINS" doc:"comma list of methods that pages of these origins may use, or *; responses to others are not shown to them"`
	Headers             CORSHeaders   `env:"CORS_ALLOWED_HEADERS" envDefault:"Content-Type" list:"true" needs:"CORS_ALLOWED_ORIGINS" doc:"comma list of request header fields that they may set, or *, which is all but Authorization, or *,Authorization; none allows none but those that every page may"`
	Exposed             CORSExposed   `env:"CORS_EXPOSED_HEADERS" list:"true" needs:"CORS_ALLOWED_ORIGINS" zero:"none" doc:"comma list of response header fields that they may read, or *; a few such as Content-Type always are"`
	AllowCredentials    bool          `env:"CORS_ALLOW_CREDENTIALS" instead:"pages" envDefault:"false" needs:"CORS_ALLOWED_ORIGINS" doc:"true lets them send cookies and what else the browser knows of the user; asks for lists without *"`
	MaxAge              time.Duration `env:"CORS_MAX_AGE" envDefault:"2h" min:"0" needs:"CORS_ALLOWED_ORIGINS" doc:"how long browsers may keep what they were allowed, in whole seconds up to 24h; they have limits of their own, Chromium 2h"`
	AllowPrivateNetwork bool          `env:"CORS_ALLOW_PRIVATE_NETWORK" instead:"pages" envDefault:"false" needs:"CORS_ALLOWED_ORIGINS" doc:"true lets them use the service in a private network though they are public (Access-Control-Request-Private-Network)"`
}

var (
	defaultCORSMethods = CORSMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	defaultCORSHeaders = CORSHeaders{"content-type"}
)

func (c CORSConfig) methods() CORSMethods {
	if c.Methods == nil {
		return defaultCORSMethods
	}
	return c.Methods
}

func (c CORSConfig) headers() CORSHeaders {
	if c.Headers == nil {
		return defaultCORSHeaders
	}
	return c.Headers
}

// check returns what is insecure or senseless together though each value is
// right by itself, naming the variables.
func (c *CORSConfig) check() error {
	var wrong []error
	if c.MaxAge > 24*time.Hour || c.MaxAge%time.Second != 0 {
		wrong = append(wrong, config.Wrong(&c.MaxAge, "must be whole seconds, up to 24h"))
	}
	if len(c.Origins) > 0 {
		wrong = append(wrong, c.checkTrust())
	}
	return errors.Join(wrong...)
}

// checkTrust returns what must not be together with more trust in pages than
// anybody has who sends requests without a browser.
func (c *CORSConfig) checkTrust() error {
	var wrong []error
	for _, trust := range []*bool{&c.AllowCredentials, &c.AllowPrivateNetwork} {
		if !*trust {
			continue
		}
		for _, origin := range c.Origins {
			if origin == "*" {
				wrong = append(wrong, config.Wrong(&c.Origins, "not with %s: any page could act for its visitors; list the origins that may", trust))
			} else if p, err := parseOrigin(origin); err == nil && p.insecure() {
				wrong = append(wrong, config.Wrong(config.Fields{&c.Origins}, "%q: not with %s: whoever is on the way to a page without TLS can change it; use https", origin, trust))
			}
		}
	}
	if !c.AllowCredentials {
		return errors.Join(wrong...)
	}
	// Browsers take * for the name of a method or a field then.
	for _, list := range []struct {
		field  any
		values []string
	}{{&c.Methods, c.Methods}, {&c.Headers, c.Headers}, {&c.Exposed, c.Exposed}} {
		if slices.Contains(list.values, "*") {
			wrong = append(wrong, config.Wrong(config.Fields{list.field}, "* means nothing to browsers with %s: list the names", &c.AllowCredentials))
		}
	}
	return errors.Join(wrong...)
}
