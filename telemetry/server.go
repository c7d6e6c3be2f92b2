package telemetry

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler"
)

// Server gives each request that next handles a SERVER span, its metrics and a
// line in the access log, which agree on how it ended. They are recorded when
// the handler returns, also when it panics. A panic other than
// [http.ErrAbortHandler] is logged and becomes one.
func (t *Telemetry) Server(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		method := t.methods.normalize(r.Method)
		scheme, host, client := t.origin.Scheme(r), t.origin.Host(r), t.origin.Addr(r)
		active := t.activeSets.get(activeSet{method, scheme}, activeSet.attributes)
		t.serverActive.Add(r.Context(), 1, active.add...)

		ctx, options := t.receive(r)
		ctx, span := t.startServer(ctx, r, serverStart{method, scheme, host, client}, options)
		e := &exchange{}
		ctx = withExchange(ctx, e)
		var request *countedRequest
		if r.ContentLength < 0 {
			request = &countedRequest{Reader: r.Body}
			if t.propagator != nil {
				request.trailer = r.Trailer
			}
			r.Body = request
		}
		response := &countedResponse{
			ResponseWriter: w, telemetry: t, ctx: ctx, exchange: e, start: start,
			series: serverSet{method: method, scheme: scheme, version: protocolVersion(r)},
		}

		defer func() {
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				t.log.ErrorContext(ctx, "panic while handling a request", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
				e.failure = &balancer.Error{Type: balancer.InternalError}
				panicked = http.ErrAbortHandler
			}
			end := time.Now()
			o := outcomeOf(e, response, panicked != nil)
			requestSize := r.ContentLength
			if request != nil {
				requestSize = request.n.Load()
			}
			t.endServer(span, e, o, requestSize, response.n, response.firstByte, end)
			series := response.series
			series.status, series.errorType = o.status, o.spanError
			set := t.serverSets.get(series, serverSet.attributes)
			t.serverDuration.Record(ctx, requestDuration(o.status, response.firstByte, end.Sub(start)).Seconds(), set.record...)
			t.serverRequestSize.Record(ctx, requestSize, set.record...)
			t.serverResponseSize.Record(ctx, response.n, set.record...)
			t.serverActive.Add(ctx, -1, active.add...)
			if t.access != nil {
				t.access.write(ctx, r, e, accessLine{
					start: start, duration: end.Sub(start), firstByte: response.firstByte, outcome: o,
					client: client, scheme: scheme, host: host,
					received: requestSize, sent: response.n,
				})
			}
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(response, r.WithContext(ctx))
	})
}

// serverStart is what a request's span says of it beside what the request does.
type serverStart struct {
	method, scheme, host string
	client               netip.Addr
}

// startServer starts the span. Its attributes are made only when it is
// recorded: no sampler that can be configured decides by them.
func (t *Telemetry) startServer(ctx context.Context, r *http.Request, start serverStart, options []trace.SpanStartOption) (context.Context, trace.Span) {
	cold := !t.warm.Load() && !t.warm.Swap(true)
	ctx, span := t.tracer.Start(ctx, spanName(start.method), options...)
	if !span.IsRecording() {
		return ctx, span
	}
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = t.appendMethod(attrs, r.Method, start.method)
	attrs = append(attrs,
		semconv.URLScheme(start.scheme),
		semconv.URLPath(t.part(r.URL.EscapedPath(), r.RequestURI)),
		semconv.NetworkProtocolVersion(protocolVersion(r)),
	)
	if r.URL.RawQuery != "" {
		attrs = append(attrs, semconv.URLQuery(t.part(redactQuery(r.URL.RawQuery), r.RequestURI)))
	}
	if host, port := splitHost(start.host, start.scheme); host != "" {
		attrs = append(attrs, semconv.ServerAddress(t.part(host, start.host)), semconv.ServerPort(port))
	}
	if start.client.IsValid() {
		attrs = append(attrs, semconv.ClientAddress(start.client.String()))
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		attrs = append(attrs, semconv.NetworkPeerAddress(peer.Addr().Unmap().String()), semconv.NetworkPeerPort(int(peer.Port())))
	}
	if agent := r.Header.Get("User-Agent"); agent != "" {
		attrs = append(attrs, semconv.UserAgentOriginal(t.text(agent)))
	}
	if cold {
		attrs = append(attrs, semconv.FaaSColdstart(true))
	}
	span.SetAttributes(attrs...)
	return ctx, span
}

