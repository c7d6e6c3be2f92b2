package telemetry_test

import (
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"

	"spangate/telemetry/export/series"
)

// metering returns what metrics are recorded with, and what collects them.
func metering() (*series.Provider, *sdkmetric.ManualReader) {
	meter := unread()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(
		meter.Producer(sdkmetric.DefaultTemporalitySelector, sdkmetric.DefaultAggregationSelector)))
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)) // as one that no provider has does not collect
	return meter, reader
}

// unread returns what metrics are recorded with as in the program, of which nobody
// collects any.
func unread() *series.Provider {
	return series.New(series.Config{Exemplars: exemplar.TraceBasedFilter, Limit: 2000})
}
