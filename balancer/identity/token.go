package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Token is what shows who the proxy is.
type Token struct {
	value   string
	sent    []string // as the lines of a field
	got     time.Time
	expires time.Time // by the wall clock, as the other one stands still while a machine sleeps
}

const (
	// skew is how long before its end a token is sent no more: for the way to the
	// backend, and for clocks that do not agree.
	skew = 10 * time.Second
	// early is how long before its end it is time for another one. Google's metadata
	// server hands out the same token until four minutes before its end: whoever asks
	// sooner gets what he has.
	early = 3*time.Minute + 45*time.Second
	// unsaid is how long a token is kept that does not say how long it can be.
	unsaid = 5 * time.Minute
	// longest bounds a token, so that there is room for others' fields in a header.
	longest = 16 << 10
)

var errExpired = errors.New("answered with a token that has expired already: does this host's clock agree with theirs?")

// newToken returns the token of that value. Its error says nothing of the value.
func newToken(value string, expires time.Time) (Token, error) {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == ',' }
	switch {
	case value == "":
		return Token{}, errors.New("answered with an empty token")
	case len(value) > longest:
		return Token{}, fmt.Errorf("answered with a token of more than %d KiB", longest>>10)
	case strings.ContainsFunc(value, odd):
		return Token{}, errors.New("answered with a token that cannot stand in a field")
	}
	t := Token{value: value, sent: []string{"Bearer " + value}, got: time.Now().Round(0), expires: expires.Round(0)}
	if !t.valid(t.got) {
		return Token{}, errExpired
	}
	return t, nil
}

// valid reports whether the token can be sent.
func (t *Token) valid(now time.Time) bool {
	return t.sent != nil && now.Before(t.expires.Add(-min(skew, t.life()/10)))
}

// refresh returns when it is time for another one.
func (t *Token) refresh() time.Time { return t.expires.Add(-min(early, t.life()/5)) }

func (t *Token) life() time.Duration { return t.expires.Sub(t.got) }

// String keeps a token out of whatever is printed.
func (t Token) String() string { return "***" }

// GoString is as String is.
func (t Token) GoString() string { return "***" }
