package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler/fault"
	"spangate/policy"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

var perSecond = policy.Limit{Requests: 100, Per: time.Second, Burst: 100}

func ExampleTelemetry_Limiter() {
	recorder := tracetest.NewSpanRecorder()
	t := newTelemetry(recorder, nil)
	limit := t.Limiter(func(context.Context, policy.Key) (policy.Decision, error) {
		return policy.Decision{Limit: perSecond, Reset: time.Second, RetryAfter: 10 * time.Millisecond, Store: policy.StoreMemory}, nil
	}, policy.RateLimitConfig{})
	h := t.Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		limit(r.Context(), policy.Key{Source: "client-ip"})
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	span := recorder.Ended()[0]
	fmt.Println(span.Name(), span.SpanKind(), span.Status().Code, "in", recorder.Ended()[1].Name())
	for _, attr := range span.Attributes() {
		fmt.Println(" ", attr.Key, attr.Value.String())
	}
	// Output:
	// rate_limit internal Unset in GET
	//   spangate.rate_limit.key_source client-ip
	//   spangate.rate_limit.result denied
	//   spangate.rate_limit.store memory
	//   spangate.rate_limit.policy 100/s
	//   spangate.rate_limit.limit 100
	//   spangate.rate_limit.remaining 0
	//   spangate.rate_limit.reset 1
}

// watched returns telemetry whose spans and metrics can be read.
func watched(t testing.TB, sampler sdktrace.Sampler) (*telemetry.Telemetry, *sdktrace.TracerProvider, *tracetest.SpanRecorder, *sdkmetric.ManualReader) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	meter, reader := metering()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sampler))
	tel := telemetry.From(telemetry.Config{}, export.Providers{
		Tracer: tracers, Meter: meter,
	}, nil, slog.New(slog.DiscardHandler))
	return tel, tracers, recorder, reader
}

// points returns the value of each series of an instrument of whole numbers,
// by its attributes.
func points(t testing.TB, reader *sdkmetric.ManualReader, name string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, p := range sum.DataPoints {
					values[p.Attributes.Encoded(attribute.DefaultEncoder())+" "+m.Unit] = p.Value
				}
			}
		}
	}
	return values
}

