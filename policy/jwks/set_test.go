package jwks_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"

	"spangate/policy/jwks"
)

// jwk is a key of a set, member by member.
type jwk map[string]any

// with returns the key with other members.
func (k jwk) with(members ...any) jwk {
	changed := jwk{}
	maps.Copy(changed, k)
	for i := 0; i < len(members); i += 2 {
		if changed[members[i].(string)] = members[i+1]; members[i+1] == nil {
			delete(changed, members[i].(string))
		}
	}
	return changed
}

func document(keys ...jwk) []byte {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return text
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaKey(bits int) jwk {
	n := big.NewInt(1)
	n.Lsh(n, uint(bits-1)).Add(n, big.NewInt(1)) // for a test of what is read, any odd number is a modulus
	return jwk{"kty": "RSA", "kid": "rsa", "n": b64(n.Bytes()), "e": "AQAB"}
}

var ecPoint = sync.OnceValue(func() []byte {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return point[1:]
})

func ecKey() jwk {
	return jwk{"kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(ecPoint()[:32]), "y": b64(ecPoint()[32:])}
}

func edKey() jwk {
	return jwk{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(make([]byte, ed25519.PublicKeySize))}
}

func TestParse(t *testing.T) {
	ec, rsa2048 := ecKey(), rsaKey(2048)
	for name, test := range map[string]struct {
		key       jwk
		algorithm string // that it is for
		ignored   string // why it is, instead
	}{
		"RSA":                          {key: rsa2048, algorithm: "RS256"},
		"RSA with PSS":                 {key: rsa2048, algorithm: "PS512"},
		"RSA of the largest size":      {key: rsaKey(8192), algorithm: "RS256"},
		"RSA with a leading zero":      {key: rsa2048.with("e", "AAEAAQ"), algorithm: "RS256"},
		"EC":                           {key: ec, algorithm: "ES256"},
		"Ed25519":                      {key: edKey(), algorithm: "EdDSA"},
		"one algorithm":                {key: rsa2048.with("alg", "PS256"), algorithm: "PS256"},
		"use and operations":           {key: ec.with("use", "sig", "key_ops", []string{"verify"}), algorithm: "ES256"},
		"certificates are not read":    {key: ec.with("x5c", []string{"?"}, "x5u", "http://x", "x5t", "?"), algorithm: "ES256"},
		"RSA of 1024 bits":             {key: rsaKey(1024), ignored: "1024 bits"},
		"RSA of 2047 bits":             {key: rsaKey(2047), ignored: "2047 bits"},
		"RSA too large":                {key: rsaKey(8193), ignored: "8193 bits"},
		"RSA without a modulus":        {key: rsa2048.with("n", nil), ignored: "0 bits"},
		"RSA with an even modulus":     {key: rsa2048.with("n", b64(append([]byte{255}, make([]byte, 255)...))), ignored: "even"},
		"RSA with exponent 1":          {key: rsa2048.with("e", "AQ"), ignored: "exponent"},
		"RSA with an even exponent":    {key: rsa2048.with("e", "Ag"), ignored: "exponent"},
		"RSA with a huge exponent":     {key: rsa2048.with("e", "AQAAAAE"), ignored: "exponent"},
		"EC off the curve":             {key: ec.with("y", ec["x"]), ignored: "point"},
		"EC at infinity":               {key: ec.with("x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))), ignored: "point"},
		"EC with a short point":        {key: ec.with("x", b64(ecPoint()[1:32])), ignored: "size"},
		"EC with the wrong curve":      {key: ec.with("crv", "P-384"), ignored: "size"},
		"EC of another curve":          {key: ec.with("crv", "secp256k1"), ignored: "curve"},
		"Ed25519 with a short point":   {key: edKey().with("x", "AAAA"), ignored: "size"},
		"X25519":                       {key: edKey().with("crv", "X25519"), ignored: "curve"},
		"symmetric":                    {key: jwk{"kty": "oct", "k": b64(make([]byte, 32)), "alg": "HS256"}, ignored: `type is "oct"`},
		"no type":                      {key: ec.with("kty", nil), ignored: "type"},
		"for encryption":               {key: ec.with("use", "enc"), ignored: `use is "enc"`},
		"for signing only":             {key: ec.with("key_ops", []string{"sign"}), ignored: "operations"},
		"without operations":           {key: ec.with("key_ops", []string{}), ignored: "operations"},
		"for the algorithm of another": {key: rsa2048.with("alg", "ES256"), ignored: "not for"},
		"for HS256":                    {key: rsa2048.with("alg", "HS256"), ignored: "not for"},
		"for none":                     {key: rsa2048.with("alg", "none"), ignored: "not for"},
		"for another curve's":          {key: ec.with("alg", "ES384"), ignored: "not for"},
		"private":                      {key: ec.with("d", "AAAA"), ignored: "private"},
		"padded":                       {key: ec.with("x", ec["x"].(string)+"="), ignored: "base64"},
		"with stray bits":              {key: edKey().with("x", b64(make([]byte, 32))[:42]+"B"), ignored: "base64"},
		"in the other alphabet":        {key: rsa2048.with("n", "+/+/"), ignored: "base64"},
		"a number for a text":          {key: ec.with("kid", 5), ignored: "number"},
	} {
		t.Run(name, func(t *testing.T) {
			// Beside one that can be used.
			other := rsaKey(2048).with("kid", "other", "alg", "RS384")
			set, err := jwks.Parse(document(other, test.key))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := set.Find("other", "RS384"); err != nil {
				t.Errorf("the other key: %v", err)
			}
			if test.ignored == "" {
				if _, err := set.Find(test.key["kid"].(string), test.algorithm); err != nil || set.Len() != 2 {
					t.Errorf("Find gives %v in a set of %d keys, which ignores %v", err, set.Len(), set.Ignored())
				}
				return
			}
			if got := fmt.Sprint(set.Ignored()); set.Len() != 1 || !strings.Contains(got, "key 2 is ignored: ") || !strings.Contains(got, test.ignored) {
				t.Errorf("%d keys, ignored: %s; want that of the second %q", set.Len(), got, test.ignored)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"no JSON":       "<html>",
		"no object":     `[]`,
		"no list":       `{"keys":{}}`,
		"no keys":       `{}`,
		"an empty list": `{"keys":[]}`,
		"no usable key": `{"keys":[{"kty":"oct"},1,null]}`,
		"more behind":   string(document(ecKey())) + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := jwks.Parse([]byte(text)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		keys          []jwk
		id, algorithm string
		want          error
	}{
		"by id":                              {[]jwk{ecKey(), edKey()}, "ec", "ES256", nil},
		"unknown id":                         {[]jwk{ecKey(), edKey()}, "x", "ES256", jwks.ErrUnknownKey},
		"a key without id is not any":        {[]jwk{ecKey().with("kid", nil)}, "ec", "ES256", jwks.ErrUnknownKey},
		"ids differ by case":                 {[]jwk{ecKey()}, "EC", "ES256", jwks.ErrUnknownKey},
		"algorithm of another":               {[]jwk{ecKey(), edKey()}, "ec", "EdDSA", jwks.ErrAlgorithm},
		"algorithm of no key":                {[]jwk{ecKey()}, "ec", "HS256", jwks.ErrAlgorithm},
		"algorithm of the same type":         {[]jwk{rsaKey(2048).with("alg", "RS256")}, "rsa", "PS256", jwks.ErrAlgorithm},
		"no id, one key":                     {[]jwk{ecKey()}, "", "ES256", nil},
		"no id, one key for it":              {[]jwk{edKey(), ecKey()}, "", "ES256", nil},
		"no id, several for it":              {[]jwk{ecKey(), ecKey().with("kid", "2")}, "", "ES256", jwks.ErrUnknownKey},
		"no id, none for it":                 {[]jwk{ecKey()}, "", "RS256", jwks.ErrUnknownKey},
		"one id, keys of two types":          {[]jwk{rsaKey(2048).with("kid", "1"), ecKey().with("kid", "1")}, "1", "ES256", nil},
		"one id, keys of two types, swapped": {[]jwk{ecKey().with("kid", "1"), rsaKey(2048).with("kid", "1")}, "1", "ES256", nil},
		"one id, two keys for it":            {[]jwk{ecKey(), ecKey()}, "ec", "ES256", jwks.ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := jwks.Parse(document(test.keys...))
			if err != nil {
				t.Fatal(err)
			}
			if public, err := set.Find(test.id, test.algorithm); !errors.Is(err, test.want) || (public == nil) != (err != nil) {
				t.Errorf("Find gives %v, %v; want the error %v", public, err, test.want)
			}
		})
	}
}

func TestURL(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://issuer.example/.well-known/jwks.json": true,
		"https://me:secret@issuer.example/keys?v=1":    true,
		"http://localhost:8080/keys":                   true,
		"http://127.0.0.9/keys":                        true,
		"http://[::1]:8080/keys":                       true,
		"http://issuer.example/keys":                   false,
		"http://localhost.example/keys":                false,
		"http://10.0.0.1/keys":                         false,
		"ftp://issuer.example/keys":                    false,
		"file:///etc/keys":                             false,
		"https:///keys":                                false,
		"https://issuer.example/#keys":                 false,
		"issuer.example/keys":                          false,
		"https://%zz/":                                 false,
	} {
		if err := jwks.URL(text).Check(); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is found in any set is fit for what it is found for.
func FuzzParse(f *testing.F) {
	f.Add(document(ecKey(), edKey(), rsaKey(2048), rsaKey(1024).with("d", "AA")))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AAAAAAAAAAAAAAAAAQ"},{"kty":"EC","crv":"P-521","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := jwks.Parse(text)
		if err != nil {
			return
		}
		if set.Len() == 0 {
			t.Fatal("a set without keys")
		}
		for _, algorithm := range append(jwks.Algorithms(), "none", "HS256", "") {
			public, err := set.Find("", algorithm)
			if err != nil {
				continue
			}
			ok := false
			switch public := public.(type) {
			case *rsa.PublicKey:
				ok = algorithm[1] == 'S' && algorithm[0] != 'E' && public.N.BitLen() >= 2048 && public.E >= 3
			case *ecdsa.PublicKey:
				ok = algorithm == map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[public.Curve.Params().Name]
			case ed25519.PublicKey:
				ok = algorithm == "EdDSA" && len(public) == ed25519.PublicKeySize
			}
			if !ok {
				t.Errorf("%T for %q", public, algorithm)
			}
		}
	})
}
