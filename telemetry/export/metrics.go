package export

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/otlp"
)

// newPeriodics returns what exports metrics by itself: the console, and to a collector if
// there is one, which comes last. They are yet to be started.
func (p *Pipelines) newPeriodics(c Config, res *resource.Resource, d delivery, stdout io.Writer) ([]*periodic, error) {
	var sinks []sink[metricBatch]
	if c.MetricsExporter.has("console") {
		e, err := stdoutmetric.New(stdoutmetric.WithWriter(visible{stdout}))
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, e.Export)
	}
	if c.MetricsExporter.has("otlp") {
		p.points = &points{counts: map[outcome]int64{exported: 0}}
		sinks = append(sinks, p.points.counted(sendMetrics(newSender(d, res))))
	}
	var all []*periodic
	for _, s := range sinks {
		all = append(all, &periodic{
			reader: sdkmetric.NewManualReader(
				sdkmetric.WithTemporalitySelector(c.temporality()), sdkmetric.WithAggregationSelector(c.aggregation()),
				sdkmetric.WithProducer(p.Meter.Producer(c.temporality(), c.aggregation()))),
			sink:      s,
			interval:  c.MetricInterval.or(defaultMetricInterval),
			timeout:   c.MetricTimeout.or(defaultMetricTimeout),
			collected: &timing{},
		})
	}
	return all, nil
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
