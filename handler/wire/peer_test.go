package wire_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"spangate/handler/wire"
)

// PeerOf is of the connection, for each request on it, or of whatever else is written
// where that stands.
func TestPeerOf(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, wire.PeerOf(r), " ")
		r.RemoteAddr = "[::ffff:192.0.2.1]:80"
		fmt.Fprint(w, wire.PeerOf(r))
	}, 0)
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	want := fmt.Sprint(conn.LocalAddr(), " 192.0.2.1:80")
	for range 2 {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	for remote, want := range map[string]string{
		"[fe80::1%eth0]:7": "[fe80::1]:7", "@": "invalid AddrPort", "": "invalid AddrPort",
	} {
		r.RemoteAddr = remote
		if got := wire.PeerOf(r).String(); got != want {
			t.Errorf("%q: got %s, want %s", remote, got, want)
		}
	}
}
