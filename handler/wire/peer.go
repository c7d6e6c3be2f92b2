package wire

import (
	"net/http"
	"net/netip"
)

// PeerOf returns the other end of the connection that r came on, without a zone, or the
// zero AddrPort where it has no address, as on a Unix socket.
func PeerOf(r *http.Request) netip.AddrPort {
	if x := exchangeOf(r.Context()); x != nil && r.RemoteAddr == x.conn.remote {
		return x.conn.peer
	}
	return parsePeer(r.RemoteAddr)
}

// parsePeer returns the address that remote is, the zero AddrPort where it is none.
func parsePeer(remote string) netip.AddrPort {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
}
