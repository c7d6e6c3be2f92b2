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
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/handler/wire"
)

// client returns what gives each attempt that next makes at b a CLIENT span and
// its metrics, and puts the span's context into the request's header, which it
// changes in place. The span ends with the response's body, so that a backend that
// is lost on the way shows. Attempts that belong to one request are numbered.
func (t *Telemetry) client(algorithm balancer.Algorithm) func(b *balancer.Backend, ready func() int, next http.RoundTripper) http.RoundTripper {
	return func(b *balancer.Backend, ready func() int, next http.RoundTripper) http.RoundTripper {
		host, port := splitHost(b.URL.Host, b.URL.Scheme)
		c := &client{
			telemetry: t, backend: b, algorithm: algorithm, ready: ready, next: next,
			address: host, port: port,
		}
		c.sets, c.active = newSets(&t.meter, c.attributes), newSets(&t.meter, c.activeAttributes)
		return c
	}
}

// connections returns what records how long connections to b are open, counts
// those on which something came that nobody had asked for, and notes the peer of
// each attempt.
func (t *Telemetry) connections(b *balancer.Backend) wire.ConnectionHooks {
	host, port := splitHost(b.URL.Host, b.URL.Scheme)
	lifetime := t.meter.with(semconv.ServerAddress(host), semconv.ServerPort(port))
	name := t.meter.with(backendKey.String(b.Name))
	return wire.ConnectionHooks{
		Got: func(ctx context.Context, conn net.Conn) {
			if e := exchangeOf(ctx); e != nil && e.attempt != nil {
				e.attempt.peer = conn.RemoteAddr()
			}
		},
		Ended: func(d time.Duration) {
			t.metrics.connection.duration.Record(context.Background(), d.Seconds(), lifetime)
		},
		Unsolicited: func() { t.metrics.connection.unsolicited.Add(context.Background(), 1, name) },
	}
}

type client struct {
	telemetry *Telemetry
	backend   *balancer.Backend
	algorithm balancer.Algorithm
	ready     func() int // number of backends that are ready
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
		sent: r.Method, url: r.URL, method: t.methods.normalize(r.Method), ready: c.ready(),
	}
	t.metrics.attempt.active.Add(a.ctx, 1, c.active.get(a.method).add...)
	options := clientKind
	if e != nil {
		a.resend = e.attempts
		e.attempts++
		e.backend = c.backend.Name
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
	set := c.sets.get(clientSet{method: a.method, version: a.version, status: a.status})
	t.metrics.attempt.firstByte.Record(a.ctx, a.answered.Seconds(), set.record...)
	a.body = resp.Body
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = balancer.Upgraded{ReadCloser: a, Conn: conn}
	} else {
		resp.Body = a
	}
	return resp, nil
}

// attempted notes what an attempt may lead to: a probe, or that its backend is
// left out. One that succeeded takes it from those that failed before.
func (t *Telemetry) attempted(ctx context.Context, b *balancer.Backend, o balancer.Outcome) {
	e := exchangeOf(ctx)
	if e == nil || e.attempt == nil {
		return
	}
	a := e.attempt
	if o.Doubtful {
		t.causes.ask(b, a.span.SpanContext)
	}
	switch failing := &a.client.failing; {
	case o.Failed:
		failing.Store(true)
		t.causes.add(b, balancer.Outlier, a.span.SpanContext)
	case o.Err == nil && failing.Load():
		failing.Store(false)
		t.causes.take(b, balancer.Outlier)
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
	set := c.sets.get(clientSet{a.method, a.version, a.status, a.errorType})
	t.metrics.attempt.duration.Record(a.ctx, requestDuration(a.status, a.answered, now.Sub(a.start)).Seconds(), set.record...)
	t.metrics.attempt.active.Add(a.ctx, -1, c.active.get(a.method).add...)
}

// tell implements [teller].
func (a *attempt) tell(span trace.Span) {
	t, c := a.client.telemetry, a.client
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = appendMethod(attrs, a.sent, a.method, t.longestText)
	attrs = append(attrs,
		semconv.URLFull(t.longestText.text(fullURL(a.url.Scheme, a.url.Host, a.url))),
		semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
		backendKey.String(c.backend.Name),
		balancerAlgorithmKey.String(string(c.algorithm)),
		balancerReadyKey.Int(a.ready),
	)
	if address := c.backend.Address; address != "" {
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

func (c *client) activeAttributes(method string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method),
		semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
	}
}

// attemptMetrics are those of attempts.
type attemptMetrics struct {
	duration  metric.Float64Histogram
	active    metric.Int64UpDownCounter
	firstByte metric.Float64Histogram
}

func newAttemptMetrics(m *meter) attemptMetrics {
	return attemptMetrics{
		duration:  convention(m, httpconv.NewClientRequestDuration).Inst(),
		active:    convention(m, httpconv.NewClientActiveRequests).Inst(),
		firstByte: m.histogram(attemptTimeToFirstByteName),
	}
}

// connectionMetrics are those of connections to backends.
type connectionMetrics struct {
	duration    metric.Float64Histogram
	unsolicited metric.Int64Counter
}

func newConnectionMetrics(m *meter) connectionMetrics {
	return connectionMetrics{
		duration:    convention(m, httpconv.NewClientConnectionDuration).Float64Histogram,
		unsolicited: m.counter(backendUnsolicitedResponseName),
	}
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
