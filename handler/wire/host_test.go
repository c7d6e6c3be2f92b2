package wire_test

import (
	"testing"

	"spangate/handler/wire"
)

func TestHost(t *testing.T) {
	for text, want := range map[string]string{ // "": refused
		"127.0.0.1":      "127.0.0.1",
		"0.0.0.0":        "0.0.0.0",
		"::":             "::",
		"[::1]":          "::1",
		"fe80::1%eth0":   "fe80::1%eth0",
		"localhost":      "localhost",
		"app_1.x-y.test": "app_1.x-y.test",
		"app.":           "app.",
		"10":             "",
		"300.1.1.1":      "",
		"127.0.0.1:80":   "",
		"localhost:80":   "",
		"[127.0.0.1]":    "",
		"[localhost]":    "",
		"[::1":           "",
		"::1]":           "",
		"a b":            "",
		"a..b":           "",
		"*":              "",
		"http://a":       "",
	} {
		t.Run(text, func(t *testing.T) {
			var h wire.Host
			if err := h.UnmarshalText([]byte(text)); string(h) != want || (err == nil) != (want != "") {
				t.Errorf("read as %q, %v; want %q", h, err, want)
			}
		})
	}
}
