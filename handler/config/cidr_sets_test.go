package config_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"spangate/handler/config"
)

func TestCoversAndOverlaps(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want string // a covers b, b covers a, they overlap
	}{
		{"all", "all", "true true true"},
		{"all", "10.0.0.0/8", "true false true"},
		{"10.0.0.0/8", "10.1.0.0/16,10.2.0.0/16", "true false true"},
		{"10.0.0.0/9,10.128.0.0/9", "10.0.0.0/8", "true true true"},
		{"10.0.0.0/8", "11.0.0.0/8", "false false false"},
		{"10.0.0.0/8,::1", "10.1.0.0/16,::2", "false false true"},
		{"2001:db8::/32", "2001:db8:1::/48", "true false true"},
		{"2001:db8::/32", "10.0.0.0/8", "false false false"},
		{"none", "all", "false true false"},
		{"none", "none", "true true false"},
	} {
		a, b := list(t, test.a), list(t, test.b)
		if got := fmt.Sprint(a.Covers(b), b.Covers(a), a.Overlaps(b)); got != test.want || a.Overlaps(b) != b.Overlaps(a) {
			t.Errorf("%s and %s: %s, want %s", test.a, test.b, got, test.want)
		}
	}
	if (config.CIDRs{}).Overlaps(list(t, "all")) || !list(t, "all").Covers(config.CIDRs{}) {
		t.Error("the zero value contains an address")
	}
}

// Where sets differ they do at an end of one of their networks.
func TestSetsAgreeWithContains(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var networks [2][]netip.Prefix
		var probes []netip.Addr
		for i := range networks {
			for range random.IntN(4) {
				p := prefix(random, random.IntN(2) == 0)
				networks[i] = append(networks[i], p)
				probes = append(probes, addressesAround(p)...)
			}
		}
		a, b := config.CIDRsOf(networks[0]...), config.CIDRsOf(networks[1]...)
		overlap := slices.ContainsFunc(probes, func(addr netip.Addr) bool { return a.Contains(addr) && b.Contains(addr) })
		outside := slices.ContainsFunc(probes, func(addr netip.Addr) bool { return b.Contains(addr) && !a.Contains(addr) })
		if a.Overlaps(b) != overlap || a.Covers(b) == outside {
			t.Fatalf("%s and %s: overlap %t, cover %t", a, b, a.Overlaps(b), a.Covers(b))
		}
	}
}
