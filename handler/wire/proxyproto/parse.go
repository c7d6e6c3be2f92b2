package proxyproto

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// parse reads the header that a connection begins with, of which p is what has come
// so far, and returns its length; 0 while more of p is needed. The header may be
// longer than p, by what is of no interest: additions (TLVs), and ends that are not
// of TCP. Errors are *[Error].
func parse(p []byte) (h Header, length int, err error) {
	if begins(p, signatureV2) {
		return parseV2(p)
	}
	if begins(p, signatureV1) {
		return parseV1(p)
	}
	return Header{}, 0, &Error{Missing, "the connection does not begin with a header of the PROXY protocol"}
}

// begins reports whether p begins with signature, as far as it has come.
func begins(p []byte, signature string) bool {
	n := min(len(p), len(signature))
	return string(p[:n]) == signature[:n]
}

func parseV1(p []byte) (h Header, length int, err error) {
	p = p[:min(len(p), maxV1)]
	line, _, whole := bytes.Cut(p, []byte("\r\n"))
	switch {
	case bytes.IndexByte(line, '\n') >= 0 || whole && bytes.IndexByte(line, '\r') >= 0:
		return Header{}, 0, malformed("a line that does not end in CR LF")
	case !whole && len(p) == maxV1:
		return Header{}, 0, malformed("a line that does not end within 107 bytes")
	case !whole:
		return Header{}, 0, nil
	}
	length = len(line) + len("\r\n")
	fields := strings.Split(string(line), " ") // the first is PROXY
	if len(fields) > 1 && fields[1] == "UNKNOWN" {
		return Header{}, length, nil // whatever follows
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return Header{}, 0, malformed("a line that is none of version 1")
	}
	source, ok := parseEnd(fields[1], fields[2], fields[4])
	destination, ok2 := parseEnd(fields[1], fields[3], fields[5])
	if !ok || !ok2 {
		return Header{}, 0, malformed("an address or a port that " + fields[1] + " has not")
	}
	return named(source, destination), length, nil
}

// parseEnd reads an address and a port. Among those of TCP6 nginx writes an
// address of IPv4 as such.
func parseEnd(family, address, port string) (end netip.AddrPort, ok bool) {
	addr, err := netip.ParseAddr(address)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || addr.Zone() != "" || family == "TCP4" && !addr.Is4() || len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, uint16(n)), true
}

func parseV2(p []byte) (h Header, length int, err error) {
	if len(p) < fixedV2 {
		return Header{}, 0, nil
	}
	command, family := p[fixedV2-4], p[fixedV2-3]
	length = fixedV2 + int(binary.BigEndian.Uint16(p[fixedV2-2:]))
	size := 0 // of the two addresses and ports
	switch {
	case command == commandLocal:
		return Header{Local: true}, length, nil // whatever follows
	case command != commandProxy:
		return Header{}, 0, malformed("a command that is none of version 2")
	case family == tcp4:
		size = endsTCP4
	case family == tcp6:
		size = endsTCP6
	case family != unspecified && family != udp4 && family != udp6 && family != stream && family != dgram:
		return Header{}, 0, malformed("a family or protocol that is none of version 2")
	}
	switch {
	case length < fixedV2+size:
		return Header{}, 0, malformed("no room for the addresses of its family")
	case len(p) < fixedV2+size:
		return Header{}, 0, nil
	case size == 0:
		return Header{}, length, nil
	}
	ends := p[fixedV2 : fixedV2+size]
	address := (size - 2*2) / 2
	source, _ := netip.AddrFromSlice(ends[:address])
	destination, _ := netip.AddrFromSlice(ends[address : 2*address])
	ports := ends[2*address:]
	return named(
		netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:])),
	), length, nil
}

// named returns the header that names these ends. An unspecified source names
// nobody.
func named(source, destination netip.AddrPort) Header {
	from, to := source.Addr().Unmap(), destination.Addr().Unmap()
	if from.IsUnspecified() {
		return Header{}
	}
	return Header{Source: netip.AddrPortFrom(from, source.Port()), Destination: netip.AddrPortFrom(to, destination.Port())}
}

// Reason is why a connection is given up.
type Reason string

// The reasons.
const (
	Missing    Reason = "proxy_header_missing"    // something else stands in its place
	Malformed  Reason = "proxy_header_malformed"  // it breaks the rules
	Late       Reason = "proxy_header_late"       // it has not come whole in time
	Incomplete Reason = "proxy_header_incomplete" // the connection ended amid it
)

// Error says what is wrong with a header. It has nothing of what the peer wrote.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// ErrorType returns the reason, as OpenTelemetry's conventions look for it.
func (e *Error) ErrorType() string { return string(e.Reason) }

func malformed(detail string) error {
	return &Error{Malformed, "a malformed header of the PROXY protocol: " + detail}
}
