package config

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// CIDRs is a list of IP networks. As text it is a comma list of CIDRs and single
// addresses, or "all" or "none". IPv4 networks that are written as IPv6 count
// as IPv4. The zero value, which no text stands for, contains no address.
//
// A List is made to be long and asked often: it costs a pointer to copy, and a
// binary search to ask.
type CIDRs struct{ table *table }

// table is a list as it was written and as it is searched: ranges of addresses
// that neither touch nor overlap, in order. The ends stand apart from the
// beginnings so that a search reads half as much memory.
type table struct {
	prefixes      []netip.Prefix
	first4, last4 []uint32
	first6, last6 []uint128
	all4, all6    bool // the ranges are one that leaves nothing out
	writtenAsAll  bool
}

type uint128 struct{ high, low uint64 }

func (u uint128) less(v uint128) bool { return u.high < v.high || u.high == v.high && u.low < v.low }

// next is u+1, and 0 behind the greatest.
func (u uint128) next() uint128 {
	if u.low++; u.low == 0 {
		u.high++
	}
	return u
}

var everything = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// CIDRsOf returns the list of prefixes. Those that are not valid are left out.
func CIDRsOf(prefixes ...netip.Prefix) CIDRs {
	t := &table{}
	for _, p := range prefixes {
		if p = plainPrefix(p); p.IsValid() {
			t.prefixes = append(t.prefixes, p)
		}
	}
	t.index()
	return CIDRs{t}
}

// With returns the list of l's networks and prefixes.
func (l CIDRs) With(prefixes ...netip.Prefix) CIDRs {
	if l.table != nil {
		prefixes = slices.Concat(l.table.prefixes, prefixes)
	}
	return CIDRsOf(prefixes...)
}

// plain returns p without bits behind its length, and as IPv4 if that is what
// it is about.
func plainPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// IsZero reports whether l is the zero value, rather than a list that was given.
func (l CIDRs) IsZero() bool { return l.table == nil }

// Empty reports whether l contains no address.
func (l CIDRs) Empty() bool { return l.table == nil || len(l.table.first4)+len(l.table.first6) == 0 }

// All reports whether l contains every address, IPv4 and IPv6.
func (l CIDRs) All() bool { return l.table != nil && l.table.all4 && l.table.all6 }

// Contains reports whether addr is in one of the networks. An IPv4 address
// written as IPv6 counts as IPv4, and a zone does not count. The zero Addr is
// in none.
func (l CIDRs) Contains(addr netip.Addr) bool {
	t := l.table
	if t == nil {
		return false
	}
	if addr.Is4() || addr.Is4In6() {
		b := addr.As4()
		return t.contains4(binary.BigEndian.Uint32(b[:]))
	}
	return addr.Is6() && t.contains6(number(addr))
}

func (t *table) contains4(n uint32) bool {
	low, high := 0, len(t.first4) // first4[low-1] <= n < first4[high]
	for low < high {
		if middle := int(uint(low+high) >> 1); t.first4[middle] <= n {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low > 0 && n <= t.last4[low-1]
}

func (t *table) contains6(n uint128) bool {
	low, high := 0, len(t.first6)
	for low < high {
		if middle := int(uint(low+high) >> 1); !n.less(t.first6[middle]) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low > 0 && !t.last6[low-1].less(n)
}

func number(addr netip.Addr) uint128 {
	b := addr.As16()
	return uint128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// index makes the ranges out of the prefixes.
func (t *table) index() {
	sorted := slices.Clone(t.prefixes)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	for _, p := range sorted {
		if p.Addr().Is4() {
			b := p.Addr().As4()
			first := binary.BigEndian.Uint32(b[:])
			t.add4(first, first|uint32(1<<(32-p.Bits())-1))
		} else {
			t.add6(number(p.Addr()), p.Bits())
		}
	}
	t.first4, t.last4 = slices.Clip(t.first4), slices.Clip(t.last4)
	t.first6, t.last6 = slices.Clip(t.first6), slices.Clip(t.last6)
	t.all4 = len(t.first4) == 1 && t.first4[0] == 0 && t.last4[0] == ^uint32(0)
	t.all6 = len(t.first6) == 1 && t.first6[0] == uint128{} && t.last6[0] == uint128{^uint64(0), ^uint64(0)}
}

// add4 adds a range that begins no earlier than the last one.
func (t *table) add4(first, last uint32) {
	if i := len(t.last4) - 1; i >= 0 && (first <= t.last4[i] || first == t.last4[i]+1) {
		t.last4[i] = max(t.last4[i], last)
		return
	}
	t.first4, t.last4 = append(t.first4, first), append(t.last4, last)
}

func (t *table) add6(first uint128, bits int) {
	last := first
	if bits < 64 {
		last = uint128{first.high | ^uint64(0)>>bits, ^uint64(0)}
	} else if bits < 128 {
		last.low |= ^uint64(0) >> (bits - 64)
	}
	if i := len(t.last6) - 1; i >= 0 && (!t.last6[i].less(first) || first == t.last6[i].next()) {
		if t.last6[i].less(last) {
			t.last6[i] = last
		}
		return
	}
	t.first6, t.last6 = append(t.first6, first), append(t.last6, last)
}

// UnmarshalText parses a list. Its error joins one for each item that is wrong.
func (l *CIDRs) UnmarshalText(text []byte) error {
	*l = CIDRs{}
	t := &table{}
	switch s := strings.TrimSpace(string(text)); s {
	case "", "none":
	case "all":
		t.prefixes, t.writtenAsAll = everything, true
	default:
		var wrong []error
		for item := range strings.SplitSeq(s, ",") {
			p, err := parsePrefix(strings.TrimSpace(item))
			if err != nil {
				wrong = append(wrong, err)
				continue
			}
			t.prefixes = append(t.prefixes, p)
		}
		if len(wrong) > 0 {
			return errors.Join(wrong...)
		}
	}
	t.index()
	*l = CIDRs{t}
	return nil
}

func parsePrefix(item string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(item); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(item)
	if err != nil {
		return p, fmt.Errorf("%.100q must be a network such as 10.0.0.0/8 or an address", item)
	}
	return plainPrefix(p), nil
}

// MarshalText renders the list as UnmarshalText reads it.
func (l CIDRs) MarshalText() ([]byte, error) {
	switch t := l.table; {
	case t == nil || len(t.prefixes) == 0:
		return []byte("none"), nil
	case t.writtenAsAll:
		return []byte("all"), nil
	}
	var b []byte
	for i, p := range l.table.prefixes {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.AppendTo(b)
	}
	return b, nil
}

func (l CIDRs) String() string {
	text, _ := l.MarshalText() // cannot fail
	return string(text)
}

// Summary returns the list as it is written, or of how many networks it is when
// those are many.
func (l CIDRs) Summary() string {
	const most = 8
	if l.table != nil && len(l.table.prefixes) > most {
		return fmt.Sprintf("%d networks", len(l.table.prefixes))
	}
	return l.String()
}
