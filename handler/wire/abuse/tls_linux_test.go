package abuse

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// startSecureProxy is startProxy with a certificate of the test's own, and clients
// that believe it.
func startSecureProxy(t *testing.T, env ...string) *target {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"abuse.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	file := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(file, append(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, append([]string{"TLS_CERT_FILE=" + file}, env...)...)
	p.tls = &tls.Config{ServerName: "abuse.test", RootCAs: x509.NewCertPool()}
	p.tls.RootCAs.AppendCertsFromPEM(certificate)
	return p
}

// clientHello returns the first record of a handshake.
func clientHello(t *testing.T) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: "abuse.test"}).Handshake()
	record := make([]byte, 16<<10)
	n, err := server.Read(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(record[:n])
}

// TestTLS attacks below HTTP, and with HTTP/2 over TLS.
func TestTLS(t *testing.T) {
	hello := clientHello(t)
	var tiny strings.Builder // the same, a byte a record
	for _, b := range []byte(hello[5:]) {
		tiny.WriteString("\x16\x03\x01\x00\x01" + string([]byte{b}))
	}
	crowd := 250 // of 4 attackers: a thousand, or ten
	if !testing.Short() {
		crowd = 2500
	}
	handshakes := func(times int) func(at *target) outcome {
		return func(at *target) outcome {
			for i := range times {
				conn, err := at.dialFor("http/1.1")
				if err != nil {
					return outcome{sent: i, err: err}
				}
				conn.Close()
			}
			return outcome{sent: times}
		}
	}
	attacks := []attack{
		{name: "handshakes", stays: true, cpu: 2 * time.Second, strike: handshakes(100)},
		{name: "handshakes that stop", env: impatient, strike: raw(100, false, forSome(hello, "", 0, 0))},
		{name: "thousands of handshakes that do not begin", env: []string{"READ_HEADER_TIMEOUT=2s"}, cpu: 5 * time.Second, memory: 1 << 10, strike: raw(crowd, false, forSome("\x16\x03\x01", "", 0, 0))},
		{name: "a ClientHello byte by byte", env: impatient, strike: raw(20, false, func(w *bufio.Writer, i int) error {
			time.Sleep(20 * time.Millisecond)
			return w.WriteByte(hello[i%len(hello)])
		})},
		{name: "a ClientHello in records of a byte", env: impatient, strike: raw(20, false, forSome(tiny.String(), "", 0, 0))},
		{name: "a ClientHello of 16 MiB", env: impatient, strike: raw(1, false, forSome("\x16\x03\x01\x40\x00\x01\xff\xff\xff", strings.Repeat("x", 16<<10-4)+"\x16\x03\x01\x3f\xfc", 1024, 0))},
		{name: "empty records", env: impatient, strike: raw(1, false, forSome("", strings.Repeat("\x16\x03\x01\x00\x00", 1000), 1000, 0))},
		{name: "warnings", env: impatient, strike: raw(1, false, forSome("", strings.Repeat("\x15\x03\x01\x00\x02\x01\x5a", 1000), 1000, 0))},
		{name: "bytes of no protocol", env: impatient, strike: raw(20, false, forSome(strings.Repeat("\x00\xff", 500), "", 0, 0))},
		{name: "HTTP in the clear", env: impatient, strike: raw(20, false, forSome(get+"\r\n", "", 0, 0))},
		{name: "SSL 2", env: impatient, strike: raw(20, false, forSome("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"+strings.Repeat("x", 40), "", 0, 0))},
		{name: "PING", strike: frames(func(c *peer, i int) error { return c.WritePing(false, [8]byte{}) })},
		{name: "rapid reset", forwards: cancelled, strike: streams(true, func(c *peer, stream uint32) error {
			return c.WriteRSTStream(stream, http2.ErrCodeCancel)
		})},
		{name: "CONTINUATION without content", strike: opened(func(c *peer, i int) error { return c.WriteContinuation(1, false, nil) })},
	}
	for i := range attacks {
		attacks[i].secure = true
		attacks[i].waits = len(attacks[i].env) > 0
	}
	attackWith(t, attacks)
}
