package telemetry

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/telemetry/tracecontext"
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
		c.series = &bound[*Telemetry, attemptSeries]{bind: func(route *Telemetry) *attemptSeries { return route.metrics().attempt.of(&route.meter, c) }}
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
	peer      addressText                       // of the attempt before
	failing   atomic.Bool                       // since the last attempt that succeeded
	series    *bound[*Telemetry, attemptSeries] // by route: several may share a backend
}

func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	t := c.telemetry
	e := exchangeOf(r.Context())
	a := wire.Keep[attempt](r.Context())
	a.client, a.exchange, a.ctx, a.course.Start = c, e, r.Context(), e.now()
	a.sent, a.url, a.method, a.ready = r.Method, r.URL, t.cfg.KnownMethods.normalize(r.Method), c.ready()
	of := t.at(e)
	if e == nil {
		if a.copied = mirroredOf(a.ctx); a.copied != nil {
			of = a.copied.of
		}
	}
	a.series = c.series.of(of)
	a.active = a.series.active.of(a.method)
	a.active.Add(a.ctx, 1)
	var links []trace.Link
	if e != nil {
		a.resend = e.forwarded.attempts
		e.forwarded.tried(c.backend)
		if e.latest.IsValid() {
			links = []trace.Link{{SpanContext: e.latest}}
		}
	}
	if a.copied != nil {
		a.ctx, a.span = a.copied.start(a.ctx, t.tracer, a.course.Start, spanName(a.method))
	} else {
		a.ctx, a.span = startSpan(a.ctx, t.tracer, a.course.Start, spanName(a.method), trace.SpanKindClient, links...)
	}
	if e != nil {
		e.latest, e.attempt = a.span.SpanContext(), a
	}
	if t.participates {
		a.fields.header = tracecontext.Header(r.Header)
		t.propagator.Inject(a.ctx, &a.fields)
		if e != nil && e.members != nil {
			a.fields.add(a.span.SpanContext().TraceState(), e.members)
		}
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		a.end(fault.Of(a.ctx, err), false)
		return nil, err
	}
	a.status, a.version, a.answered = resp.StatusCode, protocolVersion(resp.ProtoMajor, resp.ProtoMinor), time.Since(a.course.Start)
	a.into().firstByte.Record(a.ctx, a.answered)
	a.answer, a.response, a.body = handler.GRPCAnswerOf(r, resp.StatusCode, resp.Header), resp, resp.Body
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = balancer.Upgraded{ReadCloser: a, Conn: conn}
	} else {
		resp.Body = a
	}
	return resp, nil
}
