package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
)

// A client that ends its sending side behind its request, as nc -N and BusyBox's wget
// do, gets its answer; one that has gone looks the same at first, and is found out.
func TestClientsThatSendNothingMore(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	overTLS := []string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}
	relayed := []string{"PROXY_PROTOCOL=on", "TRUSTED_PROXIES=127.0.0.1"}
	plain := func(conn net.Conn) net.Conn { return conn }
	secure := func(conn net.Conn) net.Conn {
		return tls.Client(conn, &tls.Config{ServerName: "localhost", RootCAs: ca.Pool})
	}
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
		for _, goes := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", goes", false: ", waits"}[goes], func(t *testing.T) {
				t.Parallel()
				arrived, goOn, canceled := make(chan struct{}), make(chan struct{}), make(chan struct{})
				backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
					close(arrived)
					select {
					case <-goOn:
						io.WriteString(w, "hello")
					case <-r.Context().Done():
						close(canceled)
					}
				})
				p := start(t, append(door.environ, "BACKENDS="+backend, "PROBE_MODE=off")...)
				conn := door.over(p.loadBalanced(t, "127.0.0.1", door.before).Conn)
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				<-arrived
				want := map[string]any{"http.response.status_code": int64(200), "error.type": nil}
				if goes {
					conn.Close()
					<-canceled
					want = map[string]any{"http.response.status_code": int64(499), "error.type": "client_disconnected"}
				} else {
					if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
						t.Fatal(err)
					}
					in := bufio.NewReader(conn)
					if line, err := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" { // somebody has looked
						t.Fatalf("first comes %q, error %v", line, err)
					}
					in.ReadString('\n')
					close(goOn)
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
						t.Errorf("%q, error %v", body, err)
					}
					if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
						t.Errorf("then %q, error %v", rest, err)
					}
				}
				p.stop()
				got := map[string]any{}
				for name := range want {
					got[name] = p.span(t, "SERVER").Attributes[name]
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the span (-want +got):\n%s", diff)
				}
			})
		}
	}
}
