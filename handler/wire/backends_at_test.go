package wire_test

import (
	"strings"
	"testing"
	"time"

	"spangate/balancer"
	"spangate/probe"
)

// backendsAt returns the backends at urls.
func backendsAt(t *testing.T, cfg balancer.Config, urls ...string) []*balancer.Backend {
	t.Helper()
	return backendsTold(t, cfg, balancer.Hooks{}, urls...)
}

func backendsTold(t *testing.T, cfg balancer.Config, hooks balancer.Hooks, urls ...string) []*balancer.Backend {
	t.Helper()
	cfg.ConnectTimeout = time.Minute
	if err := cfg.Backends.UnmarshalText([]byte(strings.Join(urls, ","))); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, hooks)
	if err != nil {
		t.Fatal(err)
	}
	return pool.Members()
}
