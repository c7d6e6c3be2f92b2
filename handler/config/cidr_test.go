package config_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

func ExampleCIDRs() {
	var offices config.CIDRs
	fmt.Println(offices.UnmarshalText([]byte("10.0.0.0/8, 192.0.2.7")))
	fmt.Println(offices.Contains(netip.MustParseAddr("192.0.2.7")))
	fmt.Println(offices.UnmarshalText([]byte("10.0.0.0/33, 1.2.3")))
	// Output:
	// <nil>
	// true
	// "10.0.0.0/33" must be a network such as 10.0.0.0/8 or an address
	// "1.2.3" must be a network such as 10.0.0.0/8 or an address
}

func list(t testing.TB, text string) (l config.CIDRs) {
	t.Helper()
	if err := l.UnmarshalText([]byte(text)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return l
}

func TestContains(t *testing.T) {
	for _, test := range []struct{ list, in, out string }{
		{"none", "", "0.0.0.0 :: 127.0.0.1"},
		{"all", "0.0.0.0 255.255.255.255 :: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ::ffff:1.2.3.4 fe80::1%eth0", ""},
		{"0.0.0.0/0", "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4", ":: 2001:db8::1"},
		{"::/0", ":: 2001:db8::1", "0.0.0.0 1.2.3.4 ::ffff:1.2.3.4"},
		{"10.0.0.0/8", "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 ::10.0.0.1 64:ff9b::10.0.0.1"},
		{"::ffff:10.0.0.0/104", "10.1.2.3 ::ffff:10.1.2.3", "11.0.0.0 ::1"},
		{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"},
		{"192.0.2.7", "192.0.2.7", "192.0.2.6 192.0.2.8"},
		{"10.1.2.3/8", "10.0.0.0", "11.0.0.0"},
		{"2001:db8::/32", "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8::1%eth0", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::"},
		{"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"},
		{"2001:db8::/72", "2001:db8::ff:ffff:ffff:ffff", "2001:db8::100:0:0:0"},
		{"::1", "::1", ":: ::2"},
		{"0.0.0.0/1,128.0.0.0/1", "0.0.0.0 127.255.255.255 128.0.0.0 255.255.255.255", "::"},
		{"255.255.255.255,0.0.0.0", "0.0.0.0 255.255.255.255", "1.0.0.0 255.255.255.254"},
		{"10.0.0.0/8,10.1.0.0/16,10.255.0.0/16,12.0.0.0/8", "10.0.0.1 10.1.0.1 10.255.255.255 12.0.0.0", "11.0.0.0 13.0.0.0"},
	} {
		l := list(t, test.list)
		for addr := range strings.FieldsSeq(test.in) {
			if !l.Contains(netip.MustParseAddr(addr)) {
				t.Errorf("%s lacks %s", test.list, addr)
			}
		}
		for addr := range strings.FieldsSeq(test.out) {
			if l.Contains(netip.MustParseAddr(addr)) {
				t.Errorf("%s contains %s", test.list, addr)
			}
		}
		if l.Contains(netip.Addr{}) {
			t.Errorf("%s contains no address at all", test.list)
		}
	}
	if (config.CIDRs{}).Contains(netip.MustParseAddr("::1")) {
		t.Error("the zero value contains an address")
	}
}

func TestWhatItIs(t *testing.T) {
	for text, want := range map[string]string{ // zero, empty, all
		"none": "false true false", "": "false true false", "all": "false false true", " all ": "false false true",
		"0.0.0.0/0": "false false false", "0.0.0.0/0,::/0": "false false true",
		"0.0.0.0/1,128.0.0.0/1,::/0": "false false true", "::1": "false false false",
	} {
		l := list(t, text)
		if got := fmt.Sprint(l.IsZero(), l.Empty(), l.All()); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if zero := (config.CIDRs{}); !zero.IsZero() || !zero.Empty() || zero.All() || zero.String() != "none" {
		t.Error("the zero value is not empty")
	}
	if l := config.CIDRsOf(netip.Prefix{}, netip.MustParsePrefix("10.1.0.0/8")); l.String() != "10.0.0.0/8" {
		t.Errorf("ListOf gives %s", l)
	}
}

func TestFaults(t *testing.T) {
	for _, text := range []string{
		",", "10.0.0.0/8,", "all,10.0.0.0/8", "none,::1", "auto", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/08", "010.0.0.1",
		"10.0.0", "fe80::1%eth0", "fe80::%eth0/64", "10.0.0.1:80", "[::1]", "10.0.0.0 /8", "localhost", "10.0.0.0/8;11.0.0.0/8",
	} {
		l := list(t, "all")
		if err := l.UnmarshalText([]byte(text)); err == nil || !l.IsZero() {
			t.Errorf("%q: got %v and the list %s, want an error and none", text, err, l)
		}
	}
	var l config.CIDRs
	err := l.UnmarshalText([]byte("a,::1,b"))
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("error %v does not name both", err)
	}
}

// slow is the list as it reads: each network asked by itself.
func slow(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// addressesAround returns the addresses at which the answer may change.
func addressesAround(p netip.Prefix) []netip.Addr {
	last := p.Addr()
	b := last.AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ = netip.AddrFromSlice(b)
	return []netip.Addr{p.Addr().Prev(), p.Addr(), last, last.Next()}
}

func TestContainsAgreesWithNetip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var networks []netip.Prefix
		for range random.IntN(40) {
			networks = append(networks, prefix(random, random.IntN(2) == 0))
		}
		l := config.CIDRsOf(networks...)
		for _, p := range networks {
			for _, addr := range addressesAround(p) {
				if l.Contains(addr) != slow(networks, addr) {
					t.Fatalf("%s: %v is said to be in: %t", l, addr, l.Contains(addr))
				}
			}
		}
	}
}

// prefix returns a network out of a small space, so that many overlap or touch.
func prefix(random *rand.Rand, is4 bool) netip.Prefix {
	if is4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(random.IntN(4)) * 85, byte(random.IntN(3)) * 127, 0, byte(random.IntN(4))}), random.IntN(33)).Masked()
	}
	var b [16]byte
	b[0], b[7], b[8], b[15] = byte(random.IntN(4))*85, byte(random.IntN(3)), byte(random.IntN(3)), byte(random.IntN(3))
	return netip.PrefixFrom(netip.AddrFrom16(b), random.IntN(129)).Masked()
}

