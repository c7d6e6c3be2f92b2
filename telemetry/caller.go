package telemetry

import (
	"net/http"
	"net/netip"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/wire"
	"spangate/telemetry/logline"
)

// caller is whom a request comes from.
type caller struct {
	request *http.Request
	client  netip.Addr
	longest textLimit
}

func (c *caller) agent() string {
	if agents := c.request.Header["User-Agent"]; len(agents) > 0 {
		return agents[0]
	}
	return ""
}

func (c *caller) span(to attributes) {
	end := wire.PeerOf(c.request)
	peer := end.Addr()
	text := c.peerText(peer)
	if c.client.IsValid() {
		client := text
		if c.client != peer {
			client = c.client.String()
		}
		to.String(semconv.ClientAddressKey, client)
	}
	if end.IsValid() {
		to.String(semconv.NetworkPeerAddressKey, text)
		to.Int(semconv.NetworkPeerPortKey, int(end.Port()))
	}
	if agent := c.agent(); agent != "" {
		to.String(semconv.UserAgentOriginalKey, c.longest.text(agent))
	}
}

// peerText returns the text of the peer's address, which the request has already if it is
// one of IPv4.
func (c *caller) peerText(peer netip.Addr) string {
	if at := c.request.RemoteAddr; peer.Is4() && at[0] != '[' {
		return at[:strings.LastIndexByte(at, ':')]
	}
	return peer.String()
}

func (c *caller) line(line *logline.Line) {
	if c.client.IsValid() {
		line.Addr("client", c.client)
	}
	if agent := c.agent(); agent != "" {
		line.String("user_agent", agent)
	}
}
