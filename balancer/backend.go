package balancer

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/wire"
)

// Backend is one server that requests can be forwarded to. Its methods are
// safe for concurrent use; its exported fields do not change once it serves.
type Backend struct {
	Name    string   // as configured, without options: http://app-1:3000, echo:a; a metric label
	URL     *url.URL // scheme, authority and an optional path prefix
	Socket  string   // path of a Unix socket that is dialled instead of the authority; empty for TCP
	Address string   // host:port that is dialled instead of the authority, for a member of a name or an address with a zone; else empty
	Weight  int      // share of the traffic in proportion to the others'; at least 1
	Host    HostRule // which Host header it is sent
	// Transport sends a request that already carries this backend's URL.
	Transport   http.RoundTripper
	Connections wire.Connections // that Transport has
	// Probes sends probes, over connections that traffic does not share.
	Probes http.RoundTripper

	// Attempted, if not nil, is told how each attempt went: with its response,
	// of which only the status still holds, when that is [Settled] or its body has
	// come to its end, and with an error when the attempt has failed or the body
	// has broken off. What the client ended is not told,
	// nor the end of a connection that was kept.
	Attempted func(resp *http.Response, err *fault.Error)
	// Exhausted, if not nil, is told of attempts that failed for want of what this
	// process or its host has too little of.
	Exhausted func(error)

	active    atomic.Int64
	answered  atomic.Bool
	latency   atomic.Pointer[latency]   // nil until a picker asks for it
	ramp      atomic.Pointer[ramp]      // nil: the weight is the full one
	state     atomic.Pointer[State]     // what follows from condition
	suspect   atomic.Pointer[suspicion] // nil: it has answered since
	condition condition                 // guarded by the pool
}

// ID tells the backend from all others: its name, and its address where several
// have one name.
func (b *Backend) ID() string {
	if b.Address == "" {
		return b.Name
	}
	return b.Name + "#" + b.Address
}

// Active returns the number of requests in flight, counted from the pick of
// this backend until the response's body is closed.
func (b *Backend) Active() int64 { return b.active.Load() }

// Answered reports whether this backend has ever answered anything: a probe or
// a request, with whatever status.
func (b *Backend) Answered() bool { return b.answered.Load() }

// MarkAnswered records that the backend has answered.
func (b *Backend) MarkAnswered() {
	// The load keeps the line of memory shared between cores once it is set.
	if !b.answered.Load() {
		b.answered.Store(true)
	}
}

// RoundTrip sends r to the backend. It changes r's URL and Host in place, as
// RoundTrippers below [Retry] may: each attempt owns its request.
func (b *Backend) RoundTrip(r *http.Request) (*http.Response, error) {
	b.address(r)
	b.active.Add(1)
	start := time.Now()
	latency := b.latency.Load()
	began := latency.begin(r)
	resp, err := b.Transport.RoundTrip(r)
	if err != nil {
		b.active.Add(-1)
		e := fault.Of(r.Context(), err)
		latency.end(began, nil, e)
		b.suspectFor(e, time.Since(start))
		b.attempted(nil, e)
		return nil, e
	}
	latency.end(began, resp, nil)
	b.MarkAnswered()
	b.acquit()
	settled := Settled(r, resp)
	if settled {
		b.attempted(resp, nil)
	}
	resp.Body = b.follow(r.Context(), resp, settled)
	return resp, nil
}

// Settled reports whether the header of resp, the answer to r, says how the
// attempt went: of an answer that is an error, or that has no content, or that
// switches protocols, after which a connection ends as its users like. Any other
// is only as good as its body.
func Settled(r *http.Request, resp *http.Response) bool {
	return resp.StatusCode >= http.StatusBadRequest || resp.StatusCode == http.StatusSwitchingProtocols ||
		r.Method == http.MethodHead || resp.ContentLength == 0
}

func (b *Backend) attempted(resp *http.Response, err *fault.Error) {
	switch {
	case err != nil && err.Type == fault.Overloaded:
		if b.Exhausted != nil {
			b.Exhausted(err)
		}
	case b.Attempted != nil && (err == nil || err.Counts()):
		b.Attempted(resp, err)
	}
}

// address points r at the backend: authority, path prefix and Host.
func (b *Backend) address(r *http.Request) {
	r.URL.Scheme, r.URL.Host = b.URL.Scheme, b.URL.Host
	if prefix := b.URL.EscapedPath(); prefix != "" {
		// On the escaped form, so that %2F in the request stays what it is.
		path := prefix + r.URL.EscapedPath()
		r.URL.Path, r.URL.RawPath = b.URL.Path+r.URL.Path, path
	}
	if b.Host == HostBackend || b.Host == HostAuto && b.URL.Scheme == "https" {
		r.Host = b.URL.Host
	}
}

// follow returns the body of resp, which ends the request in flight when it is
// closed, and tells how it ends. The body of a 101 response stays a connection
// that can be written to.
func (b *Backend) follow(ctx context.Context, resp *http.Response, settled bool) io.ReadCloser {
	followed := &followedBody{ReadCloser: resp.Body, backend: b, ctx: ctx, resp: resp, settled: settled}
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		return Upgraded{ReadCloser: followed, Conn: conn}
	}
	return followed
}

type followedBody struct {
	io.ReadCloser
	backend *Backend
	ctx     context.Context
	resp    *http.Response
	settled bool // nothing but an error is left to tell
	ended   bool // nothing is left to tell
	closed  atomic.Bool
}

func (f *followedBody) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if err == nil || f.ended {
		return n, err
	}
	f.ended = true
	switch {
	case f.resp.StatusCode == http.StatusSwitchingProtocols: // has no content that could break off
	case err != io.EOF:
		f.backend.attempted(nil, fault.OfBody(f.ctx, err))
	case !f.settled:
		f.backend.attempted(f.resp, nil)
	}
	return n, err
}

func (f *followedBody) Close() error {
	if !f.closed.Swap(true) {
		f.backend.active.Add(-1)
	}
	return f.ReadCloser.Close()
}

// Upgraded is the body of a 101 response with another way to read and close
// it: what decorates such a body keeps the connection's other half with it.
type Upgraded struct {
	io.ReadCloser
	Conn io.ReadWriteCloser // the connection as net/http hands it out
}

func (u Upgraded) Write(p []byte) (int, error) { return u.Conn.Write(p) }

// CloseWrite ends the sending direction, or all of a connection that cannot
// end just that.
func (u Upgraded) CloseWrite() error {
	if half, ok := u.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return u.Close()
}

// HostRule says which Host header a backend is sent.
type HostRule string

// The host rules. The zero value counts as HostAuto's "else" case.
const (
	HostAuto     HostRule = "auto"     // the backend's own for https, else the client's
	HostPreserve HostRule = "preserve" // the client's
	HostBackend  HostRule = "backend"  // the backend's own
)

// UnmarshalText parses a host rule.
func (h *HostRule) UnmarshalText(text []byte) error {
	return config.OneOf(h, text, HostAuto, HostPreserve, HostBackend)
}
