package config_test

import (
	"testing"

	"spangate/handler/config"
)

func TestPercent(t *testing.T) {
	for text, want := range map[string]struct {
		part    config.Percent
		written string
	}{
		"20%": {0.2, "20%"}, "0%": {0, "0%"}, "100%": {1, "100%"}, "12.5%": {0.125, "12.5%"}, "1e1%": {0.1, "10%"}, "33.3333333%": {0.333333333, "33.333333%"},
	} {
		var got config.Percent
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want.part {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want.part)
		}
		if written, _ := got.MarshalText(); string(written) != want.written {
			t.Errorf("%q is written as %q, want %q", text, written, want.written)
		}
	}
	for _, text := range []string{"", "%", "20", "0.2", "-1%", "100.1%", "NaN%", "Inf%", "20 %", "20%%"} {
		var got config.Percent
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