func FuzzList(f *testing.F) {
	f.Add("10.0.0.0/8,::1, fd00::/8", "10.1.2.3")
	f.Add("all", "::1")
	f.Add("::ffff:10.0.0.0/104,::/3", "::ffff:10.0.0.1")
	f.Add("0.0.0.0/0,255.255.255.255", "255.255.255.255")
	f.Fuzz(func(t *testing.T, text, address string) {
		var l, again config.CIDRs
		if l.UnmarshalText([]byte(text)) != nil {
			if !l.IsZero() {
				t.Errorf("%q is refused, and leaves %s", text, l)
			}
			return
		}
		if err := again.UnmarshalText([]byte(l.String())); err != nil {
			t.Fatalf("%q is read, but what it is written as, %q, is not: %v", text, l, err)
		}
		if diff := cmp.Diff(l.String(), again.String()); diff != "" {
			t.Errorf("%q (-read +read again):\n%s", text, diff)
		}
		addr, err := netip.ParseAddr(address)
		if err != nil || l.Empty() {
			return
		}
		var networks []netip.Prefix
		if written := l.String(); written == "all" {
			networks = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		} else {
			for item := range strings.SplitSeq(written, ",") {
				networks = append(networks, netip.MustParsePrefix(item))
			}
		}
		if l.Contains(addr) != slow(networks, addr) {
			t.Errorf("%q: %v is said to be in: %t", text, addr, l.Contains(addr))
		}
	})
}

func BenchmarkContains(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var asked []netip.Addr
	for range 1 << 12 {
		asked = append(asked, netip.AddrFrom4([4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}))
		var six [16]byte
		six[0], six[1], six[2], six[3], six[4], six[5] = 0x20, 1, byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())
		asked = append(asked, netip.AddrFrom16(six))
	}
	for _, n := range []int{1, 10, 10_000} {
		var networks []netip.Prefix
		for i := range n {
			networks = append(networks, netip.PrefixFrom(asked[i%len(asked)].Next(), 24+i%9).Masked())
		}
		l := config.CIDRsOf(networks...)
		b.Run(fmt.Sprint("networks=", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				l.Contains(asked[i%len(asked)])
				i++
			}
		})
	}
}
