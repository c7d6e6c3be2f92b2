package balancer

import (
	"context"
	"net"
	"net/http"
)

// Spend makes one retry on t's budget.
func Spend(t *Retrier) bool { return t.budget.take() }

// InFlight returns how many retries t holds ready for what is under way.
func InFlight(t *Retrier) int64 { return t.inFlight() }

// TransportOver returns a transport of HTTP/1.1 over the connections of dial.
func TransportOver(cfg Config, dial func() net.Conn) http.RoundTripper {
	t := NewTransport(cfg, "http", "", nil, &Connections{}).(*transport)
	over := &connector{http1: client(cfg), pause: cfg.ResponseTimeout, connections: &Connections{}}
	over.http1.Protocols.SetHTTP1(true)
	over.dial = func(context.Context, string, string) (net.Conn, error) { return dial(), nil }
	t.pool.connect = over.connect
	return t
}