// endServer ends the span, which need not be where nothing is recorded. It is
// not deferred: End would then record ErrAbortHandler as an exception.
func (t *Telemetry) endServer(span trace.Span, e *exchange, o outcome, received, sent int64, firstByte time.Duration, end time.Time) {
	if !span.IsRecording() {
		return
	}
	attrs := make([]attribute.KeyValue, 0, 10)
	attrs = append(attrs,
		semconv.HTTPResponseStatusCode(o.status),
		semconv.HTTPRequestBodySize(int(received)),
		semconv.HTTPResponseBodySize(int(sent)),
		attemptCountKey.Int(e.attempts),
	)
	if firstByte > 0 {
		attrs = append(attrs, timeToFirstByteKey.Float64(firstByte.Seconds()))
	}
	if e.stopReason != "" {
		attrs = append(attrs, retryStopReasonKey.String(string(e.stopReason)))
	}
	if e.rejection.Policy != "" {
		attrs = append(attrs, policyRejectionKey.String(e.rejection.Policy), policyReasonKey.String(e.rejection.Reason))
	}
	if e.queued {
		attrs = append(attrs, concurrencyWaitKey.Float64(e.queueWait.Seconds()))
	}
	if e.principal.Method != "" {
		attrs = append(attrs, semconv.EnduserID(e.principal.Name), authMethodKey.String(e.principal.Method))
	}
	if e.requestID != "" {
		attrs = append(attrs, requestIDKey.String(e.requestID))
	}
	if o.spanError != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(o.spanError))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attrs...)
	span.End(trace.WithTimestamp(end))
}

// outcome is how a request ended, for span, metrics and log alike.
type outcome struct {
	status    int    // sent, or the one that says why none was
	errorType string // why it failed; also set for the 4xx statuses of our own
	spanError string // error.type of the SERVER span; empty while its status is Unset
}

// outcomeOf applies the table of telemetry's contract. A 4xx is the client's
// doing and no error of the server's, unless it came too late to be sent.
func outcomeOf(e *exchange, w *countedResponse, aborted bool) outcome {
	o := outcome{status: w.status}
	if e.failure != nil {
		o.errorType = string(e.failure.Type)
	}
	switch {
	case e.failure == nil && !aborted:
		if o.status == 0 {
			o.status = http.StatusOK // what net/http sends for a handler that says nothing
		}
		if o.status >= http.StatusInternalServerError {
			o.spanError = strconv.Itoa(o.status)
		}
	case e.failure == nil:
		o.errorType = string(balancer.InternalError)
		o.spanError = o.errorType
	case e.failure.Type == balancer.ClientDisconnected:
		o.status, o.spanError = handler.StatusClientClosedRequest, o.errorType
	case aborted || o.status/100 != 4:
		o.spanError = o.errorType
	}
	if o.status == 0 {
		o.status = handler.Status(balancer.ErrorType(o.errorType))
	}
	return o
}

// requestDuration returns how long a request took as metrics have it: to its
// end, or to its answer when that switched protocols. What comes after is not
// HTTP any more (RFC 9110 section 7.8), and may last for days.
func requestDuration(status int, toAnswer, toEnd time.Duration) time.Duration {
	if status == http.StatusSwitchingProtocols {
		return toAnswer
	}
	return toEnd
}

type activeSet struct{ method, scheme string }

func (s activeSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(s.method), semconv.URLScheme(s.scheme)}
}

type serverSet struct {
	method, scheme, version string
	status                  int
	errorType               string
}

func (s serverSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.method), semconv.URLScheme(s.scheme),
		semconv.NetworkProtocolVersion(s.version), semconv.HTTPResponseStatusCode(s.status),
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return attrs
}

// protocolVersion returns the version as the conventions write it: 1.1, 2.
func protocolVersion(r *http.Request) string {
	switch {
	case r.ProtoMajor == 2:
		return "2"
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		return "1.0"
	}
	return "1.1"
}

// splitHost returns host and port of an authority, with the scheme's port where
// it names none.
func splitHost(authority, scheme string) (string, int) {
	if host, port, err := net.SplitHostPort(authority); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			return host, int(n)
		}
	}
	if scheme == "https" {
		return authority, 443
	}
	return authority, 80
}

// countedRequest counts what is read of a body whose length is not declared.
// The transport may go on reading after the request has been answered.
type countedRequest struct {
	io.Reader
	n       atomic.Int64
	trailer http.Header // that is to be rid of trace context; may be nil
}

func (c *countedRequest) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	if err == io.EOF {
		removeContext(c.trailer) // by now it also has what was not announced
	}
	return n, err
}

func (c *countedRequest) Close() error {
	if body, ok := c.Reader.(io.Closer); ok {
		return body.Close()
	}
	return nil
}

// countedResponse notes what is sent, and records how long it took to begin as
// soon as it does: a stream may go on for hours. Flush, Hijack and deadlines go
// past it, by Unwrap.
type countedResponse struct {
	http.ResponseWriter
	telemetry *Telemetry
	ctx       context.Context
	exchange  *exchange
	start     time.Time // of the request
	series    serverSet // of the request, without how it ends

	status    int // 0: it has not begun
	n         int64
	firstByte time.Duration // from start
}

func (c *countedResponse) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *countedResponse) WriteHeader(status int) {
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.begin(status)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *countedResponse) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.begin(http.StatusOK)
	}
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countedResponse) begin(status int) {
	c.status, c.firstByte = status, time.Since(c.start)
	series := c.series
	series.status = status
	set := c.telemetry.serverSets.get(series, serverSet.attributes)
	c.telemetry.timeToFirstByte.Record(c.ctx, c.firstByte.Seconds(), set.record...)
	if c.telemetry.serverTiming {
		addServerTiming(c.Header(), trace.SpanContextFromContext(c.ctx), c.firstByte, c.exchange.forwarded)
	}
}
