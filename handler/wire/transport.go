package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"spangate/handler/fault"
)

const (
	// maxResponseHeader bounds what a backend can make the proxy hold.
	maxResponseHeader = 256 << 10
	// streamBuffer bounds what is held of a response of HTTP/2 that its client does
	// not take. There is room on a connection for all of its streams, so that one
	// that stands still does not hold the others up.
	streamBuffer = 256 << 10
	// pingAfter and pingTimeout find a dead HTTP/2 connection on which no answer is
	// awaited; one that owes an answer is left before, see [connection.silent].
	// Servers of gRPC take more than a PING in five minutes, while they have nothing
	// to say, for an attack, and end the connection with all that it carries.
	pingAfter, pingTimeout = 5*time.Minute + 30*time.Second, 5 * time.Second
)

// TransportConfig bounds the connections to each backend.
type TransportConfig struct {
	ConnectTimeout  time.Duration `env:"BACKEND_CONNECT_TIMEOUT" envDefault:"2s" min:"1ms" doc:"longest wait for a connection to a backend, name lookup included; TLS handshakes get as much again"`
	ResponseTimeout time.Duration `env:"BACKEND_RESPONSE_TIMEOUT" envDefault:"30s" min:"0" zero:"no limit" doc:"longest wait for a backend to take a part of the request, to answer once it is sent, and to begin a body that it announced; 0 waits for ever"`
	IdleTimeout     time.Duration `env:"BACKEND_IDLE_TIMEOUT" envDefault:"90s" min:"0" zero:"no limit" doc:"how long an unused connection to a backend is kept; 0 keeps it until the backend closes it"`
	MaxConnections  int           `env:"BACKEND_MAX_CONNECTIONS" envDefault:"0" min:"0" zero:"no limit" doc:"most connections to one backend; further requests wait for a free one; 0 sets no limit"`
}

// NewTransport returns the connections to one backend: of HTTP/1.1 for the
// scheme http, HTTP/2 with prior knowledge for h2c, and for https whichever of
// the two the backend agrees to. It follows no redirect, uses no proxy, adds
// no encoding, repeats nothing, and its errors are *[fault.Error]. address, if not
// empty, is dialled instead of the URL's authority: the path of a Unix socket,
// which begins with a slash, or a host:port.
//
// Towards HTTP/2 the fields that are of a connection of HTTP/1.1 are left out
// (RFC 9113 §8.2.2), Upgrade among them. Towards https a request with Upgrade
// goes over HTTP/1.1 if the backend speaks that. For https trust says of each
// handshake how it is done; without a name in it, by that of the URL's host.
func NewTransport(cfg TransportConfig, scheme, address string, trust func() *tls.Config, hooks ConnectionHooks) *Transport {
	t := &Transport{responseTimeout: cfg.ResponseTimeout, connections: connections{hooks: hooks}}
	d := &connector{
		dial: dialer(cfg.ConnectTimeout, address), timeout: cfg.ConnectTimeout, pause: cfg.ResponseTimeout,
		connections: &t.connections,
	}
	t.connector = d
	t.pool = connectionPool{connect: d.connect, max: cfg.MaxConnections, keep: cfg.IdleTimeout, room: 1}
	if scheme == "h2c" || scheme == "https" {
		d.http2 = clientHTTP2(cfg)
		t.pool.room = streamsPerConnection
	}
	if scheme == "https" {
		d.trust, t.upgrades = trust, true
	}
	return t
}

// clientHTTP2 returns what speaks HTTP/2 over connections that it is handed.
func clientHTTP2(cfg TransportConfig) *http.Transport {
	t := &http.Transport{
		DialContext:            handOver,
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		IdleConnTimeout:        cfg.IdleTimeout,
		ResponseHeaderTimeout:  cfg.ResponseTimeout,
		ExpectContinueTimeout:  continueGrace,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
	t.Protocols.SetUnencryptedHTTP2(true) // so it looks: TLS, if any, is done already
	t.HTTP2 = &http.HTTP2Config{
		SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: cfg.ResponseTimeout,
		MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: streamsPerConnection * streamBuffer,
	}
	return t
}

// dialFunc makes a connection; its errors are *[fault.Error], with nothing sent.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func dialer(timeout time.Duration, address string) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if address != "" {
			addr = address
		}
		if strings.HasPrefix(addr, "/") {
			network = "unix"
		}
		d := net.Dialer{Timeout: timeout}
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, fault.OfConnect(err, fault.ConnectError)
		}
		return conn, nil
	}
}

// Transport is an [http.RoundTripper] to one backend. It is safe for concurrent
// use.
type Transport struct {
	pool            connectionPool
	announced       *announced // nil: connections are the pool's
	connector       *connector
	connections     connections
	responseTimeout time.Duration
	upgrades        bool // needs a connection of HTTP/1.1 for these
}

// OpenConnections returns the number of open connections.
func (t *Transport) OpenConnections() int64 { return t.connections.open.Load() }

// Connect makes a connection to u's authority that no request goes over, and closes
// it: with TLS once hands are shaken, with HTTP/2 once the backend has begun to speak
// it.
func (t *Transport) Connect(ctx context.Context, u *url.URL) error {
	c, err := t.connector.connect(ctx, target(u), anyProtocol, &making{}, func() {})
	if err != nil {
		return err
	}
	discard(c)
	return nil
}

// CloseIdleConnections closes the connections that are not in use.
func (t *Transport) CloseIdleConnections() { t.pool.closeIdle() }

// RoundTrip sends r, which it may change, once. A response counts as one when
// it has begun: where its length says that there is content, with the first of that.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	course := t.connections.course(r.Context())
	c, err := t.connection(r, course)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	t.tellGot(r, c)
	if t.announced != nil && r.Header["Upgrade"] == nil {
		r.Close = true
	}
	if c.http1 != nil {
		return t.exchange(c, r, course)
	}
	return t.stream(c, r, course)
}

// noApplicationProtocol is the alert which says that a backend has none of what
// was offered (RFC 7301 §3.2).
const noApplicationProtocol = tls.AlertError(120)

// lacksHTTP1 reports whether err, of offering HTTP/1.1 alone, says that the
// backend does not speak it. The type of alerts is crypto/tls's own.
func lacksHTTP1(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	return ok && remote.Err.Error() == noApplicationProtocol.Error()
}

// connection returns a connection for r.
func (t *Transport) connection(r *http.Request, course *Course) (*connection, error) {
	needs := anyProtocol
	if t.upgrades && r.Header["Upgrade"] != nil {
		needs = onlyHTTP1
	}
	d := t.take(r, needs)
	course.hears(d)
	if needs == onlyHTTP1 && lacksHTTP1(d.err) {
		d = t.take(r, anyProtocol)
		course.hears(d)
	}
	return d.c, d.err
}

func (t *Transport) take(r *http.Request, needs protocol) delivery {
	if t.announced != nil {
		return t.announced.take(r, needs)
	}
	return t.pool.take(r.Context(), r.URL, needs)
}
