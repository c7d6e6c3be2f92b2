package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	// minAPIKey is the length of 16 random bytes written in no denser a way than as
	// they are: what can be guessed is no key.
	minAPIKey = 16
	// maxAPIKey bounds what a client has digested before it is let in.
	maxAPIKey = 256
)

// apiKeys maps the SHA-256 of a key to its name. Looking one up takes a time that
// depends on the digest of what a client sent, and says nothing about a key that
// begins alike: to make use of it one would have to find texts whose digests come
// close to a digest that one does not know.
type apiKeys map[[sha256.Size]byte]string

// parseAPIKeys reads name:key items. A key is plain or sha256:HEX.
func parseAPIKeys(text string) (apiKeys, error) {
	keys := apiKeys{}
	err := credentialItems(text, func(name, key string) error {
		digest, err := apiKeyDigest(key)
		if err != nil {
			return err
		}
		if keys[digest] != "" {
			return errors.New("must have a key of its own")
		}
		keys[digest] = name
		return nil
	})
	return keys, err
}

func apiKeyDigest(key string) (digest [sha256.Size]byte, err error) {
	if text, ok := strings.CutPrefix(key, "sha256:"); ok {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(digest) {
			return digest, errors.New("behind sha256: must be 64 hexadecimal digits")
		}
		return [sha256.Size]byte(b), nil
	}
	switch {
	case len(key) < minAPIKey || len(key) > maxAPIKey:
		return digest, fmt.Errorf("its key must have %d to %d characters", minAPIKey, maxAPIKey)
	case strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return digest, errors.New("its key must be visible ASCII characters")
	}
	return sha256.Sum256([]byte(key)), nil
}

// verify returns the name of the key that a client sent in the lines of its
// field.
func (k apiKeys) verify(lines []string) (Principal, authReason) {
	if len(lines) != 1 {
		return Principal{}, reasonMalformed // which one counts is anybody's guess
	}
	if len(lines[0]) < minAPIKey || len(lines[0]) > maxAPIKey {
		return Principal{}, reasonUnknownKey // though there may be a digest of it, such as that of nothing
	}
	name, ok := k[sha256.Sum256([]byte(lines[0]))]
	if !ok {
		return Principal{}, reasonUnknownKey
	}
	return Principal{Name: name, Method: methodAPIKey}, ""
}
