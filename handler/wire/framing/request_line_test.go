package framing

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// FuzzRequestLine checks that requests for a path are refused if and only if
// net/http would refuse them, which tells nobody why.
func FuzzRequestLine(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1", "GET /?a HTTP/1.0 HTTP/1.1", "G(T / HTTP/1.1", "GET /%zz HTTP/1.1", "GET /%4 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /?%zz\xff HTTP/1.0",
		"GET  / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.10", "GET /", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, target, _ := strings.Cut(line, " ")
		if strings.ContainsAny(line, "\r\n") || !strings.HasPrefix(target, "/") || strings.HasPrefix(line, "CONNECT ") {
			return
		}
		_, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + "\r\nHost: x\r\n\r\n")))
		if ours := checkRequestLine([]byte(line)); (ours == nil) != (err == nil) {
			t.Errorf("%q: %v, but net/http's: %v", line, ours, err)
		}
	})
}
