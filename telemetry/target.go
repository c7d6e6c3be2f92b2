package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

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

func (t *target) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	r := t.request
	attrs = appendMethod(attrs, r.Method, t.method, t.longest)
	attrs = append(attrs,
		semconv.URLScheme(t.scheme),
		semconv.URLPath(t.longest.text(r.URL.EscapedPath())),
		semconv.NetworkProtocolVersion(t.version),
	)
	if r.URL.RawQuery != "" {
		attrs = append(attrs, semconv.URLQuery(t.longest.text(redactQuery(r.URL.RawQuery))))
	}
	if host, port := splitHost(t.host, t.scheme); host != "" {
		attrs = append(attrs, semconv.ServerAddress(t.longest.text(host)), semconv.ServerPort(port))
	}
	return attrs
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
