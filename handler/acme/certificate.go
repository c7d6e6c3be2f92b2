package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// bundle returns a key and the chain of its certificate in one text, so that they
// cannot be torn apart.
func bundle(key *ecdsa.PrivateKey, chain []byte) ([]byte, error) {
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return append(text, chain...), nil
}

// unbundle returns the certificate for name that is in such a text. It may have
// expired: then it still is the best there is.
func unbundle(name Name, text []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	if pair.Leaf == nil { // as GODEBUG may ask
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	if err := pair.Leaf.VerifyHostname(string(name)); err != nil {
		return nil, err
	}
	return &pair, nil
}

// issued returns the certificate that an authority gave for name and key, with its
// text. It refuses one that nobody could use.
func issued(name Name, key *ecdsa.PrivateKey, chain []byte) (*tls.Certificate, []byte, error) {
	text, err := bundle(key, certificatesOf(chain))
	if err != nil {
		return nil, nil, err
	}
	pair, err := unbundle(name, text)
	if err == nil && !time.Now().Before(pair.Leaf.NotAfter) {
		err = fmt.Errorf("it expired at %v; is the clock right?", pair.Leaf.NotAfter)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the authority's certificate is of no use: %w", err)
	}
	return pair, text, nil
}

// certificatesOf returns the certificates that are in a text, and nothing else of
// it.
func certificatesOf(text []byte) []byte {
	var all bytes.Buffer
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all.Bytes()
		}
		if block.Type == "CERTIFICATE" {
			pem.Encode(&all, &pem.Block{Type: block.Type, Bytes: block.Bytes})
		}
	}
}

// newKey returns a key of the kind that certificates and accounts have.
func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no PEM block")
	}
	var any crypto.PrivateKey
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key is none of ECDSA P-256")
	}
	return key, nil
}
