package export

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/console"
	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/tracer"
)

type spanBatch = []tracer.Span

func (p *Pipelines) spanSinks(exporters Exporters, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) []sink[spanBatch] {
	var sinks []sink[spanBatch]
	if exporters.has("console") {
		p.trees = console.NewTrees(stdout, coloured)
		sinks = append(sinks, func(_ context.Context, batch spanBatch) error { return p.trees.Export(messages(batch)) })
	}
	if exporters.has("console_json") {
		written := otlp.NewResource(res)
		sinks = append(sinks, printing(stdout, func(batch spanBatch) []byte { return console.TracesJSON(written.Request(batch)) }))
	}
	if exporters.has("otlp") {
		sinks = append(sinks, newSender(d, res).send)
	}
	return sinks
}
