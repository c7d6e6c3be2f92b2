package handler

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes is a list of IP networks. As text it is a comma list of CIDRs or
// single addresses, or "none". The zero value contains no address.
type Prefixes []netip.Prefix

// Contains reports whether addr is in one of the networks. An IPv4 address
// written as IPv6 counts as IPv4.
func (p Prefixes) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// UnmarshalText parses a comma list of networks.
func (p *Prefixes) UnmarshalText(text []byte) error {
	*p = nil
	if s := string(text); s == "" || s == "none" {
		return nil
	}
	for item := range strings.SplitSeq(string(text), ",") {
		item = strings.TrimSpace(item)
		prefix, err := netip.ParsePrefix(item)
		if addr, aerr := netip.ParseAddr(item); err != nil && aerr == nil {
			prefix, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q must be a network such as 10.0.0.0/8 or an address", item)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// MarshalText renders the list as UnmarshalText reads it.
func (p Prefixes) MarshalText() ([]byte, error) {
	if len(p) == 0 {
		return []byte("none"), nil
	}
	var b []byte
	for i, prefix := range p {
		if i > 0 {
			b = append(b, ',')
		}
		b = prefix.AppendTo(b)
	}
	return b, nil
}
