// Package certtest answers: who vouches for the certificates of a test? It is for
// tests alone.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	File string // PEM, of its own certificate
	Pool *x509.CertPool
	Leaf *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// New returns an authority of its own, with files that go with the test.
func New(t testing.TB) *Authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority for tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{File: filepath.Join(t.TempDir(), "ca.pem"), Pool: x509.NewCertPool(), Key: key}
	if a.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Pool.AddCert(a.Leaf)
	Write(t, a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// Intermediate returns an authority that a vouches for, without a file or pool of its
// own.
func (a *Authority) Intermediate(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	template := x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority in between"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return &Authority{Leaf: a.issue(t, template, key).TLS(t).Leaf, Key: key}
}

// Pair is a certificate and its key, in PEM.
type Pair struct{ Certificate, Key []byte }

// Issue returns a certificate of what is set in template, for a server and a
// client alike unless that has usages. It is for localhost and the loopback unless that has names, and
// valid for a day unless that says otherwise.
func (a *Authority) Issue(t testing.TB, template x509.Certificate) Pair {
	t.Helper()
	return a.issue(t, template, newKey(t))
}

// IssueRSA is Issue with a key of RSA, which some clients ask for.
func (a *Authority) IssueRSA(t testing.TB, template x509.Certificate) Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return a.issue(t, template, key)
}

func (a *Authority) issue(t testing.TB, template x509.Certificate, key crypto.Signer) Pair {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if template.DNSNames == nil && template.URIs == nil && !template.IsCA {
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.Leaf, key.Public(), a.Key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// Files returns files with the pair, which go with the test.
func (p Pair) Files(t testing.TB) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	Write(t, certificate, p.Certificate)
	Write(t, key, p.Key)
	return certificate, key
}

// TLS returns the pair as crypto/tls has it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// URI returns what it says, for a template.
func URI(t testing.TB, uri string) []*url.URL {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return []*url.URL{u}
}

// Write writes a file.
func Write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
