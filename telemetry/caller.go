package telemetry

import (
	"log/slog"
	"net/http"
	"net/netip"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// caller is whom a request comes from.
type caller struct {
	request *http.Request
	client  netip.Addr
	longest textLimit
}

func (c *caller) agent() string { return c.request.Header.Get("User-Agent") }

func (c *caller) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if c.client.IsValid() {
		attrs = append(attrs, semconv.ClientAddress(c.client.String()))
	}
	if peer, err := netip.ParseAddrPort(c.request.RemoteAddr); err == nil {
		attrs = append(attrs, semconv.NetworkPeerAddress(peer.Addr().Unmap().String()), semconv.NetworkPeerPort(int(peer.Port())))
	}
	if agent := c.agent(); agent != "" {
		attrs = append(attrs, semconv.UserAgentOriginal(c.longest.text(agent)))
	}
	return attrs
}

func (c *caller) line(attrs []slog.Attr) []slog.Attr {
	if c.client.IsValid() {
		attrs = append(attrs, slog.String("client", c.client.String()))
	}
	if agent := c.agent(); agent != "" {
		attrs = append(attrs, slog.String("user_agent", agent))
	}
	return attrs
}
