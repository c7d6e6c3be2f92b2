package corpus

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// Records returns log records of each kind.
func Records() []sdklog.Record {
	var all recorder
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(Resource()), sdklog.WithProcessor(&all),
		sdklog.WithAttributeCountLimit(len(attributes())), sdklog.WithAttributeValueLengthLimit(-1))
	plain := provider.Logger(short.Name)
	emit := func(ctx context.Context, logger log.Logger, change ...func(*log.Record)) {
		var r log.Record
		r.SetObservedTimestamp(now)
		for _, of := range change {
			of(&r)
		}
		logger.Emit(ctx, r)
	}
	emit(context.Background(), plain)
	for severity := log.SeverityUndefined - 1; severity <= log.SeverityFatal4+2; severity++ {
		emit(context.Background(), plain, func(r *log.Record) { r.SetSeverity(severity); r.SetSeverityText(severity.String()) })
	}
	full := provider.Logger(long.Name, log.WithInstrumentationVersion(long.Version), log.WithSchemaURL(long.SchemaURL),
		log.WithInstrumentationAttributes(long.Attributes.ToSlice()...))
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled, 0xff} {
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 15: 2}, SpanID: trace.SpanID{3, 7: 4}, TraceFlags: flags})
		emit(trace.ContextWithSpanContext(context.Background(), sc), full, func(r *log.Record) {
			r.SetTimestamp(began)
			r.SetBody(attribute.StringValue("backend is down"))
			r.SetEventName("spangate.backend.state")
			r.AddAttributes(attributes()...)
		})
	}
	for _, kv := range attributes() {
		emit(context.Background(), plain, func(r *log.Record) {
			r.SetBody(kv.Value)
			r.AddAttributes(kv)
			r.SetTimestamp(time.Unix(-1, 0))
		})
	}
	emit(context.Background(), full, func(r *log.Record) { // of which some are dropped
		r.AddAttributes(attributes()...)
		r.AddAttributes(attribute.String("one", "more"), attribute.String("another", "one"))
	})
	return all
}

// recorder keeps what is emitted.
type recorder []sdklog.Record

func (*recorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*recorder) ForceFlush(context.Context) error                       { return nil }
func (*recorder) Shutdown(context.Context) error                         { return nil }

func (r *recorder) OnEmit(_ context.Context, record *sdklog.Record) error {
	*r = append(*r, record.Clone())
	return nil
}
