// Package export answers where telemetry goes: it turns the OTEL_* variables
// into providers of tracers and meters and a handler of log records, and
// delivers what they record.
//
// With what is below it, it alone imports the OpenTelemetry SDK and its
// exporters. No request ever waits for it: what is recorded is queued up to a
// bound, what comes on top is dropped, and each span ends up counted as exported,
// failed or dropped in the counter spangate.telemetry.spans.
package export

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/handler/config"
	"spangate/telemetry/export/console"
	"spangate/telemetry/export/exposition"
	"spangate/telemetry/export/series"
	"spangate/telemetry/export/tracer"
)

const (
	// scope stays what it was when this package had another name: whoever filters
	// by it would lose the series.
	scope = "spangate/telemetry/setup"

	defaultMetricInterval = time.Minute
	consoleMetricInterval = 10 * time.Second // as the specification wants it
	defaultMetricTimeout  = 30 * time.Second

	// maxSeries bounds those of one instrument, by route. What comes on top is added up
	// in one of its own, which has the attribute otel.metric.overflow.
	maxSeries = 2000
)

// Pipelines take what the providers record to where it is exported, one for each
// signal.
type Pipelines struct {
	Providers

	// Scrapes answers those who come for metrics, whatever path they ask for, while the
	// pipelines run. It is nil where [Config.Scraped] says that nobody is to.
	Scrapes http.Handler

	log     *slog.Logger
	leaving chan struct{}
	once    sync.Once
	err     error

	spans   *batcher[tracer.Span]    // nil when no traces are exported
	records *batcher[sdklog.Record]  // nil when no logs are exported
	meters  *sdkmetric.MeterProvider // nil when no metrics are exported
	tracer  *tracer.Provider         // nil when no traces are exported

	periodics []*periodic // the collector's comes last
	points    *points     // of metrics for a collector; nil: there is none

	operations map[string]*timing // of exports to a collector, by signal
	scrapes    *timing            // of collections for scrapes

	outage *outage
	trees  *console.Trees // nil when none are printed

	traces, logs, metrics target // without a URL for a signal that has no collector
	exporters             struct{ traces, logs, metrics Exporters }
}

// New starts what cfg asks for, unless [Config.Check] finds fault with it. It
// uses no network; the first export does.
//
// What goes wrong later is logged to log, which must not lead to Events: at most
// one line a minute while telemetry cannot be delivered. The console exporters
// write to stdout, whole lines and several at once, in which all is visible and no
// terminal is told anything but colours; a write that waits for a reader holds up the
// other exporters and the shutdown. What New has started
// Shutdown ends; it has ended what it started when it fails.
func New(cfg Config, process Process, log *slog.Logger, stdout io.Writer) (*Pipelines, error) {
	set, err := cfg.settings()
	if err != nil {
		return nil, config.Named(&cfg, err)
	}
	p := &Pipelines{
		Providers: Providers{
			Off:        cfg.Disabled == "true",
			Silent:     cfg.Disabled == "true" || len(cfg.TracesExporter) == 0,
			Tracer:     tracenoop.NewTracerProvider(),
			Propagator: set.propagator,
			Keep:       cfg.Keep.reason,
		},
		log:     log,
		leaving: make(chan struct{}),

		operations: map[string]*timing{"traces": {}, "metrics": {}, "logs": {}},
		scrapes:    &timing{},
	}
	if p.Off {
		return p, nil
	}
	ctx := context.Background()
	res, err := cfg.resource(ctx, process)
	if err != nil {
		return nil, err
	}
	p.outage = &outage{log: log, lost: p.lost}
	p.traces, p.logs, p.metrics = set.traces, set.logs, set.metrics
	p.exporters.traces, p.exporters.logs, p.exporters.metrics = cfg.TracesExporter, cfg.LogsExporter, cfg.MetricsExporter
	to := func(t target) delivery {
		return delivery{target: t, leaving: p.leaving, outage: p.outage, operations: p.operations[t.signal]}
	}

	// The SDK reads the process's environment before its options, and complains
	// of values that mean something else to it.
	otel.SetLogger(logr.Discard())
	p.startTraces(cfg, set, res, to(set.traces), stdout, process.Coloured)
	p.startLogs(cfg, set.records, res, to(set.logs), stdout, process.Coloured)
	if err := p.startMetrics(cfg, process, res, to(set.metrics), stdout); err != nil {
		return nil, errors.Join(err, p.Shutdown(ctx))
	}
	listen(log, cfg.LogLevel)
	return p, nil
}

