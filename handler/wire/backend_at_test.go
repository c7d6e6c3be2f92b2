package wire_test

import (
	"testing"
	"time"

	"spangate/balancer"
	"spangate/probe"
)

// backend is one that each request is sent to, once.
type backend struct {
	*balancer.Retrier
	*balancer.Backend
}

// backendAt returns the backend at url.
func backendAt(t *testing.T, cfg balancer.Config, url string) backend {
	t.Helper()
	return backendTold(t, cfg, balancer.Hooks{}, url)
}

func backendTold(t *testing.T, cfg balancer.Config, hooks balancer.Hooks, url string) backend {
	t.Helper()
	cfg.ConnectTimeout = time.Minute
	if err := cfg.Backends.UnmarshalText([]byte(url)); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, hooks)
	if err != nil {
		t.Fatal(err)
	}
	return backend{balancer.Retry(cfg.Retry, pool), pool.Members()[0]}
}
