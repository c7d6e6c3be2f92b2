package wire

import (
	"context"
	"net"
	"net/http"
)

// TransportOver returns a transport of HTTP/1.1 over the connections of dial.
func TransportOver(cfg TransportConfig, dial func() net.Conn) http.RoundTripper {
	t := NewTransport(cfg, "http", "", nil, ConnectionHooks{})
	over := &connector{http1: client(cfg), pause: cfg.ResponseTimeout, connections: &t.connections}
	over.http1.Protocols.SetHTTP1(true)
	over.dial = func(context.Context, string, string) (net.Conn, error) { return dial(), nil }
	t.pool.connect = over.connect
	return t
}
