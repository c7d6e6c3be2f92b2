package telemetry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
)

// ClientConfig says whom [Telemetry.Client] sees attempts at.
type ClientConfig struct {
	Backend   *balancer.Backend
	Algorithm balancer.Algorithm
	Ready     func() int          // number of ready backends
	FailedOn  balancer.Conditions // failures that count against the backend
}

// Client gives each attempt that next makes a CLIENT span and its metrics, and
// puts the span's context into the request's header, which it changes in
// place. It also records how long connections to the backend are open, and counts
// those on which something came that nobody had asked for. The span ends with the
// response's body, so that a backend that is lost on the way shows. Attempts that
// belong to one request are numbered.
func (t *Telemetry) Client(cfg ClientConfig, next http.RoundTripper) http.RoundTripper {
	if t.off {
		return next
	}
	host, port := splitHost(cfg.Backend.URL.Host, cfg.Backend.URL.Scheme)
	lifetime := metric.WithAttributes(semconv.ServerAddress(host), semconv.ServerPort(port))
	cfg.Backend.Connections.Ended = func(d time.Duration) {
		t.connectionDuration.Record(context.Background(), d.Seconds(), lifetime)
	}
	cfg.Backend.Connections.Got = func(ctx context.Context, conn net.Conn) {
		if e := exchangeOf(ctx); e != nil && e.attempt != nil {
			e.attempt.peer = conn.RemoteAddr()
		}
	}
	backend := metric.WithAttributes(backendKey.String(cfg.Backend.Name))
	cfg.Backend.Connections.Unsolicited = func() { t.unsolicited.Add(context.Background(), 1, backend) }
	return &client{
		telemetry: t, cfg: cfg, next: next,
		address: host, port: port,
	}
}

type client struct {
	telemetry *Telemetry
	cfg       ClientConfig
	next      http.RoundTripper
	address   string
	port      int
	failing   atomic.Bool // since the last attempt that succeeded
	sets      setCache[clientSet]
	active    setCache[string]
}

func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	t := c.telemetry
	e := exchangeOf(r.Context())
	a := &attempt{
		client: c, exchange: e, ctx: r.Context(), start: time.Now(),
		sent: r.Method, url: r.URL, method: t.methods.normalize(r.Method), ready: c.cfg.Ready(),
	}
	t.clientActive.Add(a.ctx, 1, c.activeSet(a.method).add...)
	options := clientKind
	if e != nil {
		a.resend = e.attempts
		e.attempts++
		e.backend = c.cfg.Backend.Name
		if e.latest.IsValid() {
			options = linked(clientKind, e.latest)
		}
	}
	a.ctx, a.span = t.tracer.Start(a.ctx, spanName(a.method), options...)
	if e != nil {
		e.latest, e.attempt = a.span.SpanContext(), a
	}
	if t.participates {
		t.propagator.Inject(a.ctx, contextHeader(r.Header))
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		a.end(fault.Of(a.ctx, err))
		return nil, err
	}
	a.status, a.version, a.answered = resp.StatusCode, responseVersion(resp), time.Since(a.start)
	set := c.sets.get(clientSet{method: a.method, version: a.version, status: a.status}, c.attributes)
	t.attemptFirstByte.Record(a.ctx, a.answered.Seconds(), set.record...)
	a.settled = balancer.Settled(r, resp)
	if !c.doubt(a, resp, nil) && a.settled { // what it leads to does not wait for the body
		c.acquit()
	}
	a.body = resp.Body
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = balancer.Upgraded{ReadCloser: a, Conn: conn}
	} else {
		resp.Body = a
	}
	return resp, nil
}

// doubt notes what a, which has come to resp or err, may lead to: a probe, or
// that its backend is left out. It reports whether a may lead to anything.
func (c *client) doubt(a *attempt, resp *http.Response, err *fault.Error) bool {
	if err != nil && !err.Counts() || !c.cfg.FailedOn.Doubtful(resp, err) {
		return false
	}
	c.telemetry.causes.ask(c.cfg.Backend, a.span.SpanContext)
	if c.cfg.FailedOn.Failed(resp, err) {
		c.failing.Store(true)
		c.telemetry.causes.add(c.cfg.Backend, balancer.Outlier, a.span.SpanContext)
	}
	return true
}

// acquit notes that an attempt has succeeded: those that failed before lead to
// nothing any more.
func (c *client) acquit() {
	if c.failing.Load() {
		c.failing.Store(false)
		c.telemetry.causes.take(c.cfg.Backend, balancer.Outlier)
	}
}

