package handler

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedFields say whom a request comes from. Backends believe them, so
// what an untrusted peer wrote there is deleted.
var forwardedFields = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Real-Ip",
	"X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "X-Original-Url", "X-Rewrite-Url",
}

// PeerAddr returns the address of the other end of r's connection, or the zero
// Addr where there is none, as on a Unix socket.
func PeerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// Scheme returns "https" when r came over TLS, else "http".
func Scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// ClientAddr returns the address that r comes from: the peer's, or, while each
// hop is trusted, what the trusted one says in X-Forwarded-For, from right to
// left. It is the zero Addr where there is none.
func ClientAddr(r *http.Request, trusted Prefixes) netip.Addr {
	client := PeerAddr(r)
	if len(trusted) == 0 || !trusted.Contains(client) {
		return client
	}
	return before(client, r.Header, trusted)
}

// OutgoingClientAddr is [ClientAddr] for a request as [Forward] sends it, in
// which the peer is the last one of X-Forwarded-For.
func OutgoingClientAddr(r *http.Request, trusted Prefixes) netip.Addr {
	return before(netip.Addr{}, r.Header, trusted)
}

// before returns the address that stands in X-Forwarded-For left of all those
// that are trusted, or else client.
func before(client netip.Addr, h http.Header, trusted Prefixes) netip.Addr {
	hops := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			break // whoever wrote this, what stands left of it is hearsay
		}
		client = addr
		if !trusted.Contains(client) {
			break
		}
	}
	return client
}

// parseHop reads an address, which some proxies write with a port.
func parseHop(hop string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return addr.Unmap(), nil
	}
	withPort, err := netip.ParseAddrPort(hop)
	return withPort.Addr().Unmap(), err
}

// OriginalHost returns the authority that the client asked for, by the word of
// a trusted peer where there is one.
func OriginalHost(r *http.Request, trusted Prefixes) string {
	if len(trusted) > 0 && trusted.Contains(PeerAddr(r)) {
		if host, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); host != "" {
			return strings.TrimSpace(host)
		}
	}
	return r.Host
}

// OriginalScheme returns the scheme that the client used, by the word of a
// trusted peer where there is one.
func OriginalScheme(r *http.Request, trusted Prefixes) string {
	if len(trusted) > 0 && trusted.Contains(PeerAddr(r)) {
		switch proto := r.Header.Get("X-Forwarded-Proto"); proto {
		case "http", "https":
			return proto
		}
	}
	return Scheme(r)
}

// setForwarded writes into h, the header to be sent, whom r comes from. The
// word of a trusted peer is extended, that of any other replaced.
func setForwarded(h http.Header, r *http.Request, trusted Prefixes) {
	peer := PeerAddr(r)
	proto := Scheme(r)
	if !trusted.Contains(peer) {
		for _, name := range forwardedFields {
			delete(h, name)
		}
		for name := range h {
			// CGI, and what descends from it, cannot tell the two apart.
			if strings.Contains(name, "_") && slices.Contains(forwardedFields, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
				delete(h, name)
			}
		}
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
	address := peer.WithZone("").String()
	h["X-Forwarded-For"] = []string{list(h["X-Forwarded-For"], address)}
	h["Forwarded"] = []string{list(h["Forwarded"], forwardedElement(peer, address, host, proto))}
}

// forwardedElement is one hop of RFC 7239 §4. IPv6 addresses are quoted and in
// brackets; a host is quoted, as it may have a port.
func forwardedElement(peer netip.Addr, address, host, proto string) string {
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
