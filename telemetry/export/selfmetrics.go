package export

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/contract"
)

// selfMetrics reports how telemetry itself does: what became of the spans, in
// one metric of ours, and the conventions' metrics of an SDK. All of it is read
// when metrics are collected: to end a span costs nothing more for it.
//
// The SDK's own self-observability is not it: it knows neither this batcher nor
// what is left at a shutdown's deadline, and reports to a process-wide provider.
func (p *Pipelines) selfMetrics(meters *sdkmetric.MeterProvider) error {
	meter := meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	var errs []error
	if p.spans != nil {
		errs = append(errs, countSpans(meter, p.spans.account), observePipeline(meter, "span", p.traces, p.spans.account))
	}
	if p.records != nil {
		errs = append(errs, observePipeline(meter, "log", p.logs, p.records.account))
	}
	return errors.Join(errs...)
}

func countSpans(meter metric.Meter, spans func() account) error {
	row := contract.MetricOf("spangate.telemetry.spans")
	_, err := meter.Int64ObservableCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for outcome, n := range spans().counts {
				o.Observe(n, withCause(outcome.cause, attribute.String("spangate.telemetry.result", outcome.result)))
			}
			return nil
		}))
	return err
}

// observePipeline reports the queue of one signal, and the exports to its
// collector if it has one. By the conventions an item counts as processed once
// it is with the exporter.
func observePipeline(meter metric.Meter, signal string, to target, read func() account) error {
	var errs []error
	counter := func(name string) metric.Int64ObservableCounter {
		row := contract.MetricOf(name)
		c, err := meter.Int64ObservableCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning))
		errs = append(errs, err)
		return c
	}
	level := func(name string) metric.Int64ObservableUpDownCounter {
		row := contract.MetricOf(name)
		c, err := meter.Int64ObservableUpDownCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning))
		errs = append(errs, err)
		return c
	}
	processor, exporter := "otel.sdk.processor."+signal, "otel.sdk.exporter."+signal
	processed, size, capacity := counter(processor+".processed"), level(processor+".queue.size"), level(processor+".queue.capacity")
	exports, inFlight := counter(exporter+".exported"), level(exporter+".inflight")
	if err := errors.Join(errs...); err != nil {
		return err
	}

	batching, sending := component("batching_"+signal+"_processor"), exporterOf(signal, to)
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		a := read()
		o.ObserveInt64(size, int64(a.queued), metric.WithAttributes(batching...))
		o.ObserveInt64(capacity, int64(a.capacity), metric.WithAttributes(batching...))
		handedOver := int64(a.taken)
		for outcome, n := range a.counts {
			if outcome.result == "dropped" {
				o.ObserveInt64(processed, n, withCause(outcome.cause, batching...))
				continue
			}
			handedOver += n
			if to.url != "" {
				o.ObserveInt64(exports, n, withCause(outcome.cause, sending...))
			}
		}
		o.ObserveInt64(processed, handedOver, metric.WithAttributes(batching...))
		if to.url != "" {
			o.ObserveInt64(inFlight, int64(a.taken), metric.WithAttributes(sending...))
		}
		return nil
	}, processed, size, capacity, exports, inFlight)
	return err
}

func withCause(cause string, attributes ...attribute.KeyValue) metric.MeasurementOption {
	if cause != "" {
		attributes = append(attributes[:len(attributes):len(attributes)], semconv.ErrorTypeKey.String(cause))
	}
	return metric.WithAttributes(attributes...)
}

// component names the only one of its kind.
func component(kind string) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.OTelComponentTypeKey.String(kind), semconv.OTelComponentName(kind + "/0")}
}

func exporterOf(signal string, to target) []attribute.KeyValue {
	transport := map[protocol]string{"http/protobuf": "http", "grpc": "grpc"}[to.protocol]
	attributes := component("otlp_" + transport + "_" + signal + "_exporter")
	u, err := url.Parse(to.url)
	if err != nil || to.url == "" {
		return attributes
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, semconv.ServerPort(n))
	}
	return append(attributes, semconv.ServerAddress(host))
}
