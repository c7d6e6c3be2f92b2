package balancer

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"spangate/balancer/identity"
	"spangate/handler"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/wire"
	"spangate/probe"
)

// Backend is one server that requests can be forwarded to. Its methods are
// safe for concurrent use; its exported fields do not change once it serves.
type Backend struct {
	Name    string   // as configured, without options: http://app-1:3000, echo:a; a metric label
	URL     *url.URL // scheme, authority and an optional path prefix
	Address string   // host:port that is dialled instead of the authority, for a member of a name or an address with a zone; else empty
	Service string   // service.name of its own telemetry; empty: not said
	Weight  int      // share of the traffic in proportion to the others'; at least 1

	pool        *Pool             // whose member it is, or was
	host        HostRule          // which Host header it is sent
	connections *wire.Transport   // nil: what sends attempts has others, or none
	transport   http.RoundTripper // sends an attempt, which already carries this backend's URL
	signer      *identity.Signer  // gives attempts its token; nil: it asks for none
	watcher     *probe.Watcher

	unverified  bool                             // whoever answers is taken for it
	certificate atomic.Pointer[certificate.Info] // that it showed last; nil: none

	active  atomic.Int64
	latency atomic.Pointer[latency] // nil until a picker asks for it
	ramp    atomic.Pointer[ramp]    // nil: the weight is the full one
	health  health
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

// OpenConnections returns the number of open connections, those of probes left
// aside.
func (b *Backend) OpenConnections() int64 {
	if b.connections == nil {
		return 0
	}
	return b.connections.OpenConnections()
}

// Certificate returns what there is to know of the one that the backend showed last,
// or nil before it has shown any.
func (b *Backend) Certificate() *certificate.Info { return b.certificate.Load() }

// WithoutToken returns why there is no token to send along, so that no request can be sent;
// nil where there is one, or none is needed.
func (b *Backend) WithoutToken() error { return b.signer.Failure() }

// Unverified reports whether nobody verifies the backend's certificate.
func (b *Backend) Unverified() bool { return b.unverified }

// shaken notes how a handshake of TLS went. One that resumes a session shows nothing
// new.
func (b *Backend) shaken(state tls.ConnectionState, err error) {
	if err == nil && !state.DidResume {
		shown := certificate.Of(state.PeerCertificates[0])
		b.certificate.Store(&shown)
	}
	if b.pool.hooks.Handshake != nil {
		b.pool.hooks.Handshake(b, err)
	}
}

// State returns what the pool thinks of the backend.
func (b *Backend) State() State { return b.health.State() }

// attempt sends r to the backend, once. It changes r's URL, Host and header in place, as
// RoundTrippers below [Retry] may: each attempt owns its request. Without a
// response the outcome has an error. start is now, followed is for the response's body.
// told, if not nil, is told how the attempt went.
func (b *Backend) attempt(r *http.Request, start time.Time, followed *followedBody, told evidence) (*http.Response, Outcome) {
	b.address(r)
	signed, token := r, identity.Token{}
	if b.signer != nil {
		var err error
		if signed, token, err = b.sign(r); err != nil {
			b.pool.hooks.failed(err)
			outcome := b.judge(Outcome{Err: fault.Of(r.Context(), err)})
			b.health.inVain(outcome.Err, time.Since(start))
			return nil, outcome
		}
		start = time.Now() // only now is the backend asked
	}
	if deadline, ok := r.Context().Deadline(); ok {
		field.LimitTimeout(signed.Header, deadline.Sub(start)) // retries and queues have had their share
	}
	b.active.Add(1)
	latency := b.latency.Load()
	began := latency.begin(r, start)
	resp, err := b.transport.RoundTrip(signed)
	if err != nil {
		b.active.Add(-1)
		outcome := b.judge(Outcome{Err: fault.Of(r.Context(), err)})
		latency.end(began, outcome)
		b.health.inVain(outcome.Err, time.Since(start))
		b.concluded(r, outcome, start, told)
		return nil, outcome
	}
	b.health.heard()
	if b.signer != nil {
		b.signer.Answered(token, resp.StatusCode)
	}
	answer, outcome := handler.GRPCAnswerOf(r, resp.StatusCode, resp.Header), Outcome{Status: resp.StatusCode}
	only := answer.Is() && resp.ContentLength == 0 // a trailer follows, which comes at once, or nothing
	settled := !only && settled(r, resp)
	if settled {
		outcome.Code, _ = answer.Status(nil, true)
	}
	*followed = followedBody{ReadCloser: resp.Body, response: resp, backend: b, request: r, began: start, told: told, answer: answer, outcome: b.judge(outcome), settled: settled}
	if settled {
		b.concluded(r, followed.outcome, start, told)
	}
	if only {
		followed.Read(followed.room[:])
	}
	latency.end(began, followed.outcome)
	resp.Body = followed.body()
	return resp, followed.outcome
}

func (b *Backend) judge(o Outcome) Outcome { return b.pool.cfg.Outlier.On.judge(o) }

// concluded hands on how an attempt went, once that is known: first to who
// listens, as the attempt is a cause of the change of state that may follow.
func (b *Backend) concluded(r *http.Request, o Outcome, began time.Time, told evidence) {
	switch hooks := &b.pool.hooks; {
	case o.Err != nil && o.Err.Type == fault.Overloaded:
		hooks.failed(o.Err)
		return
	case !o.tells():
		return
	case hooks.Attempted != nil:
		hooks.Attempted(r.Context(), b, o)
	}
	b.health.attempted(o)
	if told != nil {
		told(r, o, began)
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
	if b.host == hostBackend || b.host == HostAuto && b.URL.Scheme == "https" {
		r.Host = b.URL.Host
	}
}

// followedBody is the body of an answer, which ends the request in flight when it is
// closed, and tells how it ends.
type followedBody struct {
	io.ReadCloser
	response *http.Response // whose trailer is there once the body has ended
	backend  *Backend
	request  *http.Request // as it was sent
	began    time.Time
	told     evidence
	answer   handler.GRPCAnswer
	content  bool    // some has come
	room     [1]byte // for reading what has none to its end
	outcome  Outcome // of the attempt if nothing breaks off
	settled  bool    // nothing but an error is left to tell
	ended    bool    // nothing is left to tell
	closed   atomic.Bool
}

// body returns f. The body of a 101 response stays a connection that can be written
// to.
func (f *followedBody) body() io.ReadCloser {
	if conn, ok := f.ReadCloser.(io.ReadWriteCloser); ok {
		return Upgraded{ReadCloser: f, Conn: conn}
	}
	return f
}

func (f *followedBody) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.content = f.content || n > 0
	if err == nil || f.ended {
		return n, err
	}
	f.ended = true
	switch {
	case f.outcome.Status == http.StatusSwitchingProtocols: // has no content that could break off
	case err != io.EOF:
		f.backend.concluded(f.request, f.backend.judge(Outcome{Err: fault.OfBody(f.request.Context(), err)}), f.began, f.told)
	case !f.settled:
		if code, known := f.answer.Status(f.response.Trailer, f.content); known {
			f.outcome = f.backend.judge(Outcome{Status: f.outcome.Status, Code: code})
		}
		f.backend.concluded(f.request, f.outcome, f.began, f.told)
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
	hostPreserve HostRule = "preserve" // the client's
	hostBackend  HostRule = "backend"  // the backend's own
)

// UnmarshalText parses a host rule.
func (h *HostRule) UnmarshalText(text []byte) error {
	return config.OneOf(h, text, HostAuto, hostPreserve, hostBackend)
}
