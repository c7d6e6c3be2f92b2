package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"spangate/handler/certificate"
	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/wiretest"
)

// Whatever becomes of one certificate, another is renewed.
func TestRenewalsBesideAFault(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	ended := x509.Certificate{DNSNames: []string{"other.test"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	for name, test := range map[string]struct {
		first x509.Certificate
		then  func(t *testing.T, cert, key string)
	}{
		"expired from the start": {first: ended, then: func(*testing.T, string, string) {}},
		"expired": {then: func(t *testing.T, cert, key string) {
			next := ca.Issue(t, ended)
			swap(t, cert, next.Certificate)
			swap(t, key, next.Key)
		}},
		"empty":         {then: func(t *testing.T, cert, _ string) { swap(t, cert, nil) }},
		"another's key": {then: func(t *testing.T, _, key string) { swap(t, key, ca.Issue(t, x509.Certificate{}).Key) }},
		"gone": {then: func(t *testing.T, cert, _ string) {
			if err := os.Remove(cert); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.first.DNSNames == nil {
				test.first.DNSNames = []string{"other.test"}
			}
			other := ca.Issue(t, test.first)
			otherCert, otherKey := other.Files(t)
			cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
			p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+otherCert+","+cert, "TLS_KEY_FILE="+otherKey+","+key, "TLS_RELOAD_INTERVAL=1ms")
			test.then(t, otherCert, otherKey)
			next := ca.Issue(t, x509.Certificate{})
			swap(t, key, next.Key)
			swap(t, cert, next.Certificate)
			p.shows(t, ca, next.TLS(t).Leaf)
			conn, err := tls.Dial("tcp", p.addr, &tls.Config{ServerName: "other.test", InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if !conn.ConnectionState().PeerCertificates[0].Equal(other.TLS(t).Leaf) {
				t.Error("of the other the one from before is not shown any more")
			}
		})
	}
}

// What an authority has said of a certificate is nothing to the next one.
func TestRenewalsBesideAnOldStaple(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	pair := ca.Issue(t, x509.Certificate{})
	cert, key := pair.Files(t)
	staple, err := ocsp.CreateResponse(ca.Leaf, ca.Leaf, ocsp.Response{
		Status: ocsp.Good, SerialNumber: pair.TLS(t).Leaf.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
	}, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	certtest.Write(t, certificate.Staple(cert), staple)
	environ := []string{"BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_RELOAD_INTERVAL=1ms"}
	p := start(t, environ...)
	next := ca.Issue(t, x509.Certificate{})
	swap(t, key, next.Key)
	swap(t, cert, next.Certificate)
	p.shows(t, ca, next.TLS(t).Leaf)
	p.stop()
	start(t, environ...).shows(t, ca, next.TLS(t).Leaf)
}

// A port that is not given is the usual one (RFC 3986 §3.2.3).
func TestRedirectOfAnEmptyPort(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_PORT="+wiretest.FreePort(t), "HTTPS_REDIRECT=on")
	for name, test := range map[string]struct{ request, status, location string }{
		"a host with an empty port":     {"GET /x HTTP/1.1\r\nHost: a.test:\r\n", "308", "https://a.test/x"},
		"an address with an empty port": {"GET /x HTTP/1.1\r\nHost: [::1]:\r\n", "308", "https://[::1]/x"},
	} {
		answer := sendRaw(t, p.addr, test.request+"Connection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil {
			t.Fatalf("%s: %v in %q", name, err, answer)
		}
		if status := resp.Status[:3]; status != test.status || resp.Header.Get("Location") != test.location {
			t.Errorf("%s: status %s to %q, want %s to %q", name, status, resp.Header.Get("Location"), test.status, test.location)
		}
	}
}
