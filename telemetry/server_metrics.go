package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
)

// serverMetrics are those of whole requests, whichever route they come to.
type serverMetrics struct {
	duration     metric.Float64Histogram
	active       metric.Int64UpDownCounter
	requestSize  metric.Int64Histogram
	responseSize metric.Int64Histogram
	firstByte    metric.Float64Histogram

	sets       setCache[serverSet]
	activeSets setCache[activeSet]
}

func newServerMetrics(m *meter) *serverMetrics {
	return &serverMetrics{
		duration:     convention(m, httpconv.NewServerRequestDuration).Inst(),
		active:       convention(m, httpconv.NewServerActiveRequests).Inst(),
		requestSize:  convention(m, httpconv.NewServerRequestBodySize).Inst(),
		responseSize: convention(m, httpconv.NewServerResponseBodySize).Inst(),
		firstByte:    m.histogram(timeToFirstByteName),
		sets:         newSets(m, serverSet.attributes),
		activeSets:   newSets(m, activeSet.attributes),
	}
}

// began records how long an answer took to begin.
func (m *serverMetrics) began(ctx context.Context, series serverSet, firstByte time.Duration) {
	m.firstByte.Record(ctx, firstByte.Seconds(), m.sets.get(series).record...)
}

// ended records a request.
func (m *serverMetrics) ended(ctx context.Context, series serverSet, a *answer) {
	set := m.sets.get(series)
	m.duration.Record(ctx, requestDuration(series.method, a.status, a.firstByte, a.took).Seconds(), set.record...)
	m.requestSize.Record(ctx, a.received, set.record...)
	m.responseSize.Record(ctx, a.sent, set.record...)
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
	route                   route
}

// series returns that of s, by what it has come to.
func (s *served) series(status int, errorType string) serverSet {
	return serverSet{s.target.method, s.target.scheme, s.target.version, status, errorType, s.grpc, s.exchange.route}
}

func (s serverSet) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.method), semconv.URLScheme(s.scheme),
		semconv.NetworkProtocolVersion(s.version), semconv.HTTPResponseStatusCode(s.status),
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return s.route.span(s.grpc.span(attrs))
}
