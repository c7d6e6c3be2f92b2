package export

import (
	"context"
	"io"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/console"
	"spangate/telemetry/export/otlp"
)

// newPeriodics returns what exports metrics by itself: to the console, and to a collector
// if there is one, which comes last. They are yet to be started.
func (p *Pipelines) newPeriodics(c Config, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) (all []*periodic) {
	add := func(interval time.Duration, to sink[metricBatch]) {
		all = append(all, &periodic{
			reader: sdkmetric.NewManualReader(
				sdkmetric.WithTemporalitySelector(c.temporality()), sdkmetric.WithAggregationSelector(c.aggregation()),
				sdkmetric.WithProducer(p.Meter.Producer(c.temporality(), c.aggregation()))),
			sink:      to,
			interval:  c.MetricInterval.or(interval),
			timeout:   c.MetricTimeout.or(defaultMetricTimeout),
			collected: &timing{},
		})
	}
	if c.MetricsExporter.has("console") {
		add(consoleMetricInterval, printing(stdout, func(batch metricBatch) []byte {
			return console.Metrics(messages(p.items(batch)), coloured)
		}))
	}
	if c.MetricsExporter.has("console_json") {
		written := otlp.NewResource(res)
		add(consoleMetricInterval, printing(stdout, func(batch metricBatch) []byte {
			return console.MetricsJSON(written.Request(p.items(batch)))
		}))
	}
	if c.MetricsExporter.has("otlp") {
		p.points = &points{counts: map[outcome]int64{exported: 0}}
		s := newSender(d, res)
		add(defaultMetricInterval, p.points.counted(func(ctx context.Context, batch metricBatch) error {
			return s.send(ctx, p.items(batch))
		}))
	}
	return all
}

// items returns metrics as they are exported. Those that OTLP has no word for are
// logged, and cost the others nothing.
func (p *Pipelines) items(batch metricBatch) []otlp.Item {
	items, err := otlp.Metrics(batch.ScopeMetrics)
	if err != nil {
		p.log.Error("telemetry", "error", err.Error())
	}
	return items
}

// Scraped reports whether metrics are for those who come for them, whoever else gets
// them.
func (c *Config) Scraped() bool {
	return c.Disabled != "true" && c.MetricsExporter.has("prometheus")
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
