package http1_test

import (
	"net/http"
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
