package export

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

type spanBatch = []sdktrace.ReadOnlySpan

func spanSinks(ctx context.Context, exporters Exporters, d delivery, stdout io.Writer) ([]sink[spanBatch], error) {
	var sinks []sink[spanBatch]
	var errs []error
	if exporters.has("console") {
		e, err := stdouttrace.New(stdouttrace.WithWriter(stdout))
		errs = append(errs, err)
		sinks = append(sinks, sink[spanBatch]{export: e.ExportSpans, shutdown: e.Shutdown})
	}
	if exporters.has("otlp") {
		e, err := otlptrace.New(ctx, traceClient(d.target))
		errs = append(errs, err)
		sinks = append(sinks, sink[spanBatch]{export: e.ExportSpans, shutdown: e.Shutdown}.through(d))
	}
	return sinks, errors.Join(errs...)
}

func traceClient(t target) otlptrace.Client {
	compression := otlptracehttp.NoCompression
	if t.gzip {
		compression = otlptracehttp.GzipCompression
	}
	return otlptracehttp.NewClient(
		otlptracehttp.WithEndpointURL(t.url),
		otlptracehttp.WithHTTPClient(t.client()),
		otlptracehttp.WithTLSClientConfig(t.tls),
		otlptracehttp.WithHeaders(t.headers),
		otlptracehttp.WithTimeout(t.timeout),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}),
	)
}
