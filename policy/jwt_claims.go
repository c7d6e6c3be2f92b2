package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenClaims are the claims of RFC 7519 §4.1 as they are asked for here. They
// are read strictly, as much of a token can be written by its user: names differ
// by case, none comes twice, and each value is of its type.
type tokenClaims struct{ jwt.RegisteredClaims }

// UnmarshalJSON reads the claims of a token.
func (c *tokenClaims) UnmarshalJSON(text []byte) error {
	members, err := uniqueMembers(text)
	if err != nil {
		return err
	}
	c.RegisteredClaims = jwt.RegisteredClaims{}
	for name, read := range map[string]func(json.RawMessage) error{
		"iss": func(text json.RawMessage) error { return readText(text, &c.Issuer) },
		"sub": func(text json.RawMessage) error { return readText(text, &c.Subject) },
		"aud": func(text json.RawMessage) error { return readTexts(text, &c.Audience) },
		"exp": func(text json.RawMessage) error { return readDate(text, &c.ExpiresAt) },
		"nbf": func(text json.RawMessage) error { return readDate(text, &c.NotBefore) },
		"iat": func(text json.RawMessage) error { return readDate(text, &c.IssuedAt) },
	} {
		if text, ok := members[name]; ok {
			if err := read(text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// Validate makes sure that there is a subject: without one a token lets in
// nobody in particular.
func (c *tokenClaims) Validate() error {
	if c.Subject == "" || len(c.Subject) > maxPrincipalName {
		return fmt.Errorf("sub: must have 1 to %d bytes", maxPrincipalName)
	}
	return nil
}

// uniqueMembers returns the members of a JSON object, no two of which may have
// the same name.
func uniqueMembers(text []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("is no object")
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("%.40q comes twice", name)
		}
		members[name.(string)] = value
	}
	return members, nil // what is behind them was looked at by whoever calls UnmarshalJSON
}

func readText(text json.RawMessage, to *string) error {
	if text[0] != '"' {
		return errors.New("is no text")
	}
	return json.Unmarshal(text, to)
}

// readTexts accepts a list, or its only element.
func readTexts(text json.RawMessage, to *jwt.ClaimStrings) error {
	if text[0] == '"' {
		*to = make(jwt.ClaimStrings, 1)
		return readText(text, &(*to)[0])
	}
	var elements []json.RawMessage
	if text[0] != '[' || json.Unmarshal(text, &elements) != nil {
		return errors.New("is no list")
	}
	*to = make(jwt.ClaimStrings, len(elements))
	for i := range elements {
		if err := readText(elements[i], &(*to)[i]); err != nil {
			return err
		}
	}
	return nil
}

// lastDate is the end of the year 9999, in seconds.
const lastDate = 253402300799

func readDate(text json.RawMessage, to **jwt.NumericDate) error {
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil || seconds < 0 || seconds > lastDate {
		return errors.New("is no date")
	}
	*to = jwt.NewNumericDate(time.Unix(int64(seconds), 0))
	return nil
}
