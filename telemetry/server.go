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
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
	"spangate/handler/fault"
)

// Server gives each request that next handles a SERVER span, its metrics and a
// line in the access log, which agree on how it ended. They are recorded when
// the handler returns, also when it panics. A panic other than
// [http.ErrAbortHandler] is logged and becomes one.
func (t *Telemetry) Server(next http.Handler) http.Handler {
	if t.off {
		return t.logPanics(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := handler.ClientOf(r)
		s := &served{
			telemetry: t, request: r, start: time.Now(),
			method: t.methods.normalize(r.Method), scheme: who.Scheme, host: who.Host, client: who.Addr,
			cold: !t.warm.Load() && !t.warm.Swap(true),
		}
		active := t.activeSets.get(activeSet{s.method, s.scheme}, activeSet.attributes)
		t.serverActive.Add(r.Context(), 1, active.add...)

		ctx, options := t.receive(r)
		ctx, s.span = t.startServer(ctx, s.method, options)
		ctx = withExchange(ctx, &s.exchange)
		s.response = countedResponse{
			ResponseWriter: w, telemetry: t, ctx: ctx, exchange: &s.exchange, start: s.start,
			series: serverSet{method: s.method, scheme: s.scheme, version: protocolVersion(r)},
		}
		var body *countedRequest
		if r.ContentLength != 0 {
			body = &countedRequest{Reader: r.Body}
			r.Body = body
		}

		defer func() {
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				t.logPanic(ctx, panicked)
				s.exchange.failure = &fault.Error{Type: fault.InternalError}
				panicked = http.ErrAbortHandler
			}
			if body != nil {
				s.received = body.n.Load()
			}
			s.end(panicked != nil)
			t.serverActive.Add(ctx, -1, active.add...)
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(&s.response, r.WithContext(ctx))
	})
}

// logPanic is for whoever has recovered one, with its stack still there.
func (t *Telemetry) logPanic(ctx context.Context, panicked any) {
	t.log.ErrorContext(ctx, "panic while handling a request", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
}

// logPanics is what is left of [Telemetry.Server] when nothing is recorded.
func (t *Telemetry) logPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch panicked := recover(); panicked {
			case nil:
			case http.ErrAbortHandler:
				panic(panicked)
			default:
				t.logPanic(r.Context(), panicked)
				panic(http.ErrAbortHandler)
			}
		}()
		ctx, _ := t.receive(r)
		if ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// served is one request, and what is known of it in the end.
type served struct {
	telemetry            *Telemetry
	request              *http.Request
	span                 trace.Span
	start, ended         time.Time
	method, scheme, host string
	client               netip.Addr
	cold                 bool // the first of this instance

	exchange exchange
	response countedResponse
	received int64 // bytes of the body that were read
	outcome  outcome
	reason   string // why the span is exported though it is not sampled
}

// end records the request.
func (s *served) end(aborted bool) {
	t, ctx := s.telemetry, s.response.ctx
	s.ended = endOf(s.start)
	s.outcome = outcomeOf(&s.exchange, &s.response, aborted)
	s.endSpan()
	series := s.response.series
	series.status, series.errorType = s.outcome.status, s.outcome.spanError
	set := t.serverSets.get(series, serverSet.attributes)
	took := requestDuration(s.outcome.status, s.response.firstByte, s.ended.Sub(s.start))
	t.serverDuration.Record(ctx, took.Seconds(), set.record...)
	t.serverRequestSize.Record(ctx, s.received, set.record...)
	t.serverResponseSize.Record(ctx, s.response.n, set.record...)
	if t.access != nil {
		t.access.write(ctx, s)
	}
}

// endSpan ends the span where it is exported; where not, nobody misses its end.
// It is not deferred: End would then record ErrAbortHandler as an exception.
func (s *served) endSpan() {
	if !s.span.IsRecording() {
		return
	}
	if !s.span.SpanContext().IsSampled() {
		s.reason = s.keepReason()
		s.exchange.held.settle(s.reason != "")
		if s.reason == "" {
			return
		}
	}
	s.tell(s.span)
	s.span.End(trace.WithTimestamp(s.ended))
}

// tell implements [teller]. All attributes are set at once, at the end:
// no sampler that can be configured decides by them, and each time would copy
// those before.
func (s *served) tell(span trace.Span) {
	t, r, e := s.telemetry, s.request, &s.exchange
	line := len(r.Method) + len(r.RequestURI) // over HTTP/1.1 parts of one text
	attrs := make([]attribute.KeyValue, 0, 26)
	attrs = t.appendMethod(attrs, r.Method, s.method)
	attrs = append(attrs,
		semconv.URLScheme(s.scheme),
		semconv.URLPath(t.part(r.URL.EscapedPath(), line)),
		semconv.NetworkProtocolVersion(protocolVersion(r)),
	)
	if r.URL.RawQuery != "" {
		attrs = append(attrs, semconv.URLQuery(t.part(redactQuery(r.URL.RawQuery), line)))
	}
	if host, port := splitHost(s.host, s.scheme); host != "" {
		attrs = append(attrs, semconv.ServerAddress(t.part(host, len(s.host))), semconv.ServerPort(port))
	}
	if s.client.IsValid() {
		attrs = append(attrs, semconv.ClientAddress(s.client.String()))
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		attrs = append(attrs, semconv.NetworkPeerAddress(peer.Addr().Unmap().String()), semconv.NetworkPeerPort(int(peer.Port())))
	}
	if agent := r.Header.Get("User-Agent"); agent != "" {
		attrs = append(attrs, semconv.UserAgentOriginal(t.text(agent)))
	}
	if s.cold {
		attrs = append(attrs, semconv.FaaSColdstart(true))
	}

	attrs = append(attrs,
		semconv.HTTPResponseStatusCode(s.outcome.status),
		semconv.HTTPRequestBodySize(int(s.received)),
		semconv.HTTPResponseBodySize(int(s.response.n)),
		attemptCountKey.Int(e.attempts),
	)
	if e.answered != "" {
		attrs = append(attrs, backendKey.String(e.answered))
	}
	if s.response.firstByte > 0 {
		attrs = append(attrs, timeToFirstByteKey.Float64(s.response.firstByte.Seconds()))
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
	if s.reason != "" {
		attrs = append(attrs, samplingReasonKey.String(s.reason))
	}
	if s.outcome.spanError != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.outcome.spanError))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attrs...)
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
		o.errorType = string(fault.InternalError)
		o.spanError = o.errorType
	case e.failure.Type == fault.ClientDisconnected:
		o.status, o.spanError = fault.StatusClientClosedRequest, o.errorType
	case aborted || o.status/100 != 4:
		o.spanError = o.errorType
	}
	if o.status == 0 {
		o.status = fault.Type(o.errorType).Status()
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
	if strings.HasPrefix(authority, "[") && strings.HasSuffix(authority, "]") {
		authority = authority[1 : len(authority)-1] // an IPv6 address, as where it has a port
	}
	if scheme == "https" {
		return authority, 443
	}
	return authority, 80
}

// countedRequest counts what is read of a body, whatever length it declares. The
// transport may go on reading after the request has been answered.
type countedRequest struct {
	io.Reader
	n atomic.Int64
}

func (c *countedRequest) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
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
		var span trace.SpanContext
		if !c.telemetry.silent {
			span = trace.SpanContextFromContext(c.ctx)
		}
		addServerTiming(c.Header(), span, c.firstByte, c.exchange.forwarded)
	}
}
