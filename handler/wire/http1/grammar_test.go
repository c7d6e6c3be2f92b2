package http1_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/wire/http1"
)

// TestGrammar compares which names and values are written, and read, with those that
// x/net allows: each two bytes beside each other, at each place of pieces of eight.
func TestGrammar(t *testing.T) {
	for two := range 1 << 16 {
		pair := string([]byte{byte(two >> 8), byte(two)})
		at := two % 17
		text := strings.Repeat("a", at) + pair + strings.Repeat("Z", two/17%17)
		for name, value := range map[string]string{text: "1", "X": text} {
			want := httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value)
			if _, err := http1.AppendFields(nil, http.Header{name: {value}}, nil); (err == nil) != want {
				t.Fatalf("%q: %q is sent: %v", name, value, err)
			}
			if strings.ContainsAny(name, ":\n") || strings.ContainsAny(value, "\n") {
				continue
			}
			head := "GET / HTTP/1.1\r\nHost: a\r\n" + name + ": " + value + "\r\n\r\n"
			if _, _, err := http1.NewReader(strings.NewReader(head)).ReadRequest(4 << 10); (err == nil) != want {
				t.Fatalf("%q: %q is read: %v", name, value, err)
			}
		}
	}
}

// TestTargets compares the targets that are written with those of net/url, and which are
// refused with those that have a blank or a control character.
func TestTargets(t *testing.T) {
	for two := range 1 << 16 {
		pair := string([]byte{byte(two >> 8), byte(two)})
		text := "/" + strings.Repeat("a", two%17) + pair + strings.Repeat("Z", two/17%17)
		for _, u := range []*url.URL{{Path: text}, {Path: "/", RawQuery: text}, {Path: text, RawPath: text}, {Opaque: text}, {Scheme: "http", Opaque: "/" + text}} {
			want := u.RequestURI()
			valid := !strings.ContainsFunc(want, func(r rune) bool { return r <= ' ' || r == 0x7f })
			b, err := http1.AppendRequest(nil, &http.Request{Method: "GET", URL: u, Host: "a"}, 0)
			if (err == nil) != valid || valid && string(b) != "GET "+want+" HTTP/1.1\r\nHost: a\r\n\r\n" {
				t.Fatalf("%#v: %q, %v", u, b, err)
			}
		}
	}
}
