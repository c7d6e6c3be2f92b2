package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"spangate/handler/certificate/certtest"
)

// TestWhatWasAgreedOnIsSpoken checks that a connection on which a client agreed to
// speak HTTP/2 is one of HTTP/2: whatever else comes on it ends it, unanswered.
func TestWhatWasAgreedOnIsSpoken(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	const preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for name, test := range map[string]struct {
		agreed string
		pieces []string
		want   string // that the answer begins with
	}{
		"a preface":                  {"h2", []string{preface + settings}, "\x00\x00"},
		"a preface in pieces":        {"h2", []string{"P", preface[1:20], preface[20:] + settings}, "\x00\x00"},
		"a request of HTTP/1.1":      {"h2", []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, ""},
		"no language":                {"h2", []string{"INVALID CONNECTION PREFACE\r\n\r\n"}, ""},
		"a preface that ends in one": {"h2", []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, ""},
		"HTTP/1.1":                   {"http/1.1", []string{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"}, "HTTP/1.1 200 OK\r\n"},
		"nothing agreed on":          {"", []string{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"}, "HTTP/1.1 200 OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{RootCAs: ca.Pool}
			if test.agreed != "" {
				config.NextProtos = []string{test.agreed}
			}
			conn, err := tls.Dial("tcp", p.addr, config)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, piece := range test.pieces {
				if _, err := io.WriteString(conn, piece); err != nil {
					t.Fatal(err)
				}
			}
			answer := make([]byte, max(len(test.want), 1))
			n, err := io.ReadFull(conn, answer)
			if got := string(answer[:n]); got != test.want || test.want == "" && err != io.EOF {
				t.Errorf("answered with %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestHTTP2WhereHTTP1WasAgreedOn checks the other way round, in which there is a
// language for the refusal.
func TestHTTP2WhereHTTP1WasAgreedOn(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool, NextProtos: []string{"http/1.1"}}}
	transport := &http.Transport{DialContext: dialer.DialContext, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	if resp, body := get(t, transport, "http://"+p.addr); resp.StatusCode != 400 || !strings.Contains(body, "another protocol") {
		t.Errorf("%s %s", resp.Status, body)
	}
}
