package telemetry

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

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

type client struct {
	telemetry *Telemetry
	backend   *balancer.Backend
	algorithm balancer.Algorithm
	ready     func() int // number of backends that are ready
	next      http.RoundTripper
	address   string
	port      int
	peer      addressText // of the attempt before
	failing   atomic.Bool // since the last attempt that succeeded
	sets      setCache[clientSet]
	active    setCache[string]
}

func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	t := c.telemetry
	e := exchangeOf(r.Context())
	a := wire.Keep[attempt](r.Context())
	a.client, a.exchange, a.ctx, a.course.Start = c, e, r.Context(), time.Now()
	a.sent, a.url, a.method, a.ready = r.Method, r.URL, t.cfg.KnownMethods.normalize(r.Method), c.ready()
	t.metrics.attempt.active.Add(a.ctx, 1, c.active.get(a.method).add...)
	options := clientKind
	if e != nil {
		a.resend = e.forwarded.attempts
		e.forwarded.tried(c.backend)
		if e.latest.IsValid() {
			options = linked(clientKind, e.latest)
		}
	}
	a.ctx, a.span = t.tracer.Start(a.ctx, spanName(a.method), options...)
	if e != nil {
		e.latest, e.attempt = a.span.SpanContext(), a
	}
	if t.participates {
		a.fields.header = contextHeader(r.Header)
		t.propagator.Inject(a.ctx, &a.fields)
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		a.end(fault.Of(a.ctx, err))
		return nil, err
	}
	a.status, a.version, a.answered = resp.StatusCode, protocolVersion(resp.ProtoMajor, resp.ProtoMinor), time.Since(a.course.Start)
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