func (p *Pipelines) startTraces(cfg Config, set settings, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) {
	config := tracer.Config{Sampler: set.sampler, Limits: cfg.spanLimits(), Whole: true}
	p.LongestText = config.Limits.AttributeValueLengthLimit
	if len(cfg.TracesExporter) == 0 {
		p.Tracer = tracer.New(config)
		return
	}
	sinks := p.spanSinks(cfg.TracesExporter, res, d, stdout, coloured)
	p.spans = newBatcher(set.spans, all(sinks))
	config.Export = p.spans.enqueue
	p.tracer = tracer.New(config)
	p.Tracer = p.tracer
	p.Requests = func(by trace.Tracer, of Requests) (trace.Tracer, func(bool, int, time.Duration) string) {
		return p.tracer.Sampled(by, cfg.sampler(new(faults), of)), of.keep(&cfg).reason
	}
}

func (p *Pipelines) startLogs(cfg Config, b bounds, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) {
	if len(cfg.LogsExporter) == 0 {
		return
	}
	p.records = newBatcher(b, all(recordSinks(cfg.LogsExporter, res, d, stdout, coloured)))
	length, count := cfg.recordLimits()
	p.Events = otelslog.NewHandler(name, otelslog.WithLoggerProvider(sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(recordProcessor{p.records}),
		sdklog.WithAttributeValueLengthLimit(length),
		sdklog.WithAttributeCountLimit(count))))
}

func (p *Pipelines) startMetrics(cfg Config, process Process, res *resource.Resource, d delivery, stdout io.Writer) error {
	if len(cfg.MetricsExporter) == 0 {
		return nil
	}
	limit := maxSeries * max(process.Routes, 1)
	p.Meter = series.New(series.Config{Exemplars: cfg.exemplars(), Limit: limit})
	periodics := p.newPeriodics(cfg, res, d, stdout, process.Coloured)
	options := []sdkmetric.Option{
		sdkmetric.WithResource(res), sdkmetric.WithExemplarFilter(cfg.exemplars()), sdkmetric.WithCardinalityLimit(limit),
	}
	for _, periodic := range periodics {
		options = append(options, sdkmetric.WithReader(periodic.reader))
	}
	if cfg.Scraped() {
		cumulative, explicit := sdkmetric.CumulativeTemporalitySelector, sdkmetric.DefaultAggregationSelector
		reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(p.Meter.Producer(cumulative, explicit)))
		options = append(options, sdkmetric.WithReader(reader))
		p.Scrapes = exposition.Handler(func(ctx context.Context, metrics metricBatch) error {
			began := time.Now()
			err := reader.Collect(ctx, metrics)
			p.scrapes.record(began, collectionCause(err))
			return err
		})
	}
	p.meters = sdkmetric.NewMeterProvider(options...)
	p.periodics = periodics
	if err := errors.Join(runtime.Start(runtime.WithMeterProvider(p.meters)), p.selfMetrics(p.meters)); err != nil {
		return err
	}
	for _, periodic := range periodics {
		periodic.start()
	}
	return nil
}

func (p *Pipelines) lost() (l losses) {
	if p.spans != nil {
		l.spans = p.spans.lost()
	}
	if p.records != nil {
		l.records = p.records.lost()
	}
	return l
}
