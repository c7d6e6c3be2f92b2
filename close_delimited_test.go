package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"spangate/handler/certificate/certtest"
)

// An answer over HTTP/1.0 that ends with its connection must not look complete when it
// breaks off, whoever ends it.
func TestBrokenAnswersOverHTTP10(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	overTLS := []string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}
	relayed := []string{"PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.1"}
	secure := func(conn net.Conn) net.Conn {
		return tls.Client(conn, &tls.Config{ServerName: "localhost", RootCAs: ca.Pool})
	}
	plain := func(conn net.Conn) net.Conn { return conn }
	for name, door := range map[string]struct {
		environ []string
		before  string // what a connection begins with
		over    func(net.Conn) net.Conn
	}{
		"plain":        {nil, "", plain},
		"TLS":          {overTLS, "", secure},
		"relayed":      {relayed, ppClient, plain},
		"TLS, relayed": {append(relayed, overTLS...), ppClient, secure},
	} {
		for _, test := range []struct {
			sent   int // bytes, before what happens
			ends   string
			broken bool
		}{
			{100, "whole", false},
			{100 << 10, "whole", false},
			{0, "backend", true},
			{100, "backend", true},
			{100 << 10, "backend", true},
			{100, "shutdown", true},
			{100 << 10, "shutdown", true},
		} {
			t.Run(fmt.Sprint(name, "/", test.ends, " after ", test.sent), func(t *testing.T) {
				t.Parallel()
				goOn, ended := make(chan struct{}), make(chan struct{})
				backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(http.StatusOK)
					http.NewResponseController(w).Flush()
					io.WriteString(w, strings.Repeat("x", test.sent))
					http.NewResponseController(w).Flush()
					<-goOn
					switch test.ends {
					case "backend":
						panic(http.ErrAbortHandler)
					case "shutdown":
						<-ended
					}
				})
				p := start(t, append(door.environ, "BACKENDS="+backend, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=1s")...)
				conn := door.over(p.loadBalanced(t, "127.0.0.1", door.before).Conn)
				io.WriteString(conn, "GET / HTTP/1.0\r\nHost: x\r\n\r\n")
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := io.CopyN(io.Discard, resp.Body, int64(test.sent)); err != nil {
					t.Fatalf("%d bytes, then %v", n, err)
				}
				close(goOn)
				if test.ends == "shutdown" {
					go func() {
						p.stop()
						close(ended)
					}()
				}
				if _, err := io.Copy(io.Discard, resp.Body); (err != nil) != test.broken {
					t.Errorf("the answer ended with %v", err)
				}
			})
		}
	}
}
