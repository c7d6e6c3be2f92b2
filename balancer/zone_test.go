package balancer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/probe"
)

// What is dialled has the zone; what is requested, and stands in Host fields and
// certificates, does not.
func TestZones(t *testing.T) {
	for text, want := range map[string][2]string{
		"http://[fe80::1%25eth0]:3000":       {"[fe80::1%eth0]:3000", "http://[fe80::1]:3000"},
		"http://[fe80::1%25Eth0.1]":          {"[fe80::1%Eth0.1]:80", "http://[fe80::1]"},
		"https://[FE80:0::1%25e%2D0]/a%2Fb/": {"[fe80::1%e-0]:443", "https://[FE80:0::1]/a%2Fb"},
		"h2c://[fe80::1%25eth0]":             {"[fe80::1%eth0]:80", "http://[fe80::1]"},
		"h2c://[fe80::1]":                    {"", "http://[fe80::1]"},
	} {
		var cfg balancer.Config
		if err := cfg.Backends.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		b := pool.Members()[0]
		if diff := cmp.Diff(want, [2]string{b.Address, b.URL.String()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if b.Name != text {
			t.Errorf("%s is named %s", text, b.Name)
		}
	}
}
