package series_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/trace"
)

// A request is recorded with thirteen measurements. The SDK is given its attributes as
// a set that is made already, which is the cheapest that it takes.
func BenchmarkRequest(b *testing.B) {
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", "GET"), attribute.String("url.scheme", "http"),
		attribute.String("network.protocol.version", "1.1"), attribute.Int("http.response.status_code", 200),
	}
	sampled := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
	for _, v := range []view{views[0], views[3]} {
		for _, of := range []struct {
			name string
			ctx  context.Context
		}{{"sampled", sampled}, {"not sampled", context.Background()}} {
			ctx := of.ctx
			two := newBoth(b, exemplar.TraceBasedFilter, v)
			set := attribute.NewSet(attributes...)
			record, add := []metric.RecordOption{metric.WithAttributeSet(set)}, []metric.AddOption{metric.WithAttributeSet(set)}
			counter, upDown := two.counter.Of(attributes...), two.upDown.Of(attributes...)
			durations, sizes := two.durations.Of(attributes...), two.sizes.Of(attributes...)
			each := func(name string, request func(time.Duration)) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						request(time.Duration(i%100) * time.Millisecond)
					}
				})
				b.Run(name+", from all processors", func(b *testing.B) {
					b.ReportAllocs()
					b.RunParallel(func(pb *testing.PB) {
						for i := 0; pb.Next(); i++ {
							request(time.Duration(i%100) * time.Millisecond)
						}
					})
				})
			}
			each(v.name+", "+of.name+": SDK", func(d time.Duration) {
				for range 4 {
					two.sdkUpDown.Add(ctx, 1, add...)
				}
				two.sdkCounter.Add(ctx, 1, add...)
				for range 5 {
					two.sdkDurations.Record(ctx, d.Seconds(), record...)
				}
				for range 3 {
					two.sdkSizes.Record(ctx, 1024, record...)
				}
			})
			each(v.name+", "+of.name+": ours", func(d time.Duration) {
				for range 4 {
					upDown.Add(ctx, 1)
				}
				counter.Add(ctx, 1)
				for range 5 {
					durations.Record(ctx, d)
				}
				for range 3 {
					sizes.Record(ctx, 1024)
				}
			})
		}
	}
}
