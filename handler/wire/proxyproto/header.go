// Package proxyproto answers: whose connection is this, if a load balancer has
// made it for somebody else?
//
// It reads and writes the header of HAProxy's PROXY protocol, versions 1 and 2, by
// which whoever passes a connection on says at its beginning which ends it has had
// before. The specification is HAProxy's doc/proxy-protocol.txt.
package proxyproto

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Header is what a header says. The zero value says that the connection is passed
// on for somebody who is not named.
type Header struct {
	// Local is set where the sender speaks for itself, as in its health checks.
	// Version 1 has no way to say so.
	Local bool
	// Source and Destination are the ends of the connection that is passed on: who
	// has made it, and where to. Both are zero where they are not named, and neither
	// is IPv4 in the form of IPv6 or has a zone.
	Source, Destination netip.AddrPort
}

// Version is a form of the header: one line of text, or binary.
type Version int

// The versions.
const (
	V1 Version = 1
	V2 Version = 2
)

// UnmarshalText parses v1 or v2.
func (v *Version) UnmarshalText(text []byte) error {
	switch string(text) {
	case "v1":
		*v = V1
	case "v2":
		*v = V2
	default:
		return fmt.Errorf("must be v1 or v2")
	}
	return nil
}

// MarshalText renders v as UnmarshalText reads it.
func (v Version) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "v%d", int(v)), nil }

const (
	signatureV1 = "PROXY "
	signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"

	maxV1   = 107 // all of the line, its end included
	fixedV2 = len(signatureV2) + 4

	commandLocal, commandProxy = 0x20, 0x21 // behind the version, 2

	unspecified, tcp4, tcp6   = 0x00, 0x11, 0x21
	udp4, udp6, stream, dgram = 0x12, 0x22, 0x31, 0x32 // the last two are of Unix sockets

	endsTCP4, endsTCP6 = 2*4 + 2*2, 2*16 + 2*2
)

// Append appends h to b as v has it. Ends of two families are both written as IPv6:
// the header has one family for the two. One that names nobody becomes UNKNOWN in
// version 1, which is also all that this has for a sender's own connections.
func (h Header) Append(b []byte, v Version) []byte {
	source, destination := h.Source, h.Destination
	named := !h.Local && source.IsValid() && destination.IsValid()
	is4 := named && source.Addr().Is4() && destination.Addr().Is4()
	if v == V1 {
		if !named {
			return append(b, signatureV1+"UNKNOWN\r\n"...)
		}
		if is4 {
			return fmt.Appendf(b, signatureV1+"TCP4 %v %v %d %d\r\n", source.Addr(), destination.Addr(), source.Port(), destination.Port())
		}
		return fmt.Appendf(b, signatureV1+"TCP6 %v %v %d %d\r\n", as6(source), as6(destination), source.Port(), destination.Port())
	}
	b = append(b, signatureV2...)
	switch {
	case h.Local:
		return append(b, commandLocal, unspecified, 0, 0)
	case !named:
		return append(b, commandProxy, unspecified, 0, 0)
	case is4:
		b = append(b, commandProxy, tcp4, 0, endsTCP4)
		b = append(append(b, source.Addr().AsSlice()...), destination.Addr().AsSlice()...)
	default:
		b = append(b, commandProxy, tcp6, 0, endsTCP6)
		from, to := as6(source).As16(), as6(destination).As16()
		b = append(append(b, from[:]...), to[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, source.Port())
	return binary.BigEndian.AppendUint16(b, destination.Port())
}

// as6 returns the address of an end as one of IPv6, without a zone.
func as6(end netip.AddrPort) netip.Addr { return netip.AddrFrom16(end.Addr().As16()) }
