package export

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/console"
	"spangate/telemetry/export/otlp"
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

func recordSinks(exporters Exporters, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) []sink[recordBatch] {
	var sinks []sink[recordBatch]
	if exporters.has("console") {
		sinks = append(sinks, printing(stdout, func(batch recordBatch) []byte {
			return console.Records(messages(otlp.Records(batch)), coloured)
		}))
	}
	if exporters.has("console_json") {
		written := otlp.NewResource(res)
		sinks = append(sinks, printing(stdout, func(batch recordBatch) []byte {
			return console.LogsJSON(written.Request(otlp.Records(batch)))
		}))
	}
	if exporters.has("otlp") {
		s := newSender(d, res)
		sinks = append(sinks, func(ctx context.Context, batch recordBatch) error {
			return s.send(ctx, otlp.Records(batch))
		})
	}
	return sinks
}
