package export

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

type recordBatch = []sdklog.Record

// recordProcessor hands every log record to the batcher.
type recordProcessor struct{ *batcher[sdklog.Record] }

func (recordProcessor) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (p recordProcessor) OnEmit(_ context.Context, r *sdklog.Record) error {
	record := r.Clone()
	nameEvent(&record)
	p.add(record)
	return nil
}

// nameEvent makes the attribute event.name the record's event name: slog has no
// other place for it.
func nameEvent(r *sdklog.Record) {
	var event string
	rest := make([]attribute.KeyValue, 0, r.AttributesLen())
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		if kv.Key == "event.name" && kv.Value.Type() == attribute.STRING {
			event = kv.Value.AsString()
		} else {
			rest = append(rest, kv)
		}
		return true
	})
	if event != "" {
		r.SetEventName(event)
		r.SetAttributes(rest...)
	}
}

func (p recordProcessor) ForceFlush(ctx context.Context) error { return p.drain(ctx) }

// Shutdown leaves the batcher to Pipelines.Shutdown, which knows the order.
func (p recordProcessor) Shutdown(context.Context) error { return nil }

func recordSinks(ctx context.Context, exporters Exporters, d delivery, stdout io.Writer) ([]sink[recordBatch], error) {
	var sinks []sink[recordBatch]
	var errs []error
	if exporters.has("console") {
		e, err := stdoutlog.New(stdoutlog.WithWriter(visible{stdout}))
		errs = append(errs, err)
		sinks = append(sinks, sink[recordBatch]{export: e.Export, shutdown: e.Shutdown})
	}
	if exporters.has("otlp") {
		e, err := recordClient(ctx, d.target)
		errs = append(errs, err)
		sinks = append(sinks, sink[recordBatch]{export: e.Export, shutdown: e.Shutdown}.through(d))
	}
	return sinks, errors.Join(errs...)
}

func recordClient(ctx context.Context, t target) (*otlploghttp.Exporter, error) {
	compression := otlploghttp.NoCompression
	if t.gzip {
		compression = otlploghttp.GzipCompression
	}
	return otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(t.url),
		otlploghttp.WithHTTPClient(t.client()),
		otlploghttp.WithTLSClientConfig(t.tls),
		otlploghttp.WithHeaders(t.headers),
		otlploghttp.WithTimeout(t.timeout),
		otlploghttp.WithCompression(compression),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{}),
	)
}
