package handler

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// dialect is how proxies say whom a request comes from.
type dialect int

const (
	xForwarded dialect = iota // X-Forwarded-For, -Proto and -Host, a list in each
	rfc7239                   // Forwarded
)

// list returns the name of the field that lists the hops.
func (d dialect) list() string {
	if d == rfc7239 {
		return string(forwarded)
	}
	return string(forwardedFor)
}

// said is what trusted hops say of a request in one dialect.
type said struct {
	dialect dialect
	hops    []netip.Addr // the nearest first; the last one is the client
	hidden  bool         // who is behind the last one is not named
	proto   string       // as it was written
	host    string
}

func (s said) scheme() string { return schemeOf(s.proto) }

// said returns what trusted hops say in the dialect that o.Header is of. Where no
// field of that is there, it is the other one: proxies speak one and pass on what
// their clients wrote in the other, which is not believed beside it.
func (o Origin) said(h http.Header) said {
	x := h["X-Forwarded-For"] != nil || h["X-Forwarded-Proto"] != nil || h["X-Forwarded-Host"] != nil
	if h["Forwarded"] != nil && (o.Header == forwarded || !x) {
		return o.saidIn(rfc7239, h)
	}
	return o.saidIn(xForwarded, h)
}

// saidIn follows the hops from the right while they are trusted: whoever is not
// wrote, or let others write, all that stands left of it. An empty element of a
// list is none (RFC 9110 §5.6.1.2), but a list of nothing else names nobody.
func (o Origin) saidIn(d dialect, h http.Header) said {
	if d == rfc7239 {
		return o.followForwarded(h["Forwarded"])
	}
	s := said{dialect: xForwarded, hidden: h["X-Forwarded-For"] != nil}
	followed := 0
	for hop := range elementsFromRight(h["X-Forwarded-For"], cutLastMember) {
		addr, ok := parseHop(hop)
		followed++
		if s.hidden = !ok; !ok {
			break
		}
		if s.hops = append(s.hops, addr); !o.Trusted.Contains(addr) {
			break
		}
	}
	s.proto, s.host = byHop(h["X-Forwarded-Proto"], followed), byHop(h["X-Forwarded-Host"], followed)
	return s
}

// byHop returns what the last of so many hops, the nearest first, has written into a list
// field. Some add to what they got, one element each, as they do to X-Forwarded-For; what
// stands left of that is their client's word. Others write it anew, or leave it to the
// first: where there are fewer elements than hops it is the leftmost.
func byHop(lines []string, hops int) (element string) {
	for element = range elementsFromRight(lines, cutLastMember) {
		if hops--; hops <= 0 {
			break
		}
	}
	return element
}

// followForwarded is the part of saidIn for Forwarded. The scheme and the host are
// those that the last hop which is followed has seen.
//
// It reads from the right and no further than it believes. Read from the left,
// a client could open a quote that swallows what the proxies have added.
func (o Origin) followForwarded(lines []string) said {
	s := said{dialect: rfc7239, hidden: lines != nil}
	for text := range elementsFromRight(lines, cutLastElement) {
		element, ok := parseElement(text)
		if !ok {
			s.hidden = true
			break
		}
		s.proto, s.host = unquote(element.proto), trim(unquote(element.host))
		addr, named := parseNode(element.node)
		if s.hidden = !named; !named {
			break
		}
		if s.hops = append(s.hops, addr); !o.Trusted.Contains(addr) {
			break
		}
	}
	return s
}

// elementsFromRight yields the elements of a list field that may come in several
// lines, the last one first, without white space around them and without those
// that are empty. cut cuts off the last one of a line.
func elementsFromRight(lines []string, cut func(line string) (before, element string, more bool)) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for more := true; more; {
				var element string
				line, element, more = cut(line)
				if element = trim(element); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// cutLastMember cuts what stands behind the last comma.
func cutLastMember(line string) (before, member string, more bool) {
	if comma := strings.LastIndexByte(line, ','); comma >= 0 {
		return line[:comma], line[comma+1:], true
	}
	return "", line, false
}

// isSingle reports whether the field holds one address.
func (h ClientIPHeader) isSingle() bool { return h != "" && h != forwardedFor && h != forwarded }

// single returns the address that a field which holds one names, and whether it
// hides one.
func (h ClientIPHeader) single(header http.Header) (hops []netip.Addr, hidden bool) {
	lines := header[string(h)]
	if len(lines) == 1 {
		if addr, ok := parseHop(trim(lines[0])); ok {
			return []netip.Addr{addr}, false
		}
	}
	return nil, len(lines) > 0
}

// parseHop reads an address as proxies write it: with a port or without, and in
// brackets or not when it is an IPv6 one. A zone means nothing elsewhere and is
// dropped.
func parseHop(hop string) (netip.Addr, bool) {
	if strings.HasPrefix(hop, "[") {
		address, port, closed := strings.Cut(hop[1:], "]")
		addr, err := netip.ParseAddr(address)
		return addr.Unmap().WithZone(""), closed && err == nil && addr.Is6() && (port == "" || port[0] == ':' && isPort(port[1:]))
	}
	if colon := strings.IndexByte(hop, ':'); colon >= 0 && strings.IndexByte(hop[colon+1:], ':') < 0 {
		addr, err := netip.ParseAddr(hop[:colon])
		return addr, err == nil && isPort(hop[colon+1:])
	}
	if hop == "" {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(hop)
	return addr.Unmap().WithZone(""), err == nil
}

// isPort reports whether s is a number as ports are written, RFC 7239 §6.
func isPort(s string) bool {
	return 1 <= len(s) && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// trim removes the white space that HTTP allows around members of a list.
func trim(s string) string { return strings.Trim(s, " \t") }
