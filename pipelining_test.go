package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestAMalformedRequestBehindAnother has a client send one that cannot be read
// right behind a good one: that is answered, and then the other refused.
func TestAMalformedRequestBehindAnother(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		io.Copy(w, r.Body)
	}))
	good := map[string]string{
		"a GET":             "GET /first HTTP/1.1\r\nHost: x\r\n\r\n",
		"a POST":            "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
		"a POST, in chunks": "POST /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
	}
	bad := map[string]string{
		"no preface":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no method":            "G@ / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a blank before colon": "GET / HTTP/1.1\r\nX : y\r\n\r\n",
		"a bare line feed":     "GET / HTTP/1.1\nHost: x\r\n\r\n",
		"both lengths":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}
	for first, request := range good {
		for second, malformed := range bad {
			t.Run(first+", "+second, func(t *testing.T) {
				for range 5 {
					answers := sendRaw(t, p.addr, request+malformed)
					if !strings.HasPrefix(answers, "HTTP/1.1 200 OK\r\n") || !strings.Contains(answers, "X-Path: /first\r\n") {
						t.Fatalf("the first one is answered with\n%s", answers)
					}
					if strings.Count(answers, "HTTP/1.1 400 Bad Request\r\n") != 1 || strings.Count(answers, "HTTP/1.1 ") != 2 {
						t.Fatalf("the second one is not refused, or something else:\n%s", answers)
					}
				}
			})
		}
	}
}