func TestLimiter(t *testing.T) {
	allowed := policy.Decision{Allowed: true, Limit: perSecond, Remaining: 7, Reset: 930 * time.Millisecond, Store: policy.StoreMemory}
	denied := policy.Decision{Limit: perSecond, Reset: time.Second, RetryAfter: time.Second, Store: policy.StoreRedis}
	local := allowed
	local.Store = policy.StoreLocal
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	for _, test := range []struct {
		name   string
		d      policy.Decision
		err    error
		dryRun bool
		result string
		errs   string // error.type
		series string
	}{
		{name: "allowed", d: allowed, result: "allowed", series: "spangate.rate_limit.policy=100/s,spangate.rate_limit.result=allowed,spangate.rate_limit.store=memory {decision}"},
		{name: "allowed in a dry run", d: allowed, dryRun: true, result: "allowed", series: "spangate.rate_limit.policy=100/s,spangate.rate_limit.result=allowed,spangate.rate_limit.store=memory {decision}"},
		{name: "denied", d: denied, result: "denied", series: "spangate.rate_limit.policy=100/s,spangate.rate_limit.result=denied,spangate.rate_limit.store=redis {decision}"},
		{name: "denied in a dry run", d: denied, dryRun: true, result: "dry_run", series: "spangate.rate_limit.policy=100/s,spangate.rate_limit.result=dry_run,spangate.rate_limit.store=redis {decision}"},
		{name: "a local share", d: local, err: refused, result: "allowed", errs: "connection_refused", series: "spangate.rate_limit.policy=100/s,spangate.rate_limit.result=allowed,spangate.rate_limit.store=local {decision}"},
		{name: "nobody counted", d: policy.Decision{Allowed: true}, err: context.DeadlineExceeded, result: "store_error", errs: "timeout", series: "spangate.rate_limit.result=store_error {decision}"},
		{name: "a network timeout", err: os.ErrDeadlineExceeded, result: "store_error", errs: "timeout", series: "spangate.rate_limit.result=store_error {decision}"},
		{name: "a reset", err: syscall.ECONNRESET, result: "store_error", errs: "connection_reset", series: "spangate.rate_limit.result=store_error {decision}"},
		{name: "an error with a type", err: &fault.Error{Type: fault.DNSError}, result: "store_error", errs: "dns_error", series: "spangate.rate_limit.result=store_error {decision}"},
		{name: "any other error", err: errors.New("WRONGTYPE 10.1.2.3"), result: "store_error", errs: "store_error", series: "spangate.rate_limit.result=store_error {decision}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tel, tracers, recorder, reader := watched(t, sdktrace.AlwaysSample())
			limit := tel.Limiter(func(ctx context.Context, key policy.Key) (policy.Decision, error) {
				if key != (policy.Key{ID: [16]byte{1}, Source: "header"}) {
					t.Errorf("the key is %v", key)
				}
				return test.d, test.err
			}, policy.RateLimitConfig{DryRun: test.dryRun})
			ctx, parent := tracers.Tracer("test").Start(t.Context(), "parent")
			d, err := limit(ctx, policy.Key{ID: [16]byte{1}, Source: "header"})
			if d != test.d || err != test.err {
				t.Errorf("the decision became %+v, %v", d, err)
			}
			if len(recorder.Ended()) != 1 {
				t.Fatalf("%d spans, want 1", len(recorder.Ended()))
			}
			got := recorder.Ended()[0]
			if got.Parent().SpanID() != parent.SpanContext().SpanID() || got.SpanKind() != trace.SpanKindInternal || got.Name() != "rate_limit" {
				t.Errorf("the span is %s %v", got.Name(), got.SpanKind())
			}
			want := []attribute.KeyValue{attribute.String("spangate.rate_limit.key_source", "header"), attribute.String("spangate.rate_limit.result", test.result)}
			if test.d.Store != "" {
				want = append(want, attribute.String("spangate.rate_limit.store", string(test.d.Store)))
			}
			if test.d.Limit.Requests > 0 {
				want = append(want, attribute.String("spangate.rate_limit.policy", "100/s"), attribute.Int64("spangate.rate_limit.limit", 100),
					attribute.Int64("spangate.rate_limit.remaining", test.d.Remaining), attribute.Float64("spangate.rate_limit.reset", test.d.Reset.Seconds()))
			}
			status := codes.Unset
			if test.errs != "" {
				want, status = append(want, attribute.String("error.type", test.errs)), codes.Error
			}
			if diff := cmp.Diff(text(want), text(got.Attributes())); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if got.Status().Code != status || got.Status().Description != "" {
				t.Errorf("status %+v, want %v", got.Status(), status)
			}
			if diff := cmp.Diff(map[string]int64{test.series: 1}, points(t, reader, "spangate.rate_limit.decisions")); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// text renders attributes, one a line.
func text(attrs []attribute.KeyValue) (lines []string) {
	for _, a := range attrs {
		lines = append(lines, string(a.Key)+"="+a.Value.String())
	}
	return lines
}

func TestUnrecordedDecisionsHaveNoSpan(t *testing.T) {
	tel, tracers, recorder, reader := watched(t, sdktrace.NeverSample())
	var seen context.Context
	limit := tel.Limiter(func(ctx context.Context, _ policy.Key) (policy.Decision, error) {
		seen = ctx
		return policy.Decision{Allowed: true, Limit: perSecond, Store: policy.StoreMemory}, nil
	}, policy.RateLimitConfig{})
	unsampled, _ := tracers.Tracer("test").Start(t.Context(), "parent")
	for _, ctx := range []context.Context{t.Context(), unsampled} {
		if limit(ctx, policy.Key{}); seen != ctx {
			t.Error("the context was changed")
		}
		if got := testing.AllocsPerRun(100, func() { limit(ctx, policy.Key{}) }); got != 0 {
			t.Errorf("%v allocations, want none", got)
		}
	}
	if n := len(recorder.Started()); n != 0 {
		t.Errorf("%d spans were started, want none", n)
	}
	want := map[string]int64{"spangate.rate_limit.policy=100/s,spangate.rate_limit.result=allowed,spangate.rate_limit.store=memory {decision}": 2 + 2*101}
	if diff := cmp.Diff(want, points(t, reader, "spangate.rate_limit.decisions")); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestObserveKeys(t *testing.T) {
	tel, _, _, reader := watched(t, sdktrace.NeverSample())
	keys := 3
	tel.ObserveKeys(func() int { return keys })
	for _, keys = range []int{3, 5, 0} {
		if diff := cmp.Diff(map[string]int64{" {key}": int64(keys)}, points(t, reader, "spangate.rate_limit.keys")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	for name, sampler := range map[string]sdktrace.Sampler{"sampled": sdktrace.AlwaysSample(), "unsampled": sdktrace.NeverSample()} {
		b.Run(name, func(b *testing.B) {
			tel := telemetry.From(telemetry.Config{}, export.Providers{
				Tracer: sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)),
				Meter:  unread(),
			}, nil, slog.New(slog.DiscardHandler))
			limit := tel.Limiter(func(context.Context, policy.Key) (policy.Decision, error) {
				return policy.Decision{Allowed: true, Limit: perSecond, Store: policy.StoreMemory}, nil
			}, policy.RateLimitConfig{})
			ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer("test").Start(b.Context(), "parent")
			defer span.End()
			b.ReportAllocs()
			for b.Loop() {
				limit(ctx, policy.Key{Source: "client-ip"})
			}
		})
	}
}
