package wire

import (
	"context"
	"net"
	"net/http"
	"time"
)

// MaxBeside bounds what is kept of one request.
const MaxBeside = maxBeside

// TransportOver returns a transport of HTTP/1.1 over the connections of dial.
func TransportOver(cfg TransportConfig, dial func() net.Conn) http.RoundTripper {
	t := NewTransport(cfg, "http", "", nil, ConnectionHooks{})
	over := &connector{pause: cfg.ResponseTimeout, connections: &t.connections}
	over.dial = func(context.Context, string, string) (net.Conn, error) { return dial(), nil }
	t.pool.connect = over.connect
	return t
}

// Steady returns conn as it is below TLS.
func Steady(conn net.Conn, pause time.Duration) net.Conn {
	return &steadyConn{Conn: conn, pause: pause}
}

// Timed returns conn as one to a backend, and what begins a request on it.
func Timed(conn net.Conn) (timed net.Conn, begin func(context.Context)) {
	c := &timedConn{Conn: conn, closed: func() {}}
	return c, func(ctx context.Context) { c.begin(ctx, time.Now(), unwatched, nil, 0) }
}

// Secured returns what has TLS spoken, as cfg says, over the connections of a listener.
func Secured(cfg TLSConfig) (func(ln net.Listener, pause time.Duration) net.Listener, error) {
	s, err := newSecurity(&cfg)
	return func(ln net.Listener, pause time.Duration) net.Listener {
		return secureListener{Listener: ln, security: s, timeout: time.Minute, pause: pause}
	}, err
}
