package balancer

import (
	"errors"
	"fmt"
	"net/http"

	"spangate/handler"
	"spangate/handler/wire/proxyproto"
)

// parseProxyProtocol reads the version in which a backend is told whose each
// connection is.
func (m *Member) parseProxyProtocol(version string) error {
	if m.scheme == "echo" {
		return errors.New("proxy-protocol is not for an echo backend, which does not speak it")
	}
	if err := m.proxy.UnmarshalText([]byte(version)); err != nil {
		return fmt.Errorf("proxy-protocol %q %w", version, err)
	}
	return nil
}

func (m Member) appendProxyProtocol(b []byte) []byte {
	if m.proxy == 0 {
		return b
	}
	return fmt.Appendf(b, ";proxy-protocol=v%d", m.proxy)
}

// whose says whose connection it is that r is sent over: the client's, or the
// proxy's own where that has no address or is hidden.
func whose(r *http.Request) proxyproto.Header {
	client, here := handler.Ends(r)
	return proxyproto.Header{Local: !client.IsValid(), Source: client, Destination: here}
}
