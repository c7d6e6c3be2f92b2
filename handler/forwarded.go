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
func (o Origin) IsForwarded(name string) bool { return isForwarded(name, string(o.Header)) }

// isForwarded is [Origin.IsForwarded], own being the name of its field.
func isForwarded(name, own string) bool {
	if !field.MayBeForwarded(name, own) {
		return false
	}
	name = field.Canonical(name)
	return field.IsForwarded(name) || name == field.Canonical(own)
}

// removeForwarded deletes these fields from h.
func (o Origin) removeForwarded(h http.Header) {
	for name := range h {
		if isForwarded(name, string(o.Header)) {
			delete(h, name)
		}
	}
}

// setForwarded writes into h, the header to be sent, what is believed of the
// client, in both dialects alike. The list of a peer that is trusted gets the peer
// added, unless it tells of another client than is believed: then it is written
// anew from that. room is for the values.
func (c *Client) setForwarded(h http.Header, room *field.Room) {
	if delete(h, "X-Forwarded-Host"); c.Host != "" {
		h["X-Forwarded-Host"] = room.Value(c.Host)
	}
	h["X-Forwarded-Proto"] = protoValues(c.Scheme)
	if !c.peer.IsValid() {
		return
	}
	text := make([]byte, 0, 256) // of both, so that they are one string
	text = c.appendHops(text, h, xForwarded)
	split := len(text)
	text = c.appendHops(text, h, rfc7239)
	both := string(text)
	h[xForwarded.list()], h[rfc7239.list()] = room.Value(both[:split]), room.Value(both[split:])
}

var httpValue, httpsValue = []string{"http"}, []string{"https"}

// protoValues returns the scheme, one of two, as the value of a field.
func protoValues(scheme string) []string {
	if scheme == "https" {
		return httpsValue
	}
	return httpValue
}

// appendHops appends the list of hops of a dialect, which h has what came of.
func (c *Client) appendHops(b []byte, h http.Header, d dialect) []byte {
	if c.agrees(d, h) {
		b = appendLines(b, h[d.list()])
	} else {
		if c.Hidden {
			b = append(c.appendHop(b, d, netip.Addr{}), ", "...)
		}
		for _, hop := range slices.Backward(c.hops) {
			b = append(c.appendHop(b, d, hop), ", "...)
		}
	}
	return c.appendHop(b, d, c.peer)
}

// appendHop appends one hop in a dialect, the zero Addr as one that is not named.
// Forwarded is RFC 7239 §4: IPv6 addresses are quoted and in brackets; a host is
// quoted, as it may have a port.
func (c *Client) appendHop(b []byte, d dialect, hop netip.Addr) []byte {
	if d == xForwarded {
		return appendAddress(b, hop)
	}
	b = append(b, "for="...)
	if hop.Is6() {
		b = append(appendAddress(append(b, `"[`...), hop), `]"`...)
	} else {
		b = appendAddress(b, hop)
	}
	if c.Host != "" && !strings.ContainsAny(c.Host, `"\`) {
		b = append(append(append(b, `;host="`...), c.Host...), '"')
	}
	return append(append(b, ";proto="...), c.Scheme...)
}

func appendAddress(b []byte, hop netip.Addr) []byte {
	if !hop.IsValid() {
		return append(b, "unknown"...)
	}
	return hop.AppendTo(b)
}

// appendLines appends what several lines of a list field say, and a comma for what
// follows. Empty elements around them are not passed on (RFC 9110 §5.6.1.1).
func appendLines(b []byte, lines []string) []byte {
	for _, line := range lines {
		if line = strings.Trim(line, ", \t"); line != "" {
			b = append(append(b, line...), ", "...)
		}
	}
	return b
}

// agrees reports whether what h has of a dialect says of the client what is
// believed, and no other scheme or host.
func (c *Client) agrees(d dialect, h http.Header) bool {
	if c.spoken == d && !c.origin.Header.isSingle() {
		return !c.Hidden || byHop(h[d.list()], 1) != "" // a list of empty elements would hide that somebody is hidden
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

// pseudonym is the name in Via, RFC 9110 §7.6.3: the host's own would tell
// clients what it looks like inside.
const pseudonym = "spangate"

// addVia appends this hop to h's Via field. major and minor are the version of
// the message that was received.
func addVia(h http.Header, major, minor int) {
	hop := via11
	switch {
	case major == 2:
		hop = via2
	case minor == 0:
		hop = via10
	}
	if lines := h["Via"]; lines != nil {
		hop = []string{string(append(appendLines(nil, lines), hop[0]...))}
	}
	h["Via"] = hop
}

var via10, via11, via2 = []string{"1.0 " + pseudonym}, []string{"1.1 " + pseudonym}, []string{"2 " + pseudonym}

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
