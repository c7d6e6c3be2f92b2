package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Token is what shows who the proxy is.
type Token struct {
	lines func() []string // of the field that it is sent in; nobody prints what a function returns
	life  time.Duration   // for how long it is valid once it has come
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

// newToken returns the token of that value, which is valid for so long. Its error says
// nothing of the value.
func newToken(value string, life time.Duration) (Token, error) {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == ',' }
	switch {
	case value == "":
		return Token{}, errors.New("answered with an empty token")
	case len(value) > longest:
		return Token{}, fmt.Errorf("answered with a token of more than %d KiB", longest>>10)
	case strings.ContainsFunc(value, odd):
		return Token{}, errors.New("answered with a token that cannot stand in a field")
	case life <= 0:
		return Token{}, errExpired
	}
	lines := []string{"Bearer " + value}
	return Token{func() []string { return lines }, life}, nil
}

// is reports whether the two are sent alike.
func (t *Token) is(other Token) bool { return slices.Equal(t.lines(), other.lines()) }

// use returns for how long the token can be sent, once it has come.
func (t *Token) use() time.Duration { return t.life - min(skew, t.life/10) }

// rest returns after how long it is time for another one.
func (t *Token) rest() time.Duration { return t.life - min(early, t.life/5) }
