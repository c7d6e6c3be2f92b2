package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"spangate/handler/certificate/certtest"
)

// endless answers until nobody takes it any more.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header()["Content-Type"] = r.Header["Content-Type"]
	for content := make([]byte, 32<<10); ; {
		if _, err := w.Write(content); err != nil {
			return
		}
	}
}

// TestUntakenAnswers checks that an answer which its client does not take ends with the
// request's time, or when the client has paused for too long, whichever comes first.
func TestUntakenAnswers(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, endless)
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	for limits, test := range map[string]struct {
		environ []string
		want    string
	}{
		"the deadline alone":          {[]string{"REQUEST_TIMEOUT=500ms", "CLIENT_TIMEOUT=0"}, "timeout"},
		"the deadline first":          {[]string{"REQUEST_TIMEOUT=500ms", "CLIENT_TIMEOUT=30s"}, "timeout"},
		"the client's pause first":    {[]string{"REQUEST_TIMEOUT=1h", "CLIENT_TIMEOUT=500ms"}, "client_timeout"},
		"the client's deadline first": {[]string{"REQUEST_TIMEOUT=1h", "CLIENT_TIMEOUT=30s"}, "timeout"},
	} {
		for _, secure := range []bool{false, true} {
			for _, protocol := range []string{"http/1.1", "h2"} {
				name := limits + ", " + protocol
				environ := append([]string{"BACKENDS=" + backend, "PROBE_MODE=off"}, test.environ...)
				if secure {
					name += ", TLS"
					environ = append(environ, "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					p := start(t, environ...)
					conn := dial(t, p.addr)
					conn.(*net.TCPConn).SetReadBuffer(4 << 10)
					if secure {
						conn = tls.Client(conn, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", NextProtos: []string{protocol}})
					}
					timeout := "3600000" // milliseconds
					if limits == "the client's deadline first" {
						timeout = "500"
					}
					if protocol == "h2" {
						c := http2ClientOver(t, conn)
						got := c.answer(c.open(true, append(request("GET", "/"), "connect-timeout-ms", timeout)...))
						if got.reset != "INTERNAL_ERROR" || got.body.Len() != 65535 {
							t.Errorf("%d bytes, reset %q", got.body.Len(), got.reset)
						}
					} else {
						io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnect-Timeout-Ms: "+timeout+"\r\n\r\n")
					}
					p.await(`"msg":"request"`)
					if line := p.line(t, "request"); line["error_type"] != test.want || line["duration"].(float64) > 20 {
						t.Errorf("%v", line)
					}
				})
			}
		}
	}
}

// TestDeadlineAmidAnAnswer checks that an endless stream of gRPC, all of which its client
// takes, ends in gRPC's words.
func TestDeadlineAmidAnAnswer(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+h2cServer(t, endless), "PROBE_MODE=off", "REQUEST_TIMEOUT=300ms")
	c := newHTTP2Client(t, p.addr)
	c.try(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	c.try(c.framer.WriteWindowUpdate(0, 1<<31-1-65535))
	for range 3 {
		stream := c.open(true, append(request("POST", "/a.B/C"), "te", "trailers", "content-type", "application/grpc")...)
		got := c.got[stream]
		for !got.ended {
			c.read()
			if n := got.body.Len(); n > 1<<20 {
				got.body.Reset()
			}
		}
		if got.header["grpc-status"] != "4" || got.reset != "" {
			t.Errorf("%v, reset %q", got.header, got.reset)
		}
	}
}
