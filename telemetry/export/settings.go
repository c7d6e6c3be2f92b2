package export

import (
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"spangate/handler/config"
)

// settings are what a configuration comes to once its variables are seen
// together and its files are read.
type settings struct {
	propagator            propagation.TextMapPropagator
	sampler               sdktrace.Sampler
	spans, records        bounds
	traces, metrics, logs target // zero for a signal that has no collector
}

// How long spans and log records wait for their batch to fill by default.
const spanDelay, recordDelay = 5 * time.Second, time.Second

// Check returns what is wrong with cfg: all that [New] would refuse.
func (c *Config) Check() error {
	_, err := c.settings()
	return err
}

// settings starts nothing. Of a configuration that is disabled it looks at what
// is needed even so.
func (c *Config) settings() (settings, error) {
	var f faults
	s := settings{propagator: c.propagator(&f)}
	if c.Disabled == "true" {
		return s, f.err()
	}
	s.sampler = c.sampler(&f, Requests{})
	s.spans = c.SpanBatch.bounds(&f, spanDelay, c.TracesExporter)
	s.records = c.RecordBatch.bounds(&f, recordDelay, c.LogsExporter)
	for _, exporters := range []*Exporters{&c.TracesExporter, &c.LogsExporter} {
		if exporters.has("prometheus") {
			f.add(config.Wrong(exporters, "prometheus is for metrics"))
		}
	}
	collector := func(exporters Exporters, signal string, own *OTLP) target {
		if !exporters.has("otlp") {
			return target{signal: signal}
		}
		return resolve(&f, signal, &c.OTLP, own)
	}
	s.traces = collector(c.TracesExporter, "traces", &c.OTLPTraces)
	s.metrics = collector(c.MetricsExporter, "metrics", &c.OTLPMetrics)
	s.logs = collector(c.LogsExporter, "logs", &c.OTLPLogs)
	return s, f.err()
}
