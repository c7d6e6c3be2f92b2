// Package export answers where telemetry goes: it turns the OTEL_* variables
// into providers of tracers and meters and a handler of log records, and
// delivers what they record.
//
// It alone imports the OpenTelemetry SDK and its exporters. No request ever
// waits for it: what is recorded is queued up to a bound, what comes on top is
// dropped, and each span ends up counted as exported, failed or dropped in the
// counter spangate.telemetry.spans.
package export

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/handler/config"
)

const (
	scope = "spangate/telemetry/export"

	defaultMetricInterval = time.Minute
	defaultMetricTimeout  = 30 * time.Second

	// maxSeries bounds those of one instrument. What comes on top is added up in
	// one of its own, which has the attribute otel.metric.overflow.
	maxSeries = 2000
)

// SDK is what the decorators record with. Its fields are not nil, except where
// they say so, and are not to be changed.
type SDK struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator

	// LongestText is the longest value of a span's attribute, in characters.
	LongestText int

	// LogHandler hands records of every level to the logs exporters, with the
	// trace and span of their context; the attribute event.name becomes the
	// record's event name. It is nil when there is no logs exporter.
	LogHandler slog.Handler

	log     *slog.Logger
	leaving chan struct{}
	once    sync.Once
	err     error

	spans   *batcher[sdktrace.ReadOnlySpan] // nil when no traces are exported
	records *batcher[sdklog.Record]         // nil when no logs are exported
	meters  *sdkmetric.MeterProvider        // nil when no metrics are exported
	outage  *outage

	traces, logs, metrics target // without a URL for a signal that has no collector
	exporters             struct{ traces, logs, metrics Exporters }

	spanSinks   []sink[spanBatch]
	recordSinks []sink[recordBatch]
}

// New starts what cfg asks for, unless [Config.Check] finds fault with it. It
// uses no network; the first export does.
//
// What goes wrong later is logged to log, which must not lead to LogHandler:
// at most one line a minute while telemetry cannot be delivered. The console
// exporters write to stdout, whole documents and several at once; a write that
// waits for a reader holds up the other exporters and the shutdown. Shutdown
// must be called, even of an SDK that was made when ctx had ended.
func New(ctx context.Context, cfg Config, log *slog.Logger, stdout io.Writer) (*SDK, error) {
	set, err := cfg.settings()
	if err != nil {
		return nil, config.Named(&cfg, err)
	}
	s := &SDK{
		TracerProvider: tracenoop.NewTracerProvider(),
		MeterProvider:  metricnoop.NewMeterProvider(),
		Propagator:     set.propagator,
		log:            log,
		leaving:        make(chan struct{}),
	}
	if cfg.Disabled == "true" {
		return s, nil
	}

	// The exporters refuse to start in a context that has ended.
	ctx = context.WithoutCancel(ctx)
	res, err := cfg.resource(ctx)
	if err != nil {
		return nil, err
	}
	s.outage = &outage{log: log, lost: s.lost}
	s.traces, s.logs, s.metrics = set.traces, set.logs, set.metrics
	s.exporters.traces, s.exporters.logs, s.exporters.metrics = cfg.TracesExporter, cfg.LogsExporter, cfg.MetricsExporter
	to := func(t target) delivery { return delivery{target: t, leaving: s.leaving, outage: s.outage} }

	// The exporters read the process's environment before their options, and
	// complain of values that mean something else to them.
	otel.SetLogger(logr.Discard())
	err = errors.Join(
		s.startTraces(ctx, cfg, set.sampler, set.spans, res, to(set.traces), stdout),
		s.startLogs(ctx, cfg, set.records, res, to(set.logs), stdout),
		s.startMetrics(ctx, cfg, res, to(set.metrics), stdout))
	if err != nil {
		return nil, errors.Join(err, s.Shutdown(ctx))
	}
	listen(log, cfg.LogLevel)
	return s, nil
}

func (s *SDK) startTraces(ctx context.Context, cfg Config, sampler sdktrace.Sampler, b bounds, res *resource.Resource, d delivery, stdout io.Writer) error {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sampler),
		sdktrace.WithResource(res),
		sdktrace.WithRawSpanLimits(cfg.spanLimits()),
	}
	if len(cfg.TracesExporter) > 0 {
		sinks, err := spanSinks(ctx, cfg.TracesExporter, d, stdout)
		if err != nil {
			return err
		}
		s.spanSinks = sinks
		s.spans = newBatcher(b, repairing(repairSpans, all(s.spanSinks)))
		options = append(options, sdktrace.WithSpanProcessor(processor{s.spans}))
	}
	s.TracerProvider = sdktrace.NewTracerProvider(options...)
	s.LongestText = cfg.spanLimits().AttributeValueLengthLimit
	return nil
}

func (s *SDK) startLogs(ctx context.Context, cfg Config, b bounds, res *resource.Resource, d delivery, stdout io.Writer) error {
	if len(cfg.LogsExporter) == 0 {
		return nil
	}
	sinks, err := recordSinks(ctx, cfg.LogsExporter, d, stdout)
	if err != nil {
		return err
	}
	s.recordSinks = sinks
	s.records = newBatcher(b, repairing(repairRecords, all(s.recordSinks)))
	length, count := cfg.recordLimits()
	s.LogHandler = otelslog.NewHandler(name, otelslog.WithLoggerProvider(sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(recordProcessor{s.records}),
		sdklog.WithAttributeValueLengthLimit(length),
		sdklog.WithAttributeCountLimit(count))))
	return nil
}

func (s *SDK) startMetrics(ctx context.Context, cfg Config, res *resource.Resource, d delivery, stdout io.Writer) error {
	if len(cfg.MetricsExporter) == 0 {
		return nil
	}
	options, err := cfg.metricReaders(ctx, d, stdout)
	if err != nil {
		return err
	}
	options = append(options, sdkmetric.WithResource(res), sdkmetric.WithExemplarFilter(cfg.exemplars()),
		sdkmetric.WithCardinalityLimit(maxSeries))
	s.meters = sdkmetric.NewMeterProvider(options...)
	s.MeterProvider = s.meters
	return errors.Join(runtime.Start(runtime.WithMeterProvider(s.meters)), s.selfMetrics(s.meters))
}

func (s *SDK) lost() (l losses) {
	if s.spans != nil {
		l.spans = s.spans.lost()
	}
	if s.records != nil {
		l.records = s.records.lost()
	}
	return l
}
