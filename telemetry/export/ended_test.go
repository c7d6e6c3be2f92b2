package export_test

import (
	"io"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/otlptest"
)

// TestEndedIsExported holds that a span which ends is exported, as one of a
// trace that is sampled, and that one which is never ended leaves nothing.
func TestEndedIsExported(t *testing.T) {
	for sampler, want := range map[string]float64{"traceidratio": 2, "always_off": 0} {
		collector := otlptest.NewServer(t)
		pipelines := start(t, map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0",
		}, slog.New(slog.DiscardHandler), io.Discard)
		tracer := pipelines.Tracer.Tracer("test")
		for _, kept := range []bool{true, false} {
			ctx, server := tracer.Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
			_, attempt := tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindClient))
			if kept {
				attempt.End()
				server.End()
			}
		}
		shutdown(t, pipelines)
		if diff := cmp.Diff(map[string]float64{"exported": want}, spanCounts(collector.Metrics())); diff != "" || len(collector.Spans()) != int(want) {
			t.Errorf("%s: %d spans came, counted are (-want +got):\n%s", sampler, len(collector.Spans()), diff)
		}
		for _, span := range collector.Spans() {
			if !span.Sampled {
				t.Errorf("%s: %s is not sampled", sampler, span.Name)
			}
		}
	}
}
