package handler

import (
	"errors"
	"net/http"
	"net/netip"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/wire"
)

// Origin says whose word about where a request comes from is believed, and in
// which field it stands; see [Origin.Client]. The zero value believes nobody.
type Origin struct {
	Trusted config.CIDRs   `env:"TRUSTED_PROXIES" envDefault:"auto" auto:"none" list:"true" doc:"comma list of CIDRs of proxies whose forwarded headers and trace context are believed; auto is the platform's, else none"`
	Header  ClientIPHeader `env:"CLIENT_IP_HEADER" envDefault:"X-Forwarded-For" doc:"header in which trusted proxies name the client: X-Forwarded-For or Forwarded, which stand in for one another where only one of them comes, or any that holds one address; it is deleted from what others send"`
}

// CheckNeeded returns an error where load balancers are to say who the client is,
// and nobody's word is believed. It names the variable of protocol, which has its
// address in the same configuration.
func (o *Origin) CheckNeeded(protocol *wire.ProxyProtocol) error {
	if protocol.On() && o.Trusted.Empty() {
		return config.Wrong(protocol, "needs the addresses of the load balancers in %s, which has none", &o.Trusted)
	}
	return nil
}

// Trusts reports whether the word of r's peer is believed.
func (o Origin) Trusts(r *http.Request) bool {
	trusted, _ := o.trusts(r, PeerAddr(r))
	return trusted
}

// trusts reports whether the word of r's peer is believed, or whether that is a
// load balancer which hides who speaks. One that passes bytes on (PROXY protocol)
// vouches for their sender's address, not for what they say: where it names nobody,
// nobody is believed, nor where it names an address of the loopback, as that is
// another host's.
func (o Origin) trusts(r *http.Request, peer netip.Addr) (trusted, hides bool) {
	if o.Trusted.Empty() || !o.Trusted.Contains(peer) {
		return false, false
	}
	switch wire.RelayOf(r) {
	case wire.Direct:
		return true, false
	case wire.Named:
		return !peer.IsLoopback(), false
	case wire.Unnamed:
		return false, true
	}
	return false, false
}

// PeerAddr returns the address of the other end of r's connection, without a
// zone, or the zero Addr where there is none, as on a Unix socket.
func PeerAddr(r *http.Request) netip.Addr { return wire.PeerOf(r).Addr() }

// ClientIPHeader is the field in which trusted peers name the client. Two hold
// a list, to which each proxy adds whom it got the request from:
// X-Forwarded-For, which is also meant by the zero value, and Forwarded (RFC
// 7239). They belong to dialects that also tell scheme and host, and stand in for
// one another where a peer speaks only one. Any other holds one address, and the
// client is nobody else.
type ClientIPHeader string

const (
	forwardedFor ClientIPHeader = "X-Forwarded-For"
	forwarded    ClientIPHeader = "Forwarded"
)

// UnmarshalText parses the name of a field.
func (h *ClientIPHeader) UnmarshalText(text []byte) error {
	name := http.CanonicalHeaderKey(string(text))
	if config.IsOff(text) {
		return errors.New("must be the name of a header field; TRUSTED_PROXIES=none believes nobody")
	}
	if !httpguts.ValidHeaderFieldName(name) || name == "Host" || field.EndsHere(name) {
		return errors.New("must be the name of a header field that holds an address, such as X-Forwarded-For, Forwarded or Fly-Client-IP")
	}
	*h = ClientIPHeader(name)
	return nil
}
