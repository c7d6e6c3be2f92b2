package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"spangate/handler/certificate/certtest"
)

// TestIdleReadersOverHTTP2 checks that a client which takes nothing of its answer has its
// stream ended, or its connection where it takes nothing of that.
func TestIdleReadersOverHTTP2(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if r.URL.Path == "/large" {
			w.Write(large)
			return
		}
		io.WriteString(w, "done")
	})
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	for name, environ := range map[string][]string{"h2c": nil, "TLS": {"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}} {
		connect := func(t *testing.T, window uint32) (*program, *http2Client) {
			p := start(t, append([]string{"BACKENDS=" + backend, "PROBE_MODE=off", "CLIENT_TIMEOUT=1s"}, environ...)...)
			conn := net.Conn(dial(t, p.addr))
			if environ != nil {
				conn = tls.Client(conn, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", NextProtos: []string{"h2"}})
			}
			c := http2ClientOver(t, conn)
			c.try(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
			c.try(c.framer.WriteWindowUpdate(0, 1<<30))
			return p, c
		}
		t.Run(name+", no window", func(t *testing.T) {
			t.Parallel()
			p, c := connect(t, 100)
			got := c.answer(c.open(true, request("GET", "/large")...))
			if got.body.Len() != 100 || got.reset != "INTERNAL_ERROR" {
				t.Errorf("%d bytes, reset %q", got.body.Len(), got.reset)
			}
			c.goesOn("200 done")
			p.stop()
			p.endedByItsClient(t, 1)
		})
		t.Run(name+", nothing", func(t *testing.T) {
			t.Parallel()
			p, c := connect(t, 1<<30)
			c.open(true, request("GET", "/large")...)
			c.open(true, request("GET", "/large")...)
			p.await(`"msg":"request"`)
			p.stop()
			p.endedByItsClient(t, 2)
		})
	}
}

// endedByItsClient checks that so many requests ended because their client took nothing.
func (p *program) endedByItsClient(t *testing.T, want int) {
	t.Helper()
	var got []string
	for _, s := range p.spans("SERVER") {
		if kind := fmt.Sprint(s.Attributes["error.type"]); s.Attributes["error.type"] != nil {
			got = append(got, kind)
		}
	}
	if all := strings.Join(got, " "); all != strings.TrimSpace(strings.Repeat("client_timeout ", want)) {
		t.Errorf("error types %q, want %d of client_timeout", all, want)
	}
}
