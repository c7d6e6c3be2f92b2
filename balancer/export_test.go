package balancer

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Spend makes one retry on t's budget.
func Spend(t *Retrier) bool { return t.budget.take() }

// InFlight returns how many retries t holds ready for what is under way.
func InFlight(t *Retrier) int64 { return t.inFlight() }

// TransportOver returns a transport of HTTP/1.1 over the connections of dial.
func TransportOver(responseTimeout time.Duration, dial func() net.Conn) http.RoundTripper {
	t := NewTransport(Config{ResponseTimeout: responseTimeout}, "http", "", nil, &Connections{}).(*transport)
	connections := &connector{http1: client(Config{ResponseTimeout: responseTimeout}), connections: &Connections{}}
	connections.http1.Protocols.SetHTTP1(true)
	connections.dial = func(context.Context, string, string) (net.Conn, error) { return dial(), nil }
	t.pool.connect = connections.connect
	return t
}
