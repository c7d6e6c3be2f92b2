package telemetry

import (
	"net/http"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// target is what a request asks for.
type target struct {
	request         *http.Request
	method, version string // as the conventions write them
	scheme, host    string
	longest         textLimit
}

func (t *target) span(to attributes) {
	r := t.request
	tellMethod(to, r.Method, t.method, t.longest)
	to.String(semconv.URLSchemeKey, t.scheme)
	to.String(semconv.URLPathKey, t.longest.text(r.URL.EscapedPath()))
	to.String(semconv.NetworkProtocolVersionKey, t.version)
	if r.URL.RawQuery != "" {
		to.String(semconv.URLQueryKey, t.longest.text(redactQuery(r.URL.RawQuery)))
	}
	if host, port := splitHost(t.host, t.scheme); host != "" {
		to.String(semconv.ServerAddressKey, t.longest.text(host))
		to.Int(semconv.ServerPortKey, port)
	}
}

func (t *target) line(line *logline.Line) {
	r := t.request
	line.String("method", r.Method)
	line.String("host", t.host)
	line.String("path", r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		line.String("query", redactQuery(r.URL.RawQuery))
	}
	line.String("protocol", r.Proto)
}
