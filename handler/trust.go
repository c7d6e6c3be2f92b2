package handler

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/field"
	"spangate/policy/cidr"
)

// Origin says where requests come from: whose word about it is believed, and in
// which field it stands. Limits, lists, log, span and the choice of a backend
// all ask here, so that they agree. The zero value believes nobody.
//
// Nothing that a peer outside Trusted writes changes an answer.
type Origin struct {
	Trusted cidr.List      // peers that are believed
	Header  ClientIPHeader // what they name the client in
}

// Trusts reports whether the word of r's peer is believed.
func (o Origin) Trusts(r *http.Request) bool {
	return !o.Trusted.Empty() && o.Trusted.Contains(PeerAddr(r))
}

// Addr returns the address that r comes from: the peer's, or, where that is
// trusted, what it says. In a list of addresses that is the last one that is
// not trusted itself, as each hop can vouch only for the one before it. Where a
// trusted hop does not name who is before it, or not in a form that is
// understood, the client is that hop. It is the zero Addr where there is none.
func (o Origin) Addr(r *http.Request) netip.Addr {
	return o.client(PeerAddr(r), r.Header).addr
}

// NamedAddr is Addr for those who must not take a proxy for its clients: it is
// also the zero Addr where a trusted hop speaks of who is before it without
// naming it. A trusted peer that says nothing at all is a client itself.
func (o Origin) NamedAddr(r *http.Request) netip.Addr {
	c := o.client(PeerAddr(r), r.Header)
	if !c.named {
		return netip.Addr{}
	}
	return c.addr
}

// OutgoingAddr is Addr for a request as [Forward] sends it, in which the peer
// is the last one of X-Forwarded-For.
func (o Origin) OutgoingAddr(r *http.Request) netip.Addr {
	lines := r.Header[string(forwardedFor)]
	if len(lines) == 0 {
		return netip.Addr{} // a peer without an address
	}
	last := lines[len(lines)-1]
	peer, _ := parseHop(trim(last[strings.LastIndexByte(last, ',')+1:]))
	return o.client(peer, r.Header).addr
}

// Host returns the authority that the client asked for, by the word of a
// trusted peer where there is one.
func (o Origin) Host(r *http.Request) string {
	if !o.Trusts(r) {
		return r.Host
	}
	host := ""
	if o.Header == forwarded {
		host = unquote(o.client(PeerAddr(r), r.Header).element.host)
	} else {
		host, _, _ = strings.Cut(r.Header.Get("X-Forwarded-Host"), ",")
	}
	if host = trim(host); host != "" {
		return host
	}
	return r.Host
}

// Scheme returns the scheme that the client used, by the word of a trusted peer
// where there is one.
func (o Origin) Scheme(r *http.Request) string {
	if !o.Trusts(r) {
		return scheme(r)
	}
	proto := ""
	if o.Header == forwarded {
		proto = unquote(o.client(PeerAddr(r), r.Header).element.proto)
	} else {
		proto = r.Header.Get("X-Forwarded-Proto")
	}
	switch {
	case strings.EqualFold(proto, "http"):
		return "http"
	case strings.EqualFold(proto, "https"):
		return "https"
	}
	return scheme(r)
}

// PeerAddr returns the address of the other end of r's connection, without a
// zone, or the zero Addr where there is none, as on a Unix socket.
func PeerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// scheme returns "https" when r came over TLS, else "http".
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// ClientIPHeader is the field in which trusted peers name the client. Two hold
// a list, to which each proxy adds whom it got the request from:
// X-Forwarded-For, which is also meant by the zero value, and Forwarded (RFC
// 7239), of which host and proto are believed too. Any other holds one address.
type ClientIPHeader string

const (
	forwardedFor ClientIPHeader = "X-Forwarded-For"
	forwarded    ClientIPHeader = "Forwarded"
)

// UnmarshalText parses the name of a field.
func (h *ClientIPHeader) UnmarshalText(text []byte) error {
	name := http.CanonicalHeaderKey(string(text))
	if !httpguts.ValidHeaderFieldName(name) || name == "Host" || field.EndsHere(name) {
		return errors.New("must be the name of a header field that holds an address, such as X-Forwarded-For, Forwarded or Fly-Client-IP")
	}
	*h = ClientIPHeader(name)
	return nil
}

// client is what is known of where a request comes from.
type client struct {
	addr    netip.Addr
	named   bool             // addr is not merely the last hop that is known
	element forwardedElement // of Forwarded, the one that names addr
}

// client returns where a request comes from that peer sent with the header h.
func (o Origin) client(peer netip.Addr, h http.Header) client {
	c := client{addr: peer, named: true}
	if !o.Trusted.Contains(peer) {
		return c
	}
	switch o.Header {
	case "", forwardedFor:
		c.follow(h[string(forwardedFor)], o.Trusted)
	case forwarded:
		c.followForwarded(h[string(forwarded)], o.Trusted)
	default:
		switch lines := h[string(o.Header)]; len(lines) {
		case 0:
		case 1:
			if addr, ok := parseHop(trim(lines[0])); ok {
				c.addr = addr
				break
			}
			fallthrough
		default:
			c.named = false
		}
	}
	return c
}

// follow goes through X-Forwarded-For from right to left while hops are
// trusted: whoever is not wrote, or let others write, all that stands left of
// it.
func (c *client) follow(lines []string, trusted cidr.List) {
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			comma := strings.LastIndexByte(line, ',')
			addr, ok := parseHop(trim(line[comma+1:]))
			if !ok {
				c.named = false
				return
			}
			if c.addr = addr; !trusted.Contains(addr) {
				return
			}
			if more = comma >= 0; more {
				line = line[:comma]
			}
		}
	}
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
