package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
)

// Handshakes that fail are counted by reason, and told of once a second at most.
func TestHandshakesThatFail(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "OTEL_LOGS_EXPORTER=otlp")
	fail := func(change func(*tls.Config)) {
		t.Helper()
		c := &tls.Config{ServerName: "localhost", RootCAs: ca.Pool}
		change(c)
		if conn, err := tls.Dial("tcp", p.addr, c); err == nil {
			conn.Close()
			t.Error("the handshake is done")
		}
	}
	name := "a\x1b[31m\u202e" + strings.Repeat("b", 300) + ".test"
	fail(func(c *tls.Config) { c.ServerName, c.NextProtos = name, []string{strings.Repeat("c", 200), "\x1b"} })
	fail(func(c *tls.Config) { c.RootCAs = certtest.New(t).Pool })
	for range 10 {
		fail(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	}
	sendRaw(t, p.addr, "SSH-2.0-x\r\n\r\n")
	for range 20 { // who has begun none
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	p.stop()

	got := map[string]float64{}
	for _, point := range p.points("spangate.tls.handshake.failures") {
		got[fmt.Sprint(point.Attributes["spangate.tls.peer"], " ", point.Attributes["error.type"])] += point.Value
	}
	want := map[string]float64{"client no_application_protocol": 1, "client alert_bad_certificate": 1, "client protocol_version": 10, "client not_tls": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	events := p.log.named(t, "event.name", "spangate.tls.handshake_failed")
	if len(events) == 0 || len(events) >= 13 {
		t.Fatalf("%d lines of 13 failures", len(events))
	}
	first := events[0]
	if text := fmt.Sprint(first["exception.message"]); len(text) > 600 || !strings.Contains(text, "unsupported application protocols") || strings.Contains(text, "\x1b") {
		t.Errorf("the message is %q", text)
	}
	if _, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(fmt.Sprint(first["network.peer.address"]), fmt.Sprint(first["network.peer.port"]))); err != nil {
		t.Error(err)
	}
	for _, field := range []string{"time", "exception.message", "network.peer.address", "network.peer.port"} {
		delete(first, field)
	}
	if diff := cmp.Diff(map[string]any{
		"level": "INFO", "msg": "a handshake of TLS failed", "event.name": "spangate.tls.handshake_failed", "spangate.tls.peer": "client",
		"error.type": "no_application_protocol", "spangate.tls.server_name": `a\u001b[31m\u202e` + strings.Repeat("b", 255-9), "spangate.tls.handshake.count": 1.0,
	}, first); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// How long certificates are still valid is a gauge; that one expires soon, or that
// files have changed, an event.
func TestCertificatesThatExpire(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	issue := func(name string, days float64) (file, key string) {
		end := time.Now().Add(time.Duration(days * 24 * float64(time.Hour)))
		return ca.Issue(t, x509.Certificate{DNSNames: []string{name}, NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end}).Files(t)
	}
	soon, soonKey := issue("soon.test", 13)
	late, lateKey := issue("late.test", -2)
	fine, fineKey := issue("fine.test", 15)
	brief, briefKey := ca.Issue(t, x509.Certificate{DNSNames: []string{"brief.test"}}).Files(t) // for a day, by design
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_RELOAD_INTERVAL=1ms", "OTEL_LOGS_EXPORTER=otlp",
		"TLS_CERT_FILE="+strings.Join([]string{soon, late, fine, brief}, ","), "TLS_KEY_FILE="+strings.Join([]string{soonKey, lateKey, fineKey, briefKey}, ","))
	p.await("certificate has expired")
	first := p.warnings(t)

	swap(t, late, []byte("half"))
	p.await("certificate_rejected")
	next := ca.Issue(t, x509.Certificate{DNSNames: []string{"late.test"}})
	swap(t, lateKey, next.Key)
	swap(t, late, next.Certificate)
	p.await("certificate_reloaded")
	p.stop()
	all := p.warnings(t)

	if diff := cmp.Diff([]string{"a certificate expires soon: soon.test 13", "a certificate has expired: late.test -2"}, first); diff != "" {
		t.Errorf("warnings at the start (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a certificate expires soon: soon.test 13"}, all[len(first):]); diff != "" {
		t.Errorf("warnings after it was replaced (-want +got):\n%s", diff)
	}
	left := map[any]float64{}
	for _, point := range p.points("spangate.tls.certificate.expires_in") {
		left[point.Attributes["spangate.tls.certificate"]] = math.Round(point.Value)
	}
	if diff := cmp.Diff(map[any]float64{"soon.test": 13, "late.test": 1, "fine.test": 15, "brief.test": 1}, left); diff != "" {
		t.Errorf("days left (-want +got):\n%s", diff)
	}
	results := map[any]bool{}
	for _, point := range p.points("spangate.tls.reloads") {
		results[point.Attributes["spangate.tls.reload.result"]] = point.Value > 0
	}
	if diff := cmp.Diff(map[any]bool{"loaded": true, "rejected": true}, results); diff != "" {
		t.Errorf("reloads (-want +got):\n%s", diff)
	}
}

// warnings returns what is said of certificates that expire, in the order of their
// names each time.
func (p *program) warnings(t *testing.T) (all []string) {
	t.Helper()
	for _, line := range p.log.named(t, "event.name", "spangate.tls.certificate_expiring") {
		all = append(all, fmt.Sprintf("%v: %v %.0f", line["msg"], line["spangate.tls.certificate"], line["spangate.tls.certificate.expires_in"]))
	}
	return all
}
