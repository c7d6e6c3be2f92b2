package handler

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"

	"spangate/handler/field"
)

// addressFields name the client, in a list or alone.
var addressFields = []ClientIPHeader{
	forwardedFor, forwarded, "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip",
	"Fly-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
}

// isForwarded reports whether a field says whom a request comes from, and how, or
// would be taken for one that does.
func (o Origin) isForwarded(name string) bool {
	name = field.Canonical(name)
	return field.IsForwarded(name) || name == field.Canonical(string(o.Header))
}

// setForwarded writes into h, the header to be sent, whom r comes from. The
// word of a trusted peer is extended, that of any other replaced.
func setForwarded(h http.Header, r *http.Request, o Origin) {
	peer := PeerAddr(r)
	proto := scheme(r)
	if !o.Trusted.Contains(peer) {
		maps.DeleteFunc(h, func(name string, _ []string) bool { return o.isForwarded(name) })
	}
	host := r.Host
	if host != "" && h["X-Forwarded-Host"] == nil {
		h["X-Forwarded-Host"] = []string{host}
	}
	if h["X-Forwarded-Proto"] == nil {
		h["X-Forwarded-Proto"] = []string{proto}
	}
	if !peer.IsValid() {
		return
	}
	address := peer.String()
	h["X-Forwarded-For"] = []string{list(h["X-Forwarded-For"], address)}
	h["Forwarded"] = []string{list(h["Forwarded"], element(peer, address, host, proto))}
}

// element is one hop of RFC 7239 §4. IPv6 addresses are quoted and in
// brackets; a host is quoted, as it may have a port.
func element(peer netip.Addr, address, host, proto string) string {
	if peer.Is6() {
		address = `"[` + address + `]"`
	}
	if host == "" || strings.ContainsAny(host, `"\`) {
		return "for=" + address + ";proto=" + proto
	}
	return "for=" + address + `;host="` + host + `";proto=` + proto
}

// list appends last to a list field that may come in several lines.
func list(lines []string, last string) string {
	if len(lines) == 0 {
		return last
	}
	return strings.Join(lines, ", ") + ", " + last
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
