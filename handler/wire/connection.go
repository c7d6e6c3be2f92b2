package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

// connection is one connection to a backend. It repeats nothing: a request that
// is sent over it goes over it once, or fails.
type connection struct {
	conn   net.Conn
	http1  *http1Conn           // what carries HTTP/1.1; nil for HTTP/2
	http2  *settingsConn        // what carries HTTP/2; nil for HTTP/1.1
	client *http.ClientConn     // of HTTP/2
	tls    *tls.ConnectionState // what was agreed on; nil without TLS
	used   atomic.Bool          // it was kept, or carries a request beside another
	mute   atomic.Int64         // see silent

	taken     time.Time // from those that are kept, for the request under way; zero: it did not come from there
	idleSince time.Time // guarded by the pool
}

// protocol is what a request asks of its connection.
type protocol int

const (
	anyProtocol protocol = iota
	onlyHTTP1            // as Upgrade does: HTTP/2 has none (RFC 9113 §8.6)
	protocols            // how many there are
)

// connector makes connections to one backend.
type connector struct {
	dial        dialFunc
	trust       func() *tls.Config // nil: without TLS
	timeout     time.Duration
	pause       time.Duration   // longest one of a backend that takes a request
	http2       *http.Transport // nil: HTTP/1.1 alone; without TLS the other one alone
	connections *connections
}

// connect implements [connectFunc]. Its errors are *[fault.Error], with nothing sent.
func (d *connector) connect(ctx context.Context, authority string, needs protocol, m *making, closed func()) (*connection, error) {
	m.enter(Connect)
	defer m.end()
	conn, err := d.dial(m.lookups(ctx), "tcp", authority)
	if err != nil {
		closed()
		return nil, err
	}
	timed := &timedConn{Conn: direct(conn), pause: d.pause, closed: d.connections.count(closed)}
	c, err := d.establish(ctx, timed, authority, needs, m)
	if err != nil {
		timed.Close()
		return nil, err
	}
	return c, nil
}

func (d *connector) establish(ctx context.Context, conn *timedConn, authority string, needs protocol, m *making) (*connection, error) {
	if d.trust == nil {
		if d.http2 != nil {
			return d.establishHTTP2(ctx, conn)
		}
		return d.establishHTTP1(conn, conn), nil
	}
	m.enter(TLS)
	secure, err := d.secure(ctx, conn, authority, needs)
	if err != nil {
		d.connections.shaken(tls.ConnectionState{}, fault.Of(ctx, err).Err)
		return nil, err
	}
	state := secure.ConnectionState()
	d.connections.shaken(state, nil)
	c := d.establishHTTP1(secure, conn)
	if state.NegotiatedProtocol == "h2" {
		m.enter(Connect)
		if c, err = d.establishHTTP2(ctx, secure); err != nil {
			return nil, d.connections.refused(&state, fault.Of(ctx, err))
		}
	}
	c.tls = &state
	return c, nil
}

func (d *connector) establishHTTP1(conn net.Conn, timed *timedConn) *connection {
	return &connection{conn: conn, http1: newHTTP1Conn(conn, timed, d.connections.unsolicited)}
}

// secure does the handshake of TLS.
func (d *connector) secure(ctx context.Context, conn net.Conn, authority string, needs protocol) (*tls.Conn, error) {
	cfg := d.trust().Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(authority)
	}
	if needs == onlyHTTP1 {
		cfg.NextProtos = []string{"http/1.1"}
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fault.OfConnect(err, fault.TLSHandshakeError)
	}
	return secure, nil
}

// establishHTTP2 returns when the backend's settings have come: only then is it
// known how many requests it takes at once, and how large.
func (d *connector) establishHTTP2(ctx context.Context, conn net.Conn) (*connection, error) {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	settings := newSettingsConn(conn)
	client, err := d.http2.NewClientConn(handing(ctx, settings), "http", anyAddress)
	if err != nil {
		return nil, &fault.Error{Type: fault.ConnectionReset, Err: err}
	}
	select {
	case err = <-settings.came:
	case <-ctx.Done():
		err = &fault.Error{Type: fault.ConnectTimeout, Err: errNoSettings}
	}
	if err != nil {
		client.Close()
		if e, ok := errors.AsType[*fault.Error](err); ok {
			return nil, e
		}
		return nil, &fault.Error{Type: fault.ConnectionReset, Err: err}
	}
	return &connection{conn: conn, client: client, http2: settings}, nil
}

var errNoSettings = errors.New("no settings of HTTP/2")

// anyAddress is for net/http, which wants one, and gets a connection that is
// made already.
const anyAddress = "backend:80"

type handedConn struct{}

// handing returns a context in which [handOver] "dials" conn.
func handing(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, handedConn{}, conn)
}

func handOver(ctx context.Context, _, _ string) (net.Conn, error) {
	return ctx.Value(handedConn{}).(net.Conn), nil
}

// quiet reports whether c, on which no request is under way, can carry one.
func (c *connection) quiet() bool { return c.http1 == nil || c.http1.quiet() == nil }

// close closes c, with all that it carries.
func (c *connection) close() {
	if c.http1 != nil {
		c.http1.Close()
	} else {
		c.client.Close()
	}
}

// timedOut notes that a request got no answer in time over c, of HTTP/2, on which
// heard bytes had come when it was sent.
func (c *connection) timedOut(heard int64) {
	if c.http2.heard.Load() == heard {
		c.mute.Store(heard + 1)
	}
}

// silent reports whether nothing at all has come on c, of HTTP/2, since before a
// request that got no answer in time. Its other end may be gone, or only that
// request be slow: then the answer to the PING that net/http sends when it gives
// a request up makes c speak again.
func (c *connection) silent() bool {
	mute := c.mute.Load()
	return mute > 0 && c.http2.heard.Load() == mute-1
}

// reserve takes one of the requests that c, of HTTP/2, can carry.
func (c *connection) reserve() bool {
	return c.client.InFlight() < streamsPerConnection && c.client.Reserve() == nil
}

// tellGot tells [httptrace.ClientTrace.GotConn] which connection r goes over, where it
// may have had to wait for others.
func (t *Transport) tellGot(r *http.Request, c *connection) {
	if t.pool.max == 0 {
		return // to look through all contexts of a request takes time
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.conn, Reused: c.used.Load()})
	}
}

// target returns the host and port to connect to for u. net/http says it, as it
// has the tables that make a host of other letters one of DNS.
func target(u *url.URL) (address string) {
	dial := func(_ context.Context, _, addr string) (net.Conn, error) {
		address = addr
		return nil, errors.ErrUnsupported
	}
	r := &http.Request{URL: &url.URL{Scheme: u.Scheme, Host: u.Host}, Header: http.Header{}}
	(&http.Transport{DialContext: dial}).RoundTrip(r)
	return address
}
