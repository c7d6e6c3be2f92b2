package config_test

import (
	"testing"

	"spangate/handler/config"
)

func TestNearest(t *testing.T) {
	known := []string{"api", "read", "old-docs", "client_ip"}
	for name, want := range map[string]string{
		"apii": "api", "clientip": "client_ip", "raed": "read", "paI": "", "old_docs": "old-docs", "ap": "", "write": "", "": "", "x": "",
	} {
		if got := config.Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
