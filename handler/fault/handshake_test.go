package fault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"spangate/handler/certificate/certtest"
	"spangate/handler/fault"
)

// Each side of a real handshake says what it finds, and what it is told.
func TestHandshakeReason(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	pair := func(of *certtest.Authority, template x509.Certificate) []tls.Certificate {
		return []tls.Certificate{of.Issue(t, template).TLS(t)}
	}
	good := pair(ca, x509.Certificate{})
	expired := pair(ca, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	early := pair(ca, x509.Certificate{NotBefore: time.Now().Add(time.Hour)})
	forServers := pair(ca, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	forClients := pair(ca, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	server := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: good, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2", "http/1.1"}}
		change(c)
		return c
	}
	client := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: good, RootCAs: ca.Pool, ServerName: "localhost", NextProtos: []string{"h2"}}
		change(c)
		return c
	}
	same := func(*tls.Config) {}
	always := func(certs []tls.Certificate) func(*tls.Config) { // even if the server asks for others
		return func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
		}
	}
	for name, test := range map[string]struct {
		server, client     *tls.Config
		atServer, atClient fault.Handshake
	}{
		"no certificate": {server(same), client(func(c *tls.Config) { c.Certificates = nil }), "certificate_missing", "alert_certificate_required"},
		"no certificate, TLS 1.2": {server(same), client(func(c *tls.Config) { c.Certificates, c.MaxVersion = nil, tls.VersionTLS12 }),
			"certificate_missing", "alert_handshake_failure"},
		"an unknown authority":   {server(same), client(always(pair(stranger, x509.Certificate{}))), "certificate_unknown_authority", "alert_unknown_ca"},
		"expired":                {server(same), client(always(expired)), "certificate_expired", "alert_certificate_expired"},
		"not yet valid":          {server(same), client(always(early)), "certificate_expired", "alert_certificate_expired"},
		"a certificate to serve": {server(same), client(always(forServers)), "certificate_wrong_usage", "alert_bad_certificate"},
		"refused by a callback": {server(func(c *tls.Config) {
			c.VerifyConnection = func(tls.ConnectionState) error { return errors.New("not you") }
		}), client(same), "_OTHER", "alert_bad_certificate"},

		"the server is unknown":     {server(same), client(func(c *tls.Config) { c.RootCAs = stranger.Pool }), "alert_bad_certificate", "certificate_unknown_authority"},
		"the server's has expired":  {server(func(c *tls.Config) { c.Certificates = expired }), client(same), "alert_bad_certificate", "certificate_expired"},
		"the server's name differs": {server(same), client(func(c *tls.Config) { c.ServerName = "other.test" }), "alert_bad_certificate", "certificate_wrong_name"},
		"the server's is a client's": {server(func(c *tls.Config) { c.Certificates = forClients }), client(same),
			"alert_bad_certificate", "certificate_wrong_usage"},
		"the server has none": {server(func(c *tls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}), client(same), "internal_error", "alert_unrecognized_name"},

		"an old version":   {server(same), client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "protocol_version", "alert_protocol_version"},
		"a new version":    {server(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), client(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), "protocol_version", "alert_protocol_version"},
		"another protocol": {server(same), client(func(c *tls.Config) { c.NextProtos = []string{"ftp"} }), "no_application_protocol", "alert_no_application_protocol"},
		"no common cipher": {server(same), client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}), "no_common_algorithm", "alert_handshake_failure"},
		"no common exchange": {server(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }), client(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), "no_common_algorithm", "alert_handshake_failure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atServer, atClient := shakeHands(t, test.server, test.client)
			if got := fault.HandshakeReason(atServer); got != test.atServer {
				t.Errorf("at the server %v is %s, want %s", atServer, got, test.atServer)
			}
			if got := fault.HandshakeReason(atClient); got != test.atClient {
				t.Errorf("at the client %v is %s, want %s", atClient, got, test.atClient)
			}
		})
	}
}

// shakeHands returns how a handshake ends on either side. The client reads too.
func shakeHands(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	there, here := net.Pipe()
	served := make(chan error)
	go func() {
		err := tls.Server(there, server).HandshakeContext(ctx)
		there.Close()
		served <- err
	}()
	conn := tls.Client(here, client)
	if atClient = conn.HandshakeContext(ctx); atClient == nil {
		_, atClient = conn.Read(make([]byte, 1))
	}
	here.Close()
	if atServer = <-served; atServer == nil || atClient == nil {
		t.Fatalf("at the server the error is %v, at the client %v", atServer, atClient)
	}
	return atServer, atClient
}

// What comes is no handshake.
func TestHandshakeReasonOfStrangers(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{certtest.New(t).Issue(t, x509.Certificate{}).TLS(t)}}
	for name, test := range map[string]struct {
		sent string
		want fault.Handshake
	}{
		"nothing":           {sent: "", want: "connection_closed"},
		"half a record":     {sent: "\x16\x03\x01\x02\x00\x01", want: "connection_closed"},
		"silence":           {sent: "", want: "timeout"},
		"a request":         {sent: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", want: "not_tls"},
		"SSH":               {sent: "SSH-2.0-OpenSSH_9.6\r\n", want: "not_tls"},
		"data first":        {sent: "\x17\x03\x03\x00\x01\x00", want: "not_tls"},
		"an empty hello":    {sent: "\x16\x03\x01\x00\x04\x01\x00\x00\x00", want: "malformed"},
		"an alert":          {sent: "\x15\x03\x01\x00\x02\x02\x30", want: "alert_unknown_ca"},
		"an alert unheard":  {sent: "\x15\x03\x01\x00\x02\x02\xfe", want: "alert_other"},
		"two kinds at once": {sent: "\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x02\x02\x30", want: "alert_unknown_ca"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there, here := net.Pipe()
			defer here.Close()
			go func() {
				io.WriteString(here, test.sent)
				if test.want == "connection_closed" {
					here.Close()
				}
				io.Copy(io.Discard, here)
			}()
			within := 20 * time.Second
			if test.want == "timeout" {
				within = time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			err := tls.Server(there, config).HandshakeContext(ctx)
			if got := fault.HandshakeReason(err); got != test.want {
				t.Errorf("%v is %s, want %s", err, got, test.want)
			}
		})
	}
	for want, err := range map[fault.Handshake]error{
		"given_up": context.Canceled, "_OTHER": errors.New("what?"),
		"certificate_invalid": &tls.CertificateVerificationError{Err: errors.New("what?")},
		"connection_closed":   fmt.Errorf("shaking hands: %w", net.ErrClosed),
	} {
		if got := fault.HandshakeReason(err); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}
