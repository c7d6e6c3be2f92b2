// Package action answers: what does a route say that asks no backend?
package action

import (
	"errors"
	"net/http"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/rewrite"
)

// Config is what a route does in place of asking a backend: one of these, or nothing.
type Config struct {
	Redirect Redirect `env:"REDIRECT" zero:"nowhere" doc:"where clients are sent: a URL of http or https, or a path such as /docs/{rest}, with the variables of the pattern, and {host}, {path}, {query} and {?}, which is the query with its question mark; 301, 302, 303, 307 or 308 and a blank before it say how, 307 unless they do"`
	Respond  Respond  `env:"RESPOND" zero:"nothing" doc:"answer that no backend gives: a status, its media type unless it is plain text, and its content, such as 200 application/json {}"`
	Body     BodyFile `env:"RESPOND_BODY_FILE" needs:"RESPOND" zero:"none" doc:"file that the content of RESPOND is in, of at most 1 MiB, read at the start; its name tells the media type unless RESPOND does"`
}

// Check returns what is wrong with values that are right by themselves, for a route that
// takes requests by patterns, of which it has the paths. It is conditional where it asks
// for more than host and path.
func (c *Config) Check(patterns []string, conditional bool) error {
	wrong := []error{c.Redirect.Check(patterns, conditional)}
	if c.Body.path != "" {
		switch {
		case c.Respond.body != "":
			wrong = append(wrong, config.Wrong(&c.Body, "%s has the content already", &c.Respond))
		case !c.Respond.IsZero() && !hasContent(c.Respond.status):
			wrong = append(wrong, config.Wrong(&c.Body, "an answer of %d has no content", c.Respond.status))
		}
	}
	return errors.Join(wrong...)
}

// Handler returns what does so, nil where nothing is done in place of asking a backend.
// answer has the last word about the header of its answers, behind which policies have
// theirs; refuse answers what is not for it.
func (c *Config) Handler(facts rewrite.Facts, answer *rewrite.Rewriter, refuse func(http.ResponseWriter, *http.Request, fault.Refusal)) http.Handler {
	switch {
	case !c.Redirect.IsZero():
		return c.Redirect.Handler(facts, answer, refuse)
	case !c.Respond.IsZero():
		return newResponder(c, facts, answer, refuse)
	}
	return nil
}
