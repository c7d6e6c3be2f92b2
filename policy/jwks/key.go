package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// The sizes of RSA keys, in bits: RFC 7518 §3.3 asks for the least, and the
// largest keeps a signature from costing more than a connection does.
const minRSA, maxRSA = 2048, 8192

// key verifies signatures.
type key struct {
	id         string
	algorithms []string // names of RFC 7518 and RFC 8037; the only ones it is for
	public     crypto.PublicKey
}

// confusable reports whether a token cannot say which of the two it means.
func (k key) confusable(other key) bool {
	return k.id != "" && k.id == other.id && slices.ContainsFunc(k.algorithms, func(a string) bool { return slices.Contains(other.algorithms, a) })
}

// Algorithms returns the names of all algorithms that keys can be for. None of
// them is symmetric: whoever could verify could sign.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// jwk is a key as RFC 7517 §4, RFC 7518 §6 and RFC 8037 §2 write it. Of the
// certificates that may be in it nothing is read.
type jwk struct {
	Type      string          `json:"kty"`
	Use       string          `json:"use"`
	KeyOps    []string        `json:"key_ops"`
	Algorithm string          `json:"alg"`
	ID        string          `json:"kid"`
	Curve     string          `json:"crv"`
	N         number          `json:"n"`
	E         number          `json:"e"`
	X         number          `json:"x"`
	Y         number          `json:"y"`
	D         json.RawMessage `json:"d"`
}

// number is base64url without padding.
type number []byte

func (n *number) UnmarshalText(text []byte) (err error) {
	*n, err = base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	return err
}

// parseKey returns the key that text is, and of one that is of no use the id.
func parseKey(text []byte) (key, error) {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return key{id: j.ID}, err
	}
	switch {
	case j.Use != "" && j.Use != "sig":
		return key{id: j.ID}, fmt.Errorf("its use is %.40q", j.Use)
	case j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify"):
		return key{id: j.ID}, fmt.Errorf("its operations are %.80q", j.KeyOps)
	case j.D != nil:
		return key{id: j.ID}, errors.New("its private part is published, so that anybody can sign with it")
	}
	public, algorithms, err := j.public()
	if err != nil {
		return key{id: j.ID}, err
	}
	if j.Algorithm != "" {
		if !slices.Contains(algorithms, j.Algorithm) {
			return key{id: j.ID}, fmt.Errorf("a key of its type is not for %.40q", j.Algorithm)
		}
		algorithms = []string{j.Algorithm}
	}
	return key{id: j.ID, algorithms: algorithms, public: public}, nil
}

// public returns the key itself, and what a key of its type can be for.
func (j jwk) public() (crypto.PublicKey, []string, error) {
	switch j.Type {
	case "RSA":
		return j.rsa()
	case "EC":
		return j.ec()
	case "OKP":
		if j.Curve != "Ed25519" {
			return nil, nil, fmt.Errorf("its curve is %.40q", j.Curve)
		}
		if len(j.X) != ed25519.PublicKeySize {
			return nil, nil, errors.New("its point has the wrong size")
		}
		return ed25519.PublicKey(j.X), []string{"EdDSA"}, nil
	}
	return nil, nil, fmt.Errorf("its type is %.40q", j.Type)
}

func (j jwk) rsa() (crypto.PublicKey, []string, error) {
	n, e := new(big.Int).SetBytes(j.N), new(big.Int).SetBytes(j.E)
	switch {
	case n.BitLen() < minRSA || n.BitLen() > maxRSA:
		return nil, nil, fmt.Errorf("it has %d bits, and not %d to %d", n.BitLen(), minRSA, maxRSA)
	case n.Bit(0) == 0:
		return nil, nil, errors.New("its modulus is even")
	case e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0:
		return nil, nil, errors.New("its exponent is not an odd number from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
}

func (j jwk) ec() (crypto.PublicKey, []string, error) {
	var curve elliptic.Curve
	var algorithm string // each is for one curve, RFC 7518 §3.4
	switch j.Curve {
	case "P-256":
		curve, algorithm = elliptic.P256(), "ES256"
	case "P-384":
		curve, algorithm = elliptic.P384(), "ES384"
	case "P-521":
		curve, algorithm = elliptic.P521(), "ES512"
	default:
		return nil, nil, fmt.Errorf("its curve is %.40q", j.Curve)
	}
	if size := (curve.Params().BitSize + 7) / 8; len(j.X) != size || len(j.Y) != size {
		return nil, nil, errors.New("its point has the wrong size")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, j.X, j.Y))
	return public, []string{algorithm}, err
}
