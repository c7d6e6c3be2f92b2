package balancer

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzDiscovery feeds records made of arbitrary bytes: whatever they are, the
// backends are bounded, distinct and can be dialled, and the same records in
// another order change nothing.
func FuzzDiscovery(f *testing.F) {
	f.Add(false, 1, []byte("\x0a\x00\x00\x01\x0a\x00\x00\x02\xe0\x00\x00\x01"), "")
	f.Add(true, 7, []byte("\x00\x01\x00\x0a\x1f\x90\x00\x01\x00\x1e\x1f\x90"), "a.test. B.test. . 10.0.0.1. a]b.")
	f.Add(false, 1, []byte(strings.Repeat("0123456789abcdef", 300)), "::ffff:10.0.0.1 ff02::1 :: fe80::1%eth0")
	f.Fuzz(func(t *testing.T, srv bool, weight int, raw []byte, names string) {
		answer := records(raw, names)
		d := discovery{
			member:   Member{lookup: "app", srv: srv, Weight: 1 + max(weight, -weight, 0)%maxWeight, url: &url.URL{Scheme: "http", Host: "app"}},
			resolver: answer,
			backend:  func(e endpoint) *Backend { return &Backend{Address: e.address, Weight: e.weight} },
		}
		first := d.adopt(d.lookUp(t.Context()))
		if n := len(first.Backends); n > maxFound || n == 0 && first.Err == nil {
			t.Errorf("%d backends, %v", n, first.Err)
		}
		seen := map[string]bool{}
		for _, b := range first.Backends {
			host, port, err := net.SplitHostPort(b.Address)
			if err != nil || port == "0" || seen[b.Address] || b.Weight < 1 || b.Weight > maxWeight {
				t.Errorf("backend %q of weight %d, %v", b.Address, b.Weight, err)
			}
			seen[b.Address] = true
			addr, err := netip.ParseAddr(host)
			if (err == nil) == srv {
				t.Errorf("%q as the host of a backend", host)
			}
			if err == nil && (addr.IsUnspecified() || addr.IsMulticast() || addr.Is4In6()) {
				t.Errorf("backend at %v", addr)
			}
		}
		slices.Reverse(answer.addrs)
		slices.Reverse(answer.srv)
		if again := d.adopt(d.lookUp(t.Context())); len(again.Joined) > 0 || len(again.Left) > 0 {
			t.Errorf("%d joined and %d left by the same records in another order", len(again.Joined), len(again.Left))
		}
	})
}

// arbitrary is a resolver with one answer.
type arbitrary struct {
	addrs []netip.Addr
	srv   []*net.SRV
}

func (a arbitrary) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return a.addrs, nil
}

func (a arbitrary) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", a.srv, nil
}

// records reads raw as addresses, and as the numbers of SRV records whose
// targets are names.
func records(raw []byte, names string) (a arbitrary) {
	for i, name := range strings.Split(names, " ") {
		if addr, err := netip.ParseAddr(name); err == nil {
			a.addrs = append(a.addrs, addr)
		}
		if len(raw) >= 6*(i+1) {
			field := func(n int) uint16 { return binary.BigEndian.Uint16(raw[6*i+2*n:]) }
			a.srv = append(a.srv, &net.SRV{Target: name, Priority: field(0), Weight: field(1), Port: field(2)})
		}
	}
	for chunk := range slices.Chunk(raw, 4+12*(len(raw)%2)) {
		if addr, ok := netip.AddrFromSlice(chunk); ok {
			a.addrs = append(a.addrs, addr)
		}
	}
	return a
}
