package action

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/rewrite"
)

// Redirect is where clients are sent. As text it is a URL, of http or https or a path of
// the same host, with a status before it if that is to be another one than 307: this is
// temporary, so that a mistake is not kept by browsers, as with most others who have a
// default, and does not make a GET of a POST, as theirs does.
type Redirect struct {
	status int
	url    rewrite.URLTemplate
	text   string
}

// UnmarshalText parses a redirect such as "308 /docs/{rest}".
func (d *Redirect) UnmarshalText(text []byte) error {
	parsed := Redirect{status: http.StatusTemporaryRedirect, text: string(text)}
	target := strings.TrimSpace(parsed.text)
	if status, rest, ok := strings.Cut(target, " "); ok {
		code, err := strconv.Atoi(status)
		switch {
		case err != nil:
			return errors.New("must be a URL, or a status, a blank and a URL")
		case !isRedirect(code):
			return fmt.Errorf("%d is none of 301, 302, 303, 307 and 308", code)
		}
		parsed.status, target = code, strings.TrimSpace(rest)
	}
	if err := parsed.url.UnmarshalText([]byte(target)); err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalText returns what the redirect was parsed from.
func (d Redirect) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// IsZero reports whether there is no redirect.
func (d Redirect) IsZero() bool { return d.status == 0 }

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// Check returns what is wrong with d for a route that takes requests by patterns, of
// which it has the paths: a variable that they do not have, or that whoever asks for a
// path is sent to that same path. Where the route is conditional, as it asks for more
// than host and path, that may be meant.
func (d *Redirect) Check(patterns []string, conditional bool) error {
	if d.IsZero() {
		return nil
	}
	wrong := []error{config.WrongFor(d, d.url.Unknown(patterns))}
	for _, pattern := range patterns {
		if !conditional && d.url.Is(pattern) {
			wrong = append(wrong, config.Wrong(d, "sends whoever asks for %s to where he is", pattern))
		}
	}
	return errors.Join(wrong...)
}

// Handler returns what sends clients there. answer has the last word about the header of
// its answers, behind which policies have theirs. refuse answers what is no request for
// a resource, what names no host that the URL needs, and who would be sent in a circle.
func (d Redirect) Handler(facts rewrite.Facts, answer *rewrite.Rewriter, refuse func(http.ResponseWriter, *http.Request, fault.Refusal)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := handler.RefusalOf(r); why.Status != 0 {
			refuse(w, r, why)
			return
		}
		target := handler.OutgoingURL(r)
		v := facts.ValuesOf(r, &target)
		location, ok := d.url.Expand(&v)
		switch {
		case !ok:
			refuse(w, r, fault.Refusal{Status: http.StatusBadRequest, Detail: "The request names no host."})
			return
		case v.AskedFor(location, d.status):
			refuse(w, r, fault.Refusal{Status: http.StatusLoopDetected, Detail: "The request goes round in a circle."})
			return
		}
		header := w.Header()
		header["Location"] = []string{location}
		header["Content-Length"] = zeroLength
		answer.Answer(header, &v)
		handler.AnswerOf(r).Apply(header)
		w.WriteHeader(d.status)
	})
}

var zeroLength = []string{"0"}
