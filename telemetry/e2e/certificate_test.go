//go:build prometheus

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// expiring returns a file with a certificate for localhost that has a week left, and
// with its key.
func expiring(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().AddDate(0, 0, -83), NotAfter: time.Now().AddDate(0, 0, 7),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tls.pem")
	content := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// distrust begins handshakes with address until the test ends, and does not believe
// its certificate.
func distrust(t *testing.T, address string) {
	t.Helper()
	each(t, func() {
		if conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: "localhost"}); err == nil {
			conn.Close()
			t.Error("the certificate is believed")
		}
	})
}

// spoil replaces a file by half of it, and by all of it again, until the test ends.
func spoil(t *testing.T, file string) {
	t.Helper()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	each(t, func() {
		content := whole
		if n++; n%2 == 1 {
			content = whole[:len(whole)/2]
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Error(err)
		}
	})
}
