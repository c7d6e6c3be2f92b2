package balancer

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/balancer/framing"
)

const (
	// maxResponseHeader bounds what a backend can make the proxy hold.
	maxResponseHeader = 256 << 10
	// idleConnections is how many unused connections to a backend are kept.
	// net/http keeps two, and then dials for nearly every request under load.
	idleConnections = 512
	// pingAfter and pingTimeout find a dead HTTP/2 connection, which carries
	// many requests, long before TCP would.
	pingAfter, pingTimeout = 15 * time.Second, 5 * time.Second
)

// New returns the backends that cfg names, but for those that are looked up:
// see [Discoveries]. echo starts the demonstration backend of a name and returns
// its address; it is called for echo members only. Errors about the
// configuration name their variable.
func New(cfg Config, echo func(name string) (addr string, err error)) ([]*Backend, error) {
	trust, err := clientTLS(cfg)
	if err != nil {
		return nil, err
	}
	backends := make([]*Backend, 0, len(cfg.Backends))
	for _, member := range cfg.Backends {
		if member.Lookup != "" {
			continue // its backends are for a Discovery to find
		}
		b := newBackend(cfg, member, cmp.Or(member.Socket, member.Zoned), member.Weight, trust)
		if member.Scheme == "echo" {
			addr, err := echo(member.Echo)
			if err != nil {
				return nil, fmt.Errorf("starting %s: %w", member.Name, err)
			}
			b.URL = &url.URL{Scheme: "http", Host: addr}
		}
		backends = append(backends, b)
	}
	return backends, nil
}

// newBackend returns a backend of member. address, if not empty, is what to dial
// instead of its URL's authority.
func newBackend(cfg Config, member Member, address string, weight int, trust *tls.Config) *Backend {
	b := &Backend{
		Name: member.Name, URL: member.URL, Socket: member.Socket, Weight: weight,
		Host: cmp.Or(member.Host, cfg.Host),
	}
	if member.Socket == "" {
		b.Address = address
	}
	b.Transport = NewTransport(cfg, member.Scheme, address, trust, &b.Connections)
	cfg.MaxConnections = 0
	b.Probes = NewTransport(cfg, member.Scheme, address, trust, &Connections{})
	return b
}

// NewTransport returns the connections to one backend: of HTTP/1.1 for the
// scheme http, HTTP/2 with prior knowledge for h2c, and for https whichever of
// the two the backend agrees to. It follows no redirect, uses no proxy, adds
// no encoding, and its errors are *[Error]. address, if not empty, is dialled
// instead of the URL's authority: the path of a Unix socket, which begins with a
// slash, or a host:port. What it connects is counted in connections.
func NewTransport(cfg Config, scheme, address string, trust *tls.Config, connections *Connections) http.RoundTripper {
	dial := connections.count(dialer(cfg.ConnectTimeout, address))
	plain := dial
	if scheme != "h2c" {
		plain = checkedDialer(dial, cfg.ResponseTimeout)
	}
	var protocols http.Protocols
	switch scheme {
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
	case "https":
		protocols.SetHTTP2(true)
		protocols.SetHTTP1(true)
	default:
		protocols.SetHTTP1(true)
	}
	return &transport{http.Transport{
		DialContext:            plain,
		DialTLSContext:         tlsDialer(dial, cfg, trust),
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:     true,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    idleConnections,
		MaxConnsPerHost:        cfg.MaxConnections,
		IdleConnTimeout:        cfg.IdleTimeout,
		ResponseHeaderTimeout:  cfg.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxResponseHeader,
	}}
}

// dialFunc makes a connection; its errors are *[Error], with nothing sent.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func dialer(timeout time.Duration, address string) dialFunc {
	d := &net.Dialer{Timeout: timeout}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if address != "" {
			addr = address
		}
		if strings.HasPrefix(addr, "/") {
			network = "unix"
		}
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, classifyDial(err)
		}
		return conn, nil
	}
}

// tlsDialer does the handshake itself, as only here is it known for certain
// that a failure came before the request.
func tlsDialer(dial dialFunc, cfg Config, trust *tls.Config) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		client := trust.Clone()
		client.ServerName, _, _ = net.SplitHostPort(addr)
		client.NextProtos = []string{"h2", "http/1.1"}
		ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
		defer cancel()
		secure := tls.Client(conn, client)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, &Error{Type: TLSHandshakeError, Err: err}
		}
		if secure.ConnectionState().NegotiatedProtocol != "h2" {
			return framing.Responses(secure, cfg.ResponseTimeout), nil
		}
		return secure, nil
	}
}

// checkedDialer makes connections that refuse ambiguous responses, and give up
// a backend that takes no byte of a request for as long as pause.
func checkedDialer(dial dialFunc, pause time.Duration) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return framing.Responses(conn, pause), nil
	}
}

type transport struct{ http.Transport }

// RoundTrip sends r, whose body it replaces. A response counts as one when it
// has begun, see readFirst.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body *upload
	if r.Body != nil && r.Body != http.NoBody {
		body = newUpload(r)
		r.Body = body
	}
	resp, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, Classify(r.Context(), err)
	}
	if err := checkResponse(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		// With the length of what there would be, net/http's HTTP/2 reports all of
		// that as missing.
		resp.Body.Close()
		resp.Body, resp.ContentLength = http.NoBody, 0
	}
	limit := t.ResponseHeaderTimeout
	if body.owed() {
		limit = 0 // the backend may be waiting for the client
	}
	if err := readFirst(r, resp, limit); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// checkResponse refuses field names and values that net/http lets through
// though RFC 9110 §5.1 and §5.5 do not.
func checkResponse(resp *http.Response) error {
	for name, values := range resp.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return malformed("field name %q", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return malformed("value of field %q", name)
			}
		}
	}
	return nil
}
