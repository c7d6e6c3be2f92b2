package match

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"

	"spangate/handler/config"
)

// wanted is a condition on something that has a name.
type wanted struct {
	name     string
	value    string
	hasValue bool
}

// standing is whether a condition holds.
type standing uint8

const (
	fails standing = iota
	unclear
	holds
)

// standingOf returns whether a condition holds of something that is there so many times,
// so many of which are as it asks. Servers differ about which of several they heed: the
// first, the last, or all in one with commas between them (RFC 9110 §5.3).
func standingOf(there, right int) standing {
	switch {
	case right == 0:
		return fails
	case right < there:
		return unclear
	}
	return holds
}

// Headers are conditions on fields of the header. Where one occurs more than once, it is
// unclear what its value is unless all are the same. A list in one line is one value:
// nothing that is in it can be asked for by itself.
type Headers []wanted

// UnmarshalText parses a list, with commas or line ends between its items.
func (h *Headers) UnmarshalText(text []byte) error {
	all, err := parseWanted(string(text), ":", func(name string) (string, error) {
		switch {
		case name == "" || strings.Trim(name, capitals+"abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return "", errors.New("must be a field, X-Canary, or one with its value, X-Beta: 1")
		case strings.EqualFold(name, "Host"):
			return "", errors.New("is no condition on a field: a host stands in the pattern, as in example.com/*")
		}
		return http.CanonicalHeaderKey(name), nil
	})
	*h = all
	return err
}

// MarshalText renders the list as UnmarshalText reads it.
func (h Headers) MarshalText() ([]byte, error) { return []byte(textOf(h, ": ")), nil }

func (h Headers) standing(r *http.Request) standing {
	_, s := h.least(r)
	return s
}

// least returns which condition is furthest from holding, and how far.
func (h Headers) least(r *http.Request) (at int, s standing) {
	return least(h, func(w wanted) standing {
		lines := r.Header[w.name]
		right := 0
		for _, line := range lines {
			switch {
			case line == perhaps, line == unsaid && w.hasValue:
				return unclear
			case !w.hasValue, textproto.TrimString(line) == w.value:
				right++
			}
		}
		return standingOf(len(lines), right)
	})
}

// least returns which of all is furthest from holding, and how far.
func least(all []wanted, of func(wanted) standing) (at int, s standing) {
	s = holds
	for i, w := range all {
		if now := of(w); now < s {
			at, s = i, now
		}
	}
	return at, s
}

// Query are conditions on parameters of the query. Where one occurs more than once, it
// is unclear what its value is unless all are the same.
type Query []wanted

// UnmarshalText parses a list, with commas or line ends between its items.
func (q *Query) UnmarshalText(text []byte) error {
	all, err := parseWanted(string(text), "=", func(name string) (string, error) {
		if name == "" || strings.ContainsAny(name, "&#?") {
			return "", errors.New("must be a parameter, preview, or one with its value, preview=1")
		}
		return name, nil
	})
	*q = all
	return err
}

// MarshalText renders the list as UnmarshalText reads it.
func (q Query) MarshalText() ([]byte, error) { return []byte(textOf(q, "=")), nil }

func (q Query) standing(r *http.Request) standing {
	_, s := q.least(r)
	return s
}

// least is as that of [Headers] is.
func (q Query) least(r *http.Request) (at int, s standing) {
	return least(q, func(w wanted) standing {
		there, right := 0, 0
		for rest := r.URL.RawQuery; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, "&")
			name, value, _ := strings.Cut(pair, "=")
			if !isDecoded(name, w.name) {
				continue
			}
			if there++; !w.hasValue || isDecoded(value, w.value) {
				right++
			}
		}
		return standingOf(there, right)
	})
}

// isDecoded reports whether text is what a part of a query is encoded as.
func isDecoded(part, text string) bool {
	for i := 0; i < len(part); {
		c, width := part[i], 1
		switch c {
		case '+':
			c = ' '
		case '%':
			if d, w := escaped(part[i:]); w > 0 {
				c, width = d, w
			}
		}
		if text == "" || text[0] != c {
			return false
		}
		text, i = text[1:], i+width
	}
	return text == ""
}

// parseWanted parses items of a name, or of a name and its value.
func parseWanted(list, separator string, check func(name string) (string, error)) (all []wanted, err error) {
	var wrong []error
	for item := range items(list) {
		name, value, hasValue := strings.Cut(item, separator)
		w := wanted{strings.TrimSpace(name), strings.TrimSpace(value), hasValue}
		name, err := check(w.name)
		if err == nil && slices.ContainsFunc(all, func(other wanted) bool { return other.name == name }) {
			err = errors.New("is there twice")
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%.100q %w", item, err))
			continue
		}
		w.name = name
		all = append(all, w)
	}
	if len(wrong) == 0 && all == nil && list != "" {
		return nil, errNothing
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return all, nil
}

func textOf(all []wanted, separator string) string {
	var texts []string
	for _, w := range all {
		if w.hasValue {
			texts = append(texts, w.name+separator+w.value)
		} else {
			texts = append(texts, w.name)
		}
	}
	return strings.Join(texts, ",")
}

// ContentTypes are media types, in lower case, of which the content must be one; with
// an asterisk behind them those that begin so.
type ContentTypes []string

// UnmarshalText parses a list, with commas or line ends between its items.
func (c *ContentTypes) UnmarshalText(text []byte) error {
	*c = nil
	var all ContentTypes
	for item := range items(string(text)) {
		if !strings.Contains(item, "/") || strings.ContainsAny(strings.TrimSuffix(item, "*"), "*; ") {
			return fmt.Errorf("%.100q must be a media type such as application/json, or the beginning of several, application/grpc*", item)
		}
		all = append(all, strings.ToLower(item))
	}
	if all == nil && len(text) > 0 {
		return errNothing
	}
	*c = all
	return nil
}

// MarshalText renders the list as UnmarshalText reads it.
func (c ContentTypes) MarshalText() ([]byte, error) { return []byte(strings.Join(c, ",")), nil }

func (c ContentTypes) standing(r *http.Request) standing {
	if len(c) == 0 {
		return holds
	}
	lines := r.Header["Content-Type"]
	right := 0
	for _, line := range lines {
		if line == perhaps || line == unsaid {
			return unclear
		}
		if c.take(line) {
			right++
		}
	}
	return standingOf(len(lines), right)
}

// take reports whether a value of Content-Type is one of them.
func (c ContentTypes) take(line string) bool {
	media, _, _ := strings.Cut(line, ";")
	media = textproto.TrimString(media)
	return slices.ContainsFunc(c, func(want string) bool {
		if begin, found := strings.CutSuffix(want, "*"); found {
			return len(media) >= len(begin) && strings.EqualFold(media[:len(begin)], begin)
		}
		return strings.EqualFold(media, want)
	})
}

// Clients are networks of which the client must be in one; the zero value is all.
type Clients struct{ config.CIDRs }

// UnmarshalText parses a list as that of [config.CIDRs] does.
func (c *Clients) UnmarshalText(text []byte) error {
	*c = Clients{}
	var networks config.CIDRs
	switch err := networks.UnmarshalText(text); {
	case err != nil:
		return err
	case networks.All():
		return nil
	case networks.Empty():
		return errors.New("must be networks; nobody's requests would be taken")
	}
	c.CIDRs = networks
	return nil
}

func (c Clients) hold(client netip.Addr) bool { return c.IsZero() || c.Contains(client) }
