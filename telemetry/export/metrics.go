package export

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/series"
)

type metricBatch = *metricdata.ResourceMetrics

// metricExporter is a sink in the shape that the SDK's periodic reader takes.
type metricExporter struct {
	sink sink[metricBatch]
	sdkmetric.TemporalitySelector
	sdkmetric.AggregationSelector
}

func (e metricExporter) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return e.TemporalitySelector(k)
}

func (e metricExporter) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return e.AggregationSelector(k)
}

// Export marks its errors as told already: the reader has nobody to hand them
// to but the process-wide error handler.
func (e metricExporter) Export(ctx context.Context, batch metricBatch) error {
	if err := e.sink(ctx, batch); err != nil {
		return told{err}
	}
	return nil
}

func (e metricExporter) ForceFlush(context.Context) error { return nil }
func (e metricExporter) Shutdown(context.Context) error   { return nil }

func (c Config) metricReaders(recorded *series.Provider, res *resource.Resource, d delivery, stdout io.Writer) ([]sdkmetric.Option, error) {
	var sinks []sink[metricBatch] // all, before a reader is made, which runs
	if c.MetricsExporter.has("console") {
		e, err := stdoutmetric.New(stdoutmetric.WithWriter(visible{stdout}))
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, e.Export)
	}
	if c.MetricsExporter.has("otlp") {
		sinks = append(sinks, sendMetrics(newSender(d, res)))
	}
	var options []sdkmetric.Option
	for _, s := range sinks {
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(
			metricExporter{s, c.temporality(), c.aggregation()},
			sdkmetric.WithProducer(recorded.Producer(c.temporality(), c.aggregation())),
			sdkmetric.WithInterval(c.MetricInterval.or(defaultMetricInterval)),
			sdkmetric.WithTimeout(c.MetricTimeout.or(defaultMetricTimeout)))))
	}
	return options, nil
}

// Scraped reports whether metrics are for those who come for them, whoever else gets
// them.
func (c *Config) Scraped() bool {
	return c.Disabled != "true" && c.MetricsExporter.has("prometheus")
}

// sendMetrics returns an export of metrics by a sender. Those that OTLP has no word for
// are logged, and cost the others nothing.
func sendMetrics(s *sender) sink[metricBatch] {
	return func(ctx context.Context, batch metricBatch) error {
		items, err := otlp.Metrics(batch.ScopeMetrics)
		if err != nil {
			s.delivery.outage.log.Error("telemetry", "error", err.Error())
		}
		return s.send(ctx, items)
	}
}

func (c Config) temporality() sdkmetric.TemporalitySelector {
	switch c.Temporality {
	case "delta":
		return sdkmetric.DeltaTemporalitySelector
	case "lowmemory":
		return sdkmetric.LowMemoryTemporalitySelector
	}
	return sdkmetric.CumulativeTemporalitySelector
}

func (c Config) aggregation() sdkmetric.AggregationSelector {
	if c.Histograms != "base2_exponential_bucket_histogram" {
		return sdkmetric.DefaultAggregationSelector
	}
	return func(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
		if k == sdkmetric.InstrumentKindHistogram {
			return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}
		}
		return sdkmetric.DefaultAggregationSelector(k)
	}
}

func (c Config) exemplars() exemplar.Filter {
	switch c.Exemplars {
	case "always_on":
		return exemplar.AlwaysOnFilter
	case "always_off":
		return exemplar.AlwaysOffFilter
	}
	return exemplar.TraceBasedFilter
}
