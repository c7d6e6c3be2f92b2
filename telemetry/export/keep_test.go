package export_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export"
	"spangate/telemetry/otlptest"
)

func TestKeepReason(t *testing.T) {
	all := export.Keep{Errors: true, Retries: true, Slow: time.Second}
	for _, test := range []struct {
		keep     export.Keep
		failed   bool
		attempts int
		answered time.Duration
		want     string
	}{
		{all, false, 1, 999 * time.Millisecond, ""},
		{all, false, 0, 0, ""},
		{all, true, 2, time.Hour, "error"},
		{all, false, 2, time.Hour, "retry"},
		{all, false, 1, time.Second, "slow"},
		{export.Keep{Retries: true}, true, 1, time.Hour, ""},
		{export.Keep{Errors: true}, false, 2, time.Hour, ""},
		{export.Keep{}, true, 2, time.Hour, ""},
	} {
		if got := test.keep.Reason(test.failed, test.attempts, test.answered); got != test.want {
			t.Errorf("%+v: failed %v, %d attempts, %v: kept for %q, want %q", test.keep, test.failed, test.attempts, test.answered, got, test.want)
		}
	}
}

// TestEndedIsExported holds that a span which ends is exported, as one of a
// trace that is sampled, and that one which is never ended leaves nothing.
func TestEndedIsExported(t *testing.T) {
	for sampler, want := range map[string]float64{"traceidratio": 2, "always_off": 0} {
		collector := otlptest.NewServer(t)
		sdk := start(t, map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0",
		}, slog.New(slog.DiscardHandler), io.Discard)
		tracer := sdk.TracerProvider.Tracer("test")
		for _, kept := range []bool{true, false} {
			ctx, server := tracer.Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
			_, attempt := tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindClient))
			if kept {
				attempt.End()
				server.End()
			}
		}
		shutdown(t, sdk)
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

func TestKeepIsChecked(t *testing.T) {
	for text, want := range map[string]export.Keep{
		"none":                    {},
		"error":                   {Errors: true},
		" slow:250ms , retry ":    {Retries: true, Slow: 250 * time.Millisecond},
		"error,retry,slow:1s":     {Errors: true, Retries: true, Slow: time.Second},
		"slow":                    {},
		"slow:0":                  {},
		"slow:-1s":                {},
		"slow:fast":               {},
		"errors":                  {},
		"error:1":                 {},
		"error,,retry":            {},
		"none,error":              {},
		"error,retry,slow:1s:2ms": {},
	} {
		var got export.Keep
		err := got.UnmarshalText([]byte(text))
		if bad := want == (export.Keep{}) && text != "none"; bad != (err != nil) || !bad && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
