package wire

import (
	"net"
	"net/http"
	"syscall"

	"spangate/handler/config"
	"spangate/handler/wire/proxyproto"
)

// ProxyProtocol says whether load balancers tell, by a header before anything else,
// whose connections they pass on.
type ProxyProtocol string

const (
	proxyProtocolOff ProxyProtocol = "off"
	proxyProtocolOn  ProxyProtocol = "on"
)

// UnmarshalText parses on or off.
func (p *ProxyProtocol) UnmarshalText(text []byte) error {
	return config.OneOf(p, text, proxyProtocolOff, proxyProtocolOn)
}

// On reports whether they do.
func (p ProxyProtocol) On() bool { return p == proxyProtocolOn }

// relayedListener takes connections that load balancers pass on. Their headers are
// read by the goroutines that serve them.
type relayedListener struct {
	net.Listener
	receiver *proxyproto.Receiver
}

func (l relayedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.receiver.Conn(conn), nil
}

// SyscallConn returns the socket, which [Serve] tells to take nobody any more.
func (l relayedListener) SyscallConn() (syscall.RawConn, error) { return socketOf(l.Listener) }

// Relay is what is known of the connection that a request came on.
type Relay int

// What is known of it.
const (
	Direct  Relay = iota // nothing: it is its peer's
	Own                  // a load balancer says that it is its own, as HAProxy also does for clients on Unix sockets
	Named                // a load balancer passes it on, and has named the peer
	Unnamed              // a load balancer passes it on, which is the peer as long as nobody else is named
)

// RelayOf returns what is known of the connection that r came on.
func RelayOf(r *http.Request) Relay {
	for below := connOf(r); ; {
		switch c := below.(type) {
		case *proxyproto.Conn:
			switch h := c.Header(); {
			case h.Local:
				return Own
			case h.Source.IsValid():
				return Named
			}
			return Unnamed
		case interface{ NetConn() net.Conn }:
			below = c.NetConn()
		default:
			return Direct
		}
	}
}
