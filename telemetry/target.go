package telemetry

import (
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
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

func (t *target) line(attrs []slog.Attr) []slog.Attr {
	r := t.request
	attrs = append(attrs,
		slog.String("method", r.Method),
		slog.String("host", t.host),
		slog.String("path", r.URL.EscapedPath()),
	)
	if r.URL.RawQuery != "" {
		attrs = append(attrs, slog.String("query", redactQuery(r.URL.RawQuery)))
	}
	return append(attrs, slog.String("protocol", r.Proto))
}
