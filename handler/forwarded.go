package handler

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"spangate/handler/field"
)

// IsForwarded reports whether a field says whom a request comes from, and how, or
// would be taken for one that does.
func (o Origin) IsForwarded(name string) bool {
	name = field.Canonical(name)
	return field.IsForwarded(name) || name == field.Canonical(string(o.Header))
}

// setForwarded writes into h, the header to be sent, what is believed of the
// client, in both dialects alike. The list of a peer that is trusted gets the peer
// added, unless it tells of another client than is believed: then it is written
// anew from that.
func (c Client) setForwarded(h http.Header) {
	if delete(h, "X-Forwarded-Host"); c.Host != "" {
		h["X-Forwarded-Host"] = []string{c.Host}
	}
	h["X-Forwarded-Proto"] = []string{c.Scheme}
	if !c.peer.IsValid() {
		return
	}
	c.add(h, xForwarded, address)
	c.add(h, rfc7239, func(hop netip.Addr) string { return element(hop, c.Host, c.Scheme) })
}

// add writes the list of hops of a dialect into h, each as write has it.
func (c *Client) add(h http.Header, d dialect, write func(netip.Addr) string) {
	name := d.list()
	lines := h[name]
	if !c.agrees(d, h) {
		lines = nil
		if c.Hidden {
			lines = append(lines, write(netip.Addr{}))
		}
		for _, hop := range slices.Backward(c.hops) {
			lines = append(lines, write(hop))
		}
	}
	h[name] = []string{list(lines, write(c.peer))}
}

// agrees reports whether what h has of a dialect says of the client what is
// believed, and no other scheme or host.
func (c *Client) agrees(d dialect, h http.Header) bool {
	if c.spoken == d && !c.origin.Header.isSingle() {
		return !c.Hidden || firstOf(h[d.list()]) != "" // a list of empty elements would hide that somebody is hidden
	}
	if h[d.list()] == nil {
		return len(c.hops) == 0 && !c.Hidden
	}
	s := c.origin.saidIn(d, h)
	if s.hidden != c.Hidden || len(s.hops) == 0 || s.hops[len(s.hops)-1] != c.Addr {
		return false
	}
	return d == xForwarded || (s.proto == "" || s.scheme() == c.Scheme) && (s.host == "" || s.host == c.Host)
}

// address is one hop of X-Forwarded-For: unknown for the zero Addr.
func address(hop netip.Addr) string {
	if !hop.IsValid() {
		return "unknown"
	}
	return hop.String()
}

// element is one hop of RFC 7239 §4. IPv6 addresses are quoted and in
// brackets; a host is quoted, as it may have a port.
func element(hop netip.Addr, host, proto string) string {
	node := address(hop)
	if hop.Is6() {
		node = `"[` + node + `]"`
	}
	if host == "" || strings.ContainsAny(host, `"\`) {
		return "for=" + node + ";proto=" + proto
	}
	return "for=" + node + `;host="` + host + `";proto=` + proto
}

// list appends last to a list field that may come in several lines. Empty
// elements around them are not passed on (RFC 9110 §5.6.1.1).
func list(lines []string, last string) string {
	var b strings.Builder
	for _, line := range lines {
		if line = strings.Trim(line, ", \t"); line != "" {
			b.WriteString(line)
			b.WriteString(", ")
		}
	}
	b.WriteString(last)
	return b.String()
}

// pseudonym is the name in Via, RFC 9110 §7.6.3: the host's own would tell
// clients what it looks like inside.
const pseudonym = "spangate"

// addVia appends this hop to h's Via field. major and minor are the version of
// the message that was received.
func addVia(h http.Header, major, minor int) {
	hop := "1.1 " + pseudonym
	switch {
	case major == 2:
		hop = "2 " + pseudonym
	case minor == 0:
		hop = "1.0 " + pseudonym
	}
	h["Via"] = []string{list(h["Via"], hop)}
}

// maxHops is how often a request may pass here before it is taken to go round
// in a circle.
const maxHops = 10

// loops reports whether r has passed proxies of this name too often.
func loops(r *http.Request) bool {
	hops := 0
	for _, line := range r.Header["Via"] {
		hops += strings.Count(line, " "+pseudonym)
	}
	return hops >= maxHops
}
