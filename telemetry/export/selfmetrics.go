package export

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/contract"
	"spangate/telemetry/export/tracer"
)

// selfMetrics reports how telemetry itself does: what became of the spans, in
// one metric of ours, and the conventions' metrics of an SDK. All of it is read
// when metrics are collected: to end a span costs nothing more for it.
//
// The SDK's own self-observability is not it: it knows neither this batcher nor
// what is left at a shutdown's deadline, and reports to a process-wide provider.
func (p *Pipelines) selfMetrics(meters *sdkmetric.MeterProvider) error {
	m := selfMeter{Meter: meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))}
	if p.spans != nil {
		m.countSpans(p.spans.account)
		m.countStarted(p.tracer.Counts)
		m.processor("span", p.spans.account)
		m.exporter("span", "span", p.traces, p.spans.account, p.operations["traces"])
	}
	if p.records != nil {
		m.countRecords(p.records.account)
		m.processor("log", p.records.account)
		m.exporter("log", "log", p.logs, p.records.account, p.operations["logs"])
	}
	if p.points != nil {
		m.exporter("metric", "metric_data_point", p.metrics, p.points.account, p.operations["metrics"])
	}
	for i, periodic := range p.periodics {
		m.times(periodic.collected, "otel.sdk.metric_reader.collection.duration", component("periodic_metric_reader", i))
	}
	if p.Scrapes != nil {
		m.times(p.scrapes, "otel.sdk.metric_reader.collection.duration", component("prometheus_http_text_metric_exporter", 0))
	}
	return m.err
}

// selfMeter makes the instruments, which the contract describes, and keeps what went
// wrong.
type selfMeter struct {
	metric.Meter
	err error
}

func (m *selfMeter) wrong(err error) { m.err = errors.Join(m.err, err) }

func (m *selfMeter) counter(name string) metric.Int64ObservableCounter {
	row := contract.MetricOf(name)
	c, err := m.Int64ObservableCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning))
	m.wrong(err)
	return c
}

func (m *selfMeter) level(name string) metric.Int64ObservableUpDownCounter {
	row := contract.MetricOf(name)
	c, err := m.Int64ObservableUpDownCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning))
	m.wrong(err)
	return c
}

// observed has read called at each collection.
func (m *selfMeter) observed(read func(metric.Observer), instruments ...metric.Observable) {
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		read(o)
		return nil
	}, instruments...)
	m.wrong(err)
}

// times has t told in a metric.
func (m *selfMeter) times(t *timing, name string, component []attribute.KeyValue) {
	m.wrong(t.make(m.Meter, name, component))
}

func (m *selfMeter) countSpans(read func() account) {
	ended := m.counter("spangate.telemetry.spans")
	m.observed(func(o metric.Observer) {
		for outcome, n := range read().counts {
			o.ObserveInt64(ended, n, withCause(outcome.cause, attribute.String("spangate.telemetry.result", outcome.result)))
		}
	}, ended)
}

var (
	origins = [...]attribute.KeyValue{
		tracer.NoParent: semconv.OTelSpanParentOriginNone, tracer.LocalParent: semconv.OTelSpanParentOriginLocal, tracer.RemoteParent: semconv.OTelSpanParentOriginRemote,
	}
	decisions = [...]attribute.KeyValue{
		sdktrace.Drop: semconv.OTelSpanSamplingResultDrop, sdktrace.RecordOnly: semconv.OTelSpanSamplingResultRecordOnly, sdktrace.RecordAndSample: semconv.OTelSpanSamplingResultRecordAndSample,
	}
)

func (m *selfMeter) countStarted(read func() tracer.Counts) {
	started, live := m.counter("otel.sdk.span.started"), m.level("otel.sdk.span.live")
	m.observed(func(o metric.Observer) {
		counts := read()
		for decision, result := range decisions {
			total := int64(0)
			for origin, parent := range origins {
				if n := counts.Started[origin][decision]; n > 0 {
					o.ObserveInt64(started, n, metric.WithAttributes(parent, result))
					total += n
				}
			}
			if total > 0 && result != semconv.OTelSpanSamplingResultDrop {
				o.ObserveInt64(live, counts.Live[decision], metric.WithAttributes(result))
			}
		}
	}, started, live)
}

func (m *selfMeter) countRecords(read func() account) {
	created := m.counter("otel.sdk.log.created")
	m.observed(func(o metric.Observer) {
		a := read()
		exported, failed, dropped := a.sum()
		o.ObserveInt64(created, int64(a.queued+a.taken)+exported+failed+dropped)
	}, created)
}

// processor reports the queue of one signal. By the conventions an item counts as
// processed once it is with the exporter.
func (m *selfMeter) processor(signal string, read func() account) {
	name := "otel.sdk.processor." + signal
	processed, size, capacity := m.counter(name+".processed"), m.level(name+".queue.size"), m.level(name+".queue.capacity")
	batching := component("batching_"+signal+"_processor", 0)
	m.observed(func(o metric.Observer) {
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
		}
		o.ObserveInt64(processed, handedOver, metric.WithAttributes(batching...))
	}, processed, size, capacity)
}

// exporter reports the exports of one signal to its collector, if it has one.
func (m *selfMeter) exporter(signal, items string, to target, read func() account, operations *timing) {
	if to.url == "" {
		return
	}
	name, sending := "otel.sdk.exporter."+items, exporterOf(signal, to)
	exports, inFlight := m.counter(name+".exported"), m.level(name+".inflight")
	m.observed(func(o metric.Observer) {
		a := read()
		for outcome, n := range a.counts {
			if outcome.result != "dropped" {
				o.ObserveInt64(exports, n, withCause(outcome.cause, sending...))
			}
		}
		o.ObserveInt64(inFlight, int64(a.taken), metric.WithAttributes(sending...))
	}, exports, inFlight)
	m.times(operations, "otel.sdk.exporter.operation.duration", sending)
}

func withCause(cause string, attributes ...attribute.KeyValue) metric.MeasurementOption {
	if cause != "" {
		attributes = append(attributes[:len(attributes):len(attributes)], semconv.ErrorTypeKey.String(cause))
	}
	return metric.WithAttributes(attributes...)
}

// component names one of its kind.
func component(kind string, number int) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.OTelComponentTypeKey.String(kind), semconv.OTelComponentName(kind + "/" + strconv.Itoa(number))}
}

func exporterOf(signal string, to target) []attribute.KeyValue {
	transport := map[protocol]string{"http/protobuf": "http", "grpc": "grpc"}[to.protocol]
	attributes := component("otlp_"+transport+"_"+signal+"_exporter", 0)
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
