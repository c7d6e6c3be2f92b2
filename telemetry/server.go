package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
	"spangate/telemetry/tracecontext"
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
		s := t.begin(w, r)
		defer func() {
			panicked := recover()
			if panicked != nil && panicked != http.ErrAbortHandler {
				t.logPanic(s, panicked)
				s.exchange.failure = &fault.Error{Type: fault.InternalError}
				panicked = http.ErrAbortHandler
			}
			s.end(panicked != nil)
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(&s.response, &s.request)
	})
}

// begin starts what is known of a request. It is kept with the request, as is all that
// is known of its first attempt.
func (t *Telemetry) begin(w http.ResponseWriter, r *http.Request) *served {
	who := handler.ClientOf(r)
	method := t.cfg.KnownMethods.normalize(r.Method)
	s := wire.Keep[served](r.Context())
	s.telemetry, s.exchange.start, s.cold = t, time.Now(), t.warmth.coldStart()
	s.target = target{request: r, method: method, scheme: who.Scheme, version: protocolVersion(r.ProtoMajor, r.ProtoMinor), host: who.Host, longest: t.longestText}
	s.caller = caller{request: r, client: who.Addr, longest: t.longestText}
	s.secured = secured{r.TLS, t.longestText}
	s.exchange.come(r.Context(), t)
	s.active = s.exchange.of.metrics().server.active.of(activeSet{method, who.Scheme})
	s.active.Add(r.Context(), 1)

	ctx, links := t.receive(r)
	if ctx != r.Context() { // there is a caller
		s.exchange.members = tracecontext.Members(ctx)
	}
	s.Context, s.span = s.exchange.of.startServer(ctx, s.exchange.start, s.exchange.spanName(method), links)
	s.response = countedResponse{ResponseWriter: w, of: s}
	s.request = *r.WithContext(s)
	if r.ContentLength != 0 {
		s.body = countedRequest{Reader: r.Body}
		s.request.Body = &s.body
	}
	return s
}

// logPanic is for whoever has recovered one, with its stack still there.
func (t *Telemetry) logPanic(ctx context.Context, panicked any) {
	t.Log.ErrorContext(ctx, "panic while handling a request", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
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

// served is one request, and what is known of it in the end. It is the request's
// context, which the exchange is found in.
type served struct {
	context.Context // with the span
	request         http.Request

	telemetry *Telemetry
	span      trace.Span
	active    *series.Sum
	recorded  recent[serverSet, serverSeries]
	body      countedRequest // unless the request has none
	response  countedResponse
	exchange  exchange

	target  target
	caller  caller
	secured secured
	cold    coldStart
	answer  answer
	grpc    grpcStatus
	reason  samplingReason
	outcome outcome
}

// Value implements [context.Context].
func (s *served) Value(key any) any {
	if key == (exchangeKey{}) {
		return &s.exchange
	}
	return s.Context.Value(key)
}

// end records the request.
func (s *served) end(aborted bool) {
	t := s.telemetry
	s.answer.received = s.body.n.Load()
	if s.exchange.standsFor != 0 || s.exchange.failure == nil && !aborted { // it is complete
		s.grpc = grpcStatusOf(handler.GRPCAnswerOf(&s.request, s.response.status, s.response.Header()), nil, s.response.n > 0)
	}
	s.outcome = outcomeOf(&s.exchange, &s.response, s.grpc, aborted)
	s.answer.status, s.answer.sent = s.outcome.status, s.response.n
	if switches(s.target.method, s.answer.status) {
		s.answer.received, s.answer.sent = 0, 0 // over HTTP/2 bytes of the other protocol come as if they were content
	}
	s.answer.took, s.answer.firstByte = time.Since(s.exchange.start), s.response.firstByte
	s.endSpan()
	s.recordEnd()
	if t.access != nil {
		s.writeLine(t.access.Line(s.exchange.start, s.outcome.level()))
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
	tell(s.span, s)
	endSpan(s.span, s.exchange.start.Add(s.answer.took))
}
