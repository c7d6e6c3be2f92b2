package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"spangate/telemetry/export/series"
)

// serverMetrics are those of whole requests.
type serverMetrics struct {
	active *bound[activeSet, series.Sum]
	ended  *bound[serverSet, serverSeries]
}

// serverSeries are what a request is recorded with.
type serverSeries struct {
	duration, firstByte       *series.Distribution[time.Duration]
	requestSize, responseSize *series.Distribution[int64]
}

func newServerMetrics(m *meter) *serverMetrics {
	active := m.upDownCounter(httpconv.ServerActiveRequests{}.Name())
	duration, firstByte := m.durations(httpconv.ServerRequestDuration{}.Name()), m.durations(timeToFirstByteName)
	requestSize, responseSize := m.histogram(httpconv.ServerRequestBodySize{}.Name()), m.histogram(httpconv.ServerResponseBodySize{}.Name())
	return &serverMetrics{
		active: bind(m, func(s activeSet) *series.Sum { return active.Of(m.with(s.attributes()...)...) }),
		ended: bind(m, func(s serverSet) *serverSeries {
			attributes := m.with(s.attributes()...)
			return &serverSeries{
				duration: duration.Of(attributes...), firstByte: firstByte.Of(attributes...),
				requestSize: requestSize.Of(attributes...), responseSize: responseSize.Of(attributes...),
			}
		}),
	}
}

// recordBegin records how long the answer took to begin.
func (s *served) recordBegin(status int, firstByte time.Duration) {
	s.series(status, "").firstByte.Record(s, firstByte)
}

// recordEnd records the request.
func (s *served) recordEnd() {
	a, of := &s.answer, s.series(s.outcome.status, s.outcome.spanError)
	of.duration.Record(s, requestDuration(s.target.method, a.status, a.firstByte, a.took))
	of.requestSize.Record(s, a.received)
	of.responseSize.Record(s, a.sent)
	s.active.Add(s, -1)
}

type activeSet struct{ method, scheme string }

func (s activeSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(s.method), semconv.URLScheme(s.scheme)}
}

type serverSet struct {
	method, scheme, version string
	status                  int
	errorType               string
	grpc                    grpcStatus
	rpc                     rpcMethod
	path                    string // of the route's pattern
}

// series returns those of s, by what it has come to.
func (s *served) series(status int, errorType string) *serverSeries {
	return s.recorded.of(s.exchange.of.metrics().server.ended, serverSet{s.target.method, s.target.scheme, s.target.version, status, errorType, s.grpc, s.telemetry.cfg.GRPCMethods.of(s.target.request), s.exchange.route.path})
}

func (s serverSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.method), semconv.URLScheme(s.scheme),
		semconv.NetworkProtocolVersion(s.version), semconv.HTTPResponseStatusCode(s.status),
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	told := list{attrs}
	s.grpc.span(&told)
	s.rpc.span(&told)
	if s.path != "" {
		told.String(semconv.HTTPRouteKey, s.path)
	}
	return told.attributes
}
