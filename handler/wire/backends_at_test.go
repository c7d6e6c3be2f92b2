package wire_test

import (
	"strings"
	"testing"
	"time"

	"spangate/balancer"
)

// backendsAt returns the backends at urls.
func backendsAt(t *testing.T, cfg balancer.Config, urls ...string) []*balancer.Backend {
	t.Helper()
	cfg.ConnectTimeout = time.Minute
	if err := cfg.Backends.UnmarshalText([]byte(strings.Join(urls, ","))); err != nil {
		t.Fatal(err)
	}
	backends, err := balancer.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return backends
}
