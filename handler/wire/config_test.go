package wire_test

import (
	"testing"

	"spangate/handler/config"
	"spangate/handler/wire"
)

func TestConfigCheck(t *testing.T) {
	for _, test := range []struct {
		port, admin uint16
		want        string
	}{
		{8080, 0, ""}, {8080, 9090, ""}, {0, 0, ""}, {0, 9090, ""},
		{8080, 8080, `ADMIN_PORT="8080": must not be that of PORT; leave it empty to have both on one`},
	} {
		got := ""
		cfg := wire.Config{Port: test.port, AdminPort: test.admin}
		if err := config.Named(&cfg, cfg.Check(false)); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("PORT=%d ADMIN_PORT=%d: %q, want %q", test.port, test.admin, got, test.want)
		}
	}
}
