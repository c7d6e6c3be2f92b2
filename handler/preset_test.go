package handler_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// TestForwardKeepsWhatPoliciesSet checks whose fields a response has: of an
// interim one, of the final one, and of a failure.
func TestForwardKeepsWhatPoliciesSet(t *testing.T) {
	addr := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nVary: Cookie\r\nLink: </a.css>\r\n\r\n"+
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVary: Cookie\r\nX-Both: backend\r\nX-Kept: backend\r\nX-Kept-Back: backend\r\n\r\n")
	})
	policies := func(next http.Handler) http.Handler {
		return handler.Identify(handler.Origin{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := handler.AnswerOf(r)
			answer.Vary("Origin")
			answer.Set("X-Both", "policy")
			answer.Forbid("X-Kept-Back")
			answer.Set("X-Policy", "policy")
			wire.EndConnection(w, r) // which is none of theirs
			next.ServeHTTP(w, r)
		}))
	}
	for name, test := range map[string]struct {
		backend string
		interim string
		want    http.Header
	}{
		"answer": {addr, "map[Link:[</a.css>] Vary:[Cookie]]", http.Header{
			"Vary": {"Origin", "Cookie"}, "X-Both": {"policy"}, "X-Kept": {"backend"}, "X-Policy": {"policy"},
		}},
		"failure": {"127.0.0.1:1", "", http.Header{"Vary": {"Origin"}, "X-Both": {"policy"}, "X-Policy": {"policy"}}},
	} {
		t.Run(name, func(t *testing.T) {
			front := serve(t, policies(forwardTo(t, test.backend, 10*time.Second, &proxy{failed: make(chan *fault.Error, 1)})), time.Second)
			interim := ""
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, fields textproto.MIMEHeader) error {
				interim = fmt.Sprint(fields)
				return nil
			}})
			r, err := http.NewRequestWithContext(ctx, "GET", "http://"+front, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := wiretest.Client(t, false).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			for _, field := range []string{"Date", "Via", "Content-Length", "Content-Type", "Cache-Control"} {
				delete(resp.Header, field)
			}
			if diff := cmp.Diff(test.want, resp.Header); diff != "" {
				t.Errorf("final response (-want +got):\n%s", diff)
			}
			if !resp.Close {
				t.Error("the final response does not end the connection")
			}
			if interim != test.interim {
				t.Errorf("interim response has %s, want %s", interim, test.interim)
			}
		})
	}
}

// TestConnectionCannotNameWhatPoliciesSet checks that a client cannot have a
// field removed that a policy writes into the request behind it.
func TestConnectionCannotNameWhatPoliciesSet(t *testing.T) {
	received := make(chan http.Header, 1)
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { received <- r.Header })
	front := serve(t, handler.Fields(field.Set{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header["X-Policy"] = append(r.Header["X-Policy"], "set")
		forwardTo(t, addr, 10*time.Second, &proxy{}).ServeHTTP(w, r)
	})), time.Second)
	wiretest.Raw(t, front, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-Policy, x-own\r\nX-Policy: forged\r\nX-Own: gone\r\nX-Kept: kept\r\n\r\n")
	got := <-received
	want := http.Header{"X-Policy": {"set"}, "X-Kept": {"kept"}}
	for name := range got {
		if want[name] == nil && name != "X-Own" {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("backend received (-want +got):\n%s", diff)
	}
}

// TestStrangersNameNoClient checks that nothing by which some backend knows the
// client, or what it asked for, reaches one from a peer that is not trusted.
func TestStrangersNameNoClient(t *testing.T) {
	received := make(chan http.Header, 1)
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { received <- r.Header })
	front := serve(t, handler.Identify(handler.Origin{})(forwardTo(t, addr, 10*time.Second, &proxy{})), time.Second)
	var fields strings.Builder
	names := []string{
		"Client-IP", "Client_Ip", "X-Forwarded", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Forwarded-URI", "X-Original-Forwarded-For",
		"X-Original-Host", "X-Original-URI", "X-Host", "X-Envoy-External-Address", "X-Azure-ClientIP", "X-Appengine-User-IP", "CF-Connecting-IPv6",
		"WL-Proxy-Client-IP", "Proxy-Client-IP", "Proxy", "X_Real_IP",
	}
	for _, name := range names {
		fields.WriteString(name + ": 6.6.6.6\r\n")
	}
	wiretest.Raw(t, front, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+fields.String()+"X-Client: kept\r\n\r\n")
	got := <-received
	for _, name := range names {
		if values := got[http.CanonicalHeaderKey(name)]; values != nil {
			t.Errorf("backend received %s: %q", name, values)
		}
	}
	if got.Get("X-Client") != "kept" {
		t.Error("backend did not receive X-Client")
	}
}
