package handler

import (
	"net"
	"net/http"
	"net/netip"
)

// Ends returns the two ends of the connection by which the client of r has come, and
// zero values where he is not known by name. Of a client whom a trusted peer names
// the port is not known, 0, and here is where the peer has come to.
func Ends(r *http.Request) (client, here netip.AddrPort) {
	c := ClientOf(r)
	addr := c.NamedAddr()
	if !addr.IsValid() {
		return netip.AddrPort{}, netip.AddrPort{}
	}
	client = netip.AddrPortFrom(addr, 0)
	if len(c.hops) == 0 {
		client = netip.AddrPortFrom(addr, c.port)
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		at := local.AddrPort()
		return client, netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	}
	if addr.Is4() {
		return client, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return client, netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}
