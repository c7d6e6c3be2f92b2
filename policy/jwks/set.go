// Package jwks answers: which key may have signed this?
//
// A [Source] keeps the JSON Web Key Set (RFC 7517) of an issuer at hand.
package jwks

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Why there is no key for a signature.
var (
	// ErrUnknownKey: the issuer has no such key.
	ErrUnknownKey = errors.New("unknown key")
	// ErrAlgorithm: the key is there, and not for this algorithm.
	ErrAlgorithm = errors.New("the key is not for this algorithm")
	// ErrUnavailable: what keys the issuer has is not known at the moment.
	ErrUnavailable = errors.New("the issuer's keys are not available")
)

// Set is the keys of an issuer that can verify signatures. It never changes.
type Set struct {
	keys    []key
	ignored []error
}

// Parse reads the JSON of a key set. A key that is of no use here is left out
// and does not spoil the others: it may be for another purpose, or of a kind
// that is newer than this program. A set without any key that is of use is an
// error, as it is more likely to be a slip than the end of an issuer.
func Parse(text []byte) (*Set, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("is not a JSON Web Key Set: %w", err)
	}
	set := &Set{}
	for i, text := range document.Keys {
		k, err := parseKey(text)
		if err != nil {
			set.ignored = append(set.ignored, fmt.Errorf("key %d is ignored: %w%s", i+1, err, called(k.id)))
			continue
		}
		if slices.ContainsFunc(set.keys, k.confusable) {
			set.ignored = append(set.ignored, fmt.Errorf("key %d is ignored: so is another one like it%s", i+1, called(k.id)))
		}
		set.keys = append(set.keys, k)
	}
	if len(set.keys) == 0 {
		return nil, errors.Join(append([]error{errors.New("has no key that can verify signatures")}, set.Ignored()...)...)
	}
	return set, nil
}

// Len returns how many keys there are; a nil Set has none.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// called names a key by its id, if it has one, beside its place.
func called(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" (its id is %.80q)", id)
}

// Ignored returns why each of the keys that were left out was, and which are
// there in vain because nothing tells them from one another.
func (s *Set) Ignored() []error {
	if s == nil {
		return nil
	}
	return s.ignored
}

// Find returns the one key that has the id and is for the algorithm. Without an
// id it is the one key that is for the algorithm: where several are, a token has
// to say which one it means.
func (s *Set) Find(id, algorithm string) (crypto.PublicKey, error) {
	var found crypto.PublicKey
	err := ErrUnknownKey
	for _, k := range s.keys {
		switch {
		case id != "" && k.id != id:
		case !slices.Contains(k.algorithms, algorithm):
			if id != "" && found == nil {
				err = ErrAlgorithm
			}
		case found != nil:
			return nil, ErrUnknownKey // which of them is not said
		default:
			found, err = k.public, nil
		}
	}
	return found, err
}