// attempt is one request to one backend. It stands in for its response's body,
// with which it ends.
type attempt struct {
	client   *client
	exchange *exchange       // nil: of no request
	ctx      context.Context // of the request, and with the span
	span     trace.Span
	start    time.Time
	sent     string   // the method
	url      *url.URL // of this attempt alone
	method   string   // normalized
	resend   int      // number of the retry; 0: the first attempt
	ready    int      // backends

	peer      net.Addr      // that was dialled; nil: no connection
	status    int           // 0: none received
	answered  time.Duration // from start to the response's header
	settled   bool          // the response's header says how it went
	version   string
	body      io.ReadCloser
	ended     atomic.Bool  // by the body's end, or by who closes it amid a read
	errorType string       // once it has ended
	failure   *fault.Error // what it ended with; nil: with a complete answer
}

// end records the attempt, once. err is nil when nothing went wrong.
func (a *attempt) end(err *fault.Error) {
	if a.ended.Swap(true) {
		return
	}
	a.errorType, a.failure = attemptError(a.status, err), err
	now := endOf(a.start)
	a.exchange.end(a.span, now, a)
	t, c := a.client.telemetry, a.client
	if err != nil && a.status != http.StatusSwitchingProtocols {
		c.doubt(a, nil, err)
	}
	set := c.sets.get(clientSet{a.method, a.version, a.status, a.errorType}, c.attributes)
	t.clientDuration.Record(a.ctx, requestDuration(a.status, a.answered, now.Sub(a.start)).Seconds(), set.record...)
	t.clientActive.Add(a.ctx, -1, c.activeSet(a.method).add...)
}

// tell implements [teller].
func (a *attempt) tell(span trace.Span) {
	t, c := a.client.telemetry, a.client
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = appendMethod(attrs, a.sent, a.method, t.longestText)
	attrs = append(attrs,
		semconv.URLFull(t.longestText.text(fullURL(a.url.Scheme, a.url.Host, a.url))),
		semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
		backendKey.String(c.cfg.Backend.Name),
		balancerAlgorithmKey.String(string(c.cfg.Algorithm)),
		balancerReadyKey.Int(a.ready),
	)
	if address := c.cfg.Backend.Address; address != "" {
		attrs = append(attrs, backendAddressKey.String(address))
	}
	if a.resend > 0 {
		attrs = append(attrs, semconv.HTTPRequestResendCount(a.resend))
	}
	switch addr := a.peer.(type) {
	case *net.TCPAddr:
		attrs = append(attrs, semconv.NetworkPeerAddress(addr.IP.String()), semconv.NetworkPeerPort(addr.Port))
	case *net.UnixAddr:
		attrs = append(attrs, semconv.NetworkPeerAddress(addr.Name))
	}
	if a.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(a.status), semconv.NetworkProtocolVersion(a.version))
	}
	if a.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(a.errorType))
		span.SetStatus(codes.Error, a.failure.Description())
	}
	span.SetAttributes(attrs...)
}

// attemptError returns the error.type of an attempt, or "" for one that is no
// error: what the client caused says nothing about the backend. What this process
// caused is an error of the attempt all the same.
func attemptError(status int, err *fault.Error) string {
	switch {
	case err != nil && (!err.Blameless() || err.Type == fault.Overloaded):
		return string(err.Type)
	case err == nil && status >= http.StatusBadRequest:
		return strconv.Itoa(status)
	}
	return ""
}

type clientSet struct {
	method, version string
	status          int
	errorType       string
}

func (c *client) attributes(s clientSet) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.method),
		semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
	}
	if s.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(s.status), semconv.NetworkProtocolVersion(s.version))
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return attrs
}

func (c *client) activeSet(method string) cachedSet {
	return c.active.get(method, func(method string) []attribute.KeyValue {
		return []attribute.KeyValue{
			semconv.HTTPRequestMethodKey.String(method),
			semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
		}
	})
}

func responseVersion(resp *http.Response) string {
	switch {
	case resp.ProtoMajor == 2:
		return "2"
	case resp.ProtoMinor == 0:
		return "1.0"
	}
	return "1.1"
}

func fullURL(scheme, host string, u *url.URL) string {
	full := scheme + "://" + host + u.EscapedPath()
	if u.RawQuery != "" {
		full += "?" + redactQuery(u.RawQuery)
	}
	return full
}

func (a *attempt) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	switch {
	case err == io.EOF:
		if !a.settled {
			a.settled = true
			a.client.acquit()
		}
		a.end(nil)
	case err != nil:
		a.end(fault.OfBody(a.ctx, err))
	}
	return n, err
}

// Close also ends an attempt of whose body not all was read: the client has
// gone by then, or there is nothing to read in answer to HEAD.
func (a *attempt) Close() error {
	err := a.body.Close()
	a.end(nil)
	return err
}
