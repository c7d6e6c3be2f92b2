// Package rewrite answers: what does a backend see of a request, and what does a client
// see of its answer?
//
// A [Rewriter] changes the path and fields of requests, and maps back what an answer says
// of the backend's places. Nothing of a request or an answer that no configuration names
// changes a byte. Text that is made of what clients send is a [Template]'s.
package rewrite

import (
	"errors"
	"net/http"

	"spangate/handler/config"
)

// Config says what is changed, and can be said of all routes.
type Config struct {
	RequestHeaders  Fields    `env:"REQUEST_HEADERS" zero:"as they come" doc:"fields of requests as backends see them, one a line or comma: Name: value sets, +Name: value adds, ?Name: value where there is none, -Name removes; in values {host}, {path}, {query}, {client_ip}, {trace_id}, {request_id}, {route} and, in a route's, the variables of its pattern stand for what was sent, and {{ for a brace; a value that comes out empty, or above 8 KiB, is not sent"`
	ResponseHeaders Fields    `env:"RESPONSE_HEADERS" zero:"as they come" doc:"fields of answers as clients see them, in the same form; refusals and failures of the proxy's own have none of them"`
	Security        Security  `env:"SECURITY_HEADERS" envDefault:"off" doc:"on adds to answers, also the proxy's own, where they do not say otherwise: X-Content-Type-Options: nosniff, X-Frame-Options: SAMEORIGIN, Referrer-Policy: strict-origin-when-cross-origin, Cross-Origin-Opener-Policy: same-origin-allow-popups, X-Permitted-Cross-Domain-Policies: none, X-DNS-Prefetch-Control: off"`
	Responses       Responses `env:"REWRITE_RESPONSES" envDefault:"on" doc:"whether Location, Content-Location, Refresh, and path and domain of cookies, are mapped from what the backend calls its places to what clients do: on where the path is rewritten, always everywhere, or off"`
}

// Responses says which answers are mapped back.
type Responses string

// UnmarshalText parses on, always or off.
func (r *Responses) UnmarshalText(text []byte) error {
	return config.OneOf(r, text, "on", "always", "off")
}

// Check returns what is wrong with values that are right by themselves. vouched are the
// fields that policies write; patterns the paths of a route's patterns, none where c
// stands for all routes.
func (c *Config) Check(patterns, vouched []string) error {
	return errors.Join(
		c.RequestHeaders.check(reservedInRequest(vouched), patterns),
		c.ResponseHeaders.check(reservedInResponse(vouched), patterns),
	)
}

// Fields returns the names of the fields that c changes. A trailer may have none of
// them, nor may a name that would be taken for one pass.
func (c *Config) Fields() []string {
	return append(c.RequestHeaders.Names(), c.ResponseHeaders.Names()...)
}

// Rewriter changes requests and answers of one route. A nil Rewriter changes nothing. It
// is safe for concurrent use.
type Rewriter struct {
	cfg   Config
	path  Path
	facts Facts
	paths bool // the path is rewritten
	back  bool // answers are mapped back
}

// New returns what changes requests and answers as cfg and path say, nil if nothing does.
func New(cfg Config, path Path, facts Facts) *Rewriter {
	paths := !path.isZero()
	back := cfg.Responses == "always" || paths && cfg.Responses != "off"
	if !paths && !back && len(cfg.RequestHeaders.items)+len(cfg.ResponseHeaders.items) == 0 {
		return nil
	}
	return &Rewriter{cfg: cfg, path: path, facts: facts, paths: paths, back: back}
}

// Over returns next as what gets requests that have been changed, and whose answers are.
// Requests are those that [handler.Forward] sends. Over a nil Rewriter it is next itself.
func (rw *Rewriter) Over(next http.RoundTripper) http.RoundTripper {
	if rw == nil {
		return next
	}
	return &transport{rw, next}
}

// Answer changes the header of an answer to r that the route gives itself.
func (rw *Rewriter) Answer(header http.Header, v *Values) {
	if rw != nil {
		rw.cfg.ResponseHeaders.apply(header, v)
	}
}

type transport struct {
	*Rewriter
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. Its error is one of next, or a
// [fault.MalformedRequest] where the path, once rewritten, would lead out of its place.
func (t *transport) RoundTrip(out *http.Request) (*http.Response, error) {
	v := t.facts.ValuesOf(out, out.URL)
	path := v.path
	if t.paths {
		var err error
		if path, err = t.path.rewrite(out, &v); err != nil {
			return nil, err
		}
	}
	t.cfg.RequestHeaders.apply(out.Header, &v)
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if t.back && mapped(resp.Header) {
		b := newBack(&t.path, &v, path, out, resp)
		b.answer(resp.Header)
	}
	t.cfg.ResponseHeaders.apply(resp.Header, &v)
	return resp, nil
}

// mapped reports whether header has a field that is mapped back.
func mapped(header http.Header) bool {
	return header["Location"] != nil || header["Set-Cookie"] != nil || header["Content-Location"] != nil || header["Refresh"] != nil
}
