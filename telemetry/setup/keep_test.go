package setup_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/otlptest"
	"spangate/telemetry/setup"
)

func TestKeep(t *testing.T) {
	quick, slow := attribute.Float64("spangate.time_to_first_byte", 0.1), attribute.Float64("spangate.time_to_first_byte", 2)
	once, twice := attribute.Int("spangate.attempt.count", 1), attribute.Int("spangate.attempt.count", 2)
	for name, test := range map[string]struct {
		keep, sampler string
		attempts      int
		fails         bool
		attributes    []attribute.KeyValue
		want          string // tree of what is exported
		full          int64  // spans that were given up
	}{
		"nothing of note":     {attempts: 1, attributes: []attribute.KeyValue{quick, once}},
		"an error":            {attempts: 1, fails: true, attributes: []attribute.KeyValue{quick, once}, want: "request SERVER Error spangate.sampling.reason=error\n  attempt CLIENT Unset\n"},
		"a client's error":    {attempts: 1, fails: true, attributes: []attribute.KeyValue{quick, once, attribute.String("error.type", "client_disconnected")}},
		"retried":             {attempts: 2, attributes: []attribute.KeyValue{quick, twice}, want: "request SERVER Unset spangate.sampling.reason=retry\n  attempt CLIENT Unset\n  attempt CLIENT Unset\n"},
		"slow":                {attempts: 1, attributes: []attribute.KeyValue{slow, once}, want: "request SERVER Unset spangate.sampling.reason=slow\n  attempt CLIENT Unset\n"},
		"not asked for":       {keep: "retry", attempts: 1, fails: true, attributes: []attribute.KeyValue{slow, once}},
		"nothing asked for":   {keep: "none", attempts: 2, fails: true, attributes: []attribute.KeyValue{slow, twice}},
		"never":               {sampler: "always_off", attempts: 2, fails: true, attributes: []attribute.KeyValue{slow, twice}},
		"sampled all the way": {sampler: "always_on", attempts: 1, fails: true, attributes: []attribute.KeyValue{once}, want: "request SERVER Error\n  attempt CLIENT Unset\n"},
		"more than is held":   {attempts: 130, fails: true, attributes: []attribute.KeyValue{once}, want: "request SERVER Error spangate.sampling.reason=error\n" + strings.Repeat("  attempt CLIENT Unset\n", 128), full: 2},
	} {
		t.Run(name, func(t *testing.T) {
			collector := otlptest.NewServer(t)
			environ := map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_TRACES_SAMPLER": test.sampler, "TRACE_KEEP": test.keep,
			}
			if test.sampler == "" {
				environ["OTEL_TRACES_SAMPLER"], environ["OTEL_TRACES_SAMPLER_ARG"] = "traceidratio", "0"
			}
			sdk := start(t, environ, slog.New(slog.DiscardHandler), io.Discard)
			tracer := sdk.TracerProvider.Tracer("test")
			ctx, server := tracer.Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
			var late trace.Span
			for range test.attempts {
				_, attempt := tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindClient))
				attempt.End()
			}
			if test.sampler == "" {
				_, late = tracer.Start(ctx, "late", trace.WithSpanKind(trace.SpanKindClient))
			}
			if test.fails {
				server.SetStatus(codes.Error, "")
			}
			server.SetAttributes(test.attributes...)
			server.End()
			if late != nil {
				late.End() // waits for nothing any more
			}
			if err := sdk.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, otlptest.Tree(collector.Spans(), "spangate.sampling.reason")); diff != "" {
				t.Errorf("exported (-want +got):\n%s", diff)
			}
			counted := map[string]float64{}
			for _, m := range collector.Metrics() {
				for _, p := range m.Points {
					if m.Name == "spangate.telemetry.spans" {
						counted[p.Attributes["spangate.telemetry.result"].(string)] += p.Value
					}
				}
			}
			if exported := float64(len(collector.Spans())); counted["exported"] != exported || counted["dropped"] != float64(test.full) || counted["failed"] != 0 {
				t.Errorf("%v exported, %v given up, but counted are %v", exported, test.full, counted)
			}
		})
	}
}

// TestKeepIsBounded has more spans wait at once than are held, in two rounds:
// what the first gives back, the second can hold.
func TestKeepIsBounded(t *testing.T) {
	const requests, attempts, held = 65, 128, 8192
	collector := otlptest.NewServer(t)
	sdk := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "OTEL_BSP_MAX_QUEUE_SIZE": "20000",
		"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0",
	}, slog.New(slog.DiscardHandler), io.Discard)
	tracer := sdk.TracerProvider.Tracer("test")
	for _, outcome := range []codes.Code{codes.Unset, codes.Error} {
		var servers []trace.Span
		for range requests {
			ctx, server := tracer.Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
			servers = append(servers, server)
			for range attempts {
				_, attempt := tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindClient))
				attempt.End()
			}
		}
		for _, server := range servers {
			// No time is slow: how long a round takes is not the test's concern.
			server.SetAttributes(attribute.Float64("spangate.time_to_first_byte", 0))
			server.SetStatus(outcome, "")
			server.End()
		}
	}
	if err := sdk.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	counted := map[any]float64{}
	for _, m := range collector.Metrics() {
		for _, p := range m.Points {
			if m.Name == "spangate.telemetry.spans" {
				counted[p.Attributes["error.type"]] = p.Value
			}
		}
	}
	want := map[any]float64{nil: held + requests, "keep_full": requests*attempts - held}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("exported and given up (-want +got):\n%s", diff)
	}
	if got := len(collector.Spans()); got != held+requests {
		t.Errorf("%d spans received, want %d", got, held+requests)
	}
}

func TestKeepIsChecked(t *testing.T) {
	for text, want := range map[string]setup.Keep{
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
		var got setup.Keep
		err := got.UnmarshalText([]byte(text))
		if bad := want == (setup.Keep{}) && text != "none"; bad != (err != nil) || !bad && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
