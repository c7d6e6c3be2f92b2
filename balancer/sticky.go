package balancer

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler"
	"spangate/handler/config"
)

// sticky keeps a client with the backend that answered it first, by a cookie.
// It is safe for concurrent use.
//
// The cookie's value is a digest of the backend's name: the same after a
// restart and in every instance, without a secret that they would have to
// share. It does not tell the name, though who guesses a name can check the
// guess. Forging one gains nothing: it leads to a backend that the client could
// have been given anyway, and a value that no ready backend has is as good as
// no cookie. The cookie is passed on to the backend like any other: it tells it
// nothing new, and taking it out would cost each request a copy of the field.
type sticky struct {
	name    CookieName
	inner   picker
	holders prepared[map[string]*Backend] // by the cookie's value
}

// newSticky returns the stickiness of the cookie of that name, or none if it
// is empty. inner picks the backend of requests that carry no cookie of a
// backend that is ready.
func newSticky(name CookieName, inner picker) *sticky {
	s := &sticky{name: name, inner: inner}
	s.holders.prepare = s.holdersAmong
	return s
}

// pick is a [picker].
func (s *sticky) pick(r *http.Request, ready []*Backend) *Backend {
	if s.name == "" {
		return s.inner(r, ready)
	}
	// Of several cookies of that name any may be the one: a browser sends those
	// of a longer path first, whoever set them.
	for value := range cookies(r.Header, string(s.name)) {
		if b := (*s.holders.of(ready))[value]; b != nil {
			return b
		}
	}
	return s.inner(r, ready)
}

func (s *sticky) holdersAmong(ready []*Backend) map[string]*Backend {
	holders := make(map[string]*Backend, len(ready))
	for _, b := range ready {
		digest := s.digest(b)
		holders[string(digest[:])] = b
	}
	return holders
}

// bind makes the client of resp stick to b, which answered r with it, unless r
// says that it does already, or to another backend that is ready: that one
// has failed this request, which need not be the end of a session. An answer of
// 500 and above binds nobody: the next request may fare better elsewhere. r
// is the request that was sent.
func (s *sticky) bind(r *http.Request, resp *http.Response, b *Backend) {
	if s.name == "" || resp.StatusCode >= http.StatusInternalServerError {
		return
	}
	digest := s.digest(b)
	for value := range cookies(r.Header, string(s.name)) {
		if value == string(digest[:]) || s.holders.latest()[value] != nil {
			return
		}
	}
	cookie := string(s.name) + "=" + string(digest[:]) + "; Path=/; HttpOnly; SameSite=Lax"
	if handler.ClientOf(r).Scheme == "https" {
		cookie += "; Secure"
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	resp.Header["Set-Cookie"] = append(resp.Header["Set-Cookie"], cookie)
}

// digest returns the value of b's cookie: 72 bits, so that two backends do not
// share one.
func (s *sticky) digest(b *Backend) (digest [12]byte) {
	// In an array, so that nothing is allocated for names of usual length.
	text := append(append(append(make([]byte, 0, 256), s.name...), 0), b.ID()...)
	sum := sha256.Sum256(text)
	base64.RawURLEncoding.Encode(digest[:], sum[:9])
	return digest
}

// CookieName is the name of a cookie. Empty, it stands for none.
type CookieName string

// UnmarshalText checks that the name is one, RFC 6265 §4.1.1.
func (c *CookieName) UnmarshalText(text []byte) error {
	if config.IsOff(text) {
		*c = ""
		return nil
	}
	if len(text) > 0 && !httpguts.ValidHeaderFieldName(string(text)) {
		return fmt.Errorf("must be a cookie's name: letters, digits and !#$%%&'*+-.^_`|~")
	}
	*c = CookieName(text)
	return nil
}

// maxCookies is how many cookies of a request are looked at. Browsers send
// fewer than 200; a client that sends more wants to keep us busy.
const maxCookies = 256

// cookies yields the values of the cookies of that name in a request's header,
// without quotes, in order. It takes whatever a client writes and allocates
// nothing.
func cookies(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := 0
		for _, line := range h["Cookie"] {
			for line != "" {
				if seen++; seen > maxCookies {
					return
				}
				pair, rest, _ := strings.Cut(line, ";")
				line = rest
				key, value, ok := strings.Cut(pair, "=")
				if !ok || strings.Trim(key, " \t") != name {
					continue
				}
				value = strings.Trim(value, " \t")
				if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
				if !yield(value) {
					return
				}
			}
		}
	}
}
