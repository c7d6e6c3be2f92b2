package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"spangate/telemetry/export/series"
)

// attemptMetrics are those of attempts.
type attemptMetrics struct {
	active              *series.Counter
	duration, firstByte *series.Histogram[time.Duration]
}

// clientSeries are what an attempt is recorded with.
type clientSeries struct {
	duration, firstByte *series.Distribution[time.Duration]
}

func newAttemptMetrics(m *meter) attemptMetrics {
	return attemptMetrics{
		active:    m.upDownCounter(httpconv.ClientActiveRequests{}.Name()),
		duration:  m.durations(httpconv.ClientRequestDuration{}.Name()),
		firstByte: m.durations(attemptTimeToFirstByteName),
	}
}

// attemptSeries are those of one route's attempts at one backend.
type attemptSeries struct {
	active *bound[string, series.Sum] // by method
	ended  *bound[clientSet, clientSeries]
}

// of returns the series of attempts at the backend of c.
func (a *attemptMetrics) of(m *meter, c *client) *attemptSeries {
	return &attemptSeries{
		active: bind(m, func(method string) *series.Sum { return a.active.Of(m.with(c.attributes(method)...)...) }),
		ended: bind(m, func(s clientSet) *clientSeries {
			attributes := m.with(append(c.attributes(s.method), s.attributes()...)...)
			return &clientSeries{duration: a.duration.Of(attributes...), firstByte: a.firstByte.Of(attributes...)}
		}),
	}
}

// attributes returns those of all series of a method.
func (c *client) attributes(method string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method),
		semconv.ServerAddress(c.address), semconv.ServerPort(c.port),
	}
}

// into returns the series that a is recorded in, by what it has come to.
func (a *attempt) into() *clientSeries {
	return a.recorded.of(a.series.ended, clientSet{a.method, a.version, a.status, a.errorType})
}

// clientSet is what attempts at a backend have come to.
type clientSet struct {
	method, version string
	status          int
	errorType       string
}

// attributes returns those that it adds to the method's.
func (s clientSet) attributes() (attrs []attribute.KeyValue) {
	if s.status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(s.status), semconv.NetworkProtocolVersion(s.version))
	}
	if s.errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(s.errorType))
	}
	return attrs
}
