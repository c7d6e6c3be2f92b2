//go:build !race

package telemetry_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/balancer"
	"spangate/policy"
	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/export/tracer"
)

// forgetful returns a provider as the program has it, of which nothing is exported.
func forgetful(sampler sdktrace.Sampler) *tracer.Provider {
	return tracer.New(tracer.Config{
		Sampler: sampler, Limits: sdktrace.NewSpanLimits(),
		Export: func(*tracer.Ended) bool { return false },
	})
}

// decorated returns what telemetry puts around a request with one attempt, and
// around another that is made again.
func decorated(t testing.TB, providers export.Providers) (once, again http.Handler) {
	t.Helper()
	tel := telemetry.From(telemetry.Config{}, providers, nil, slog.New(slog.DiscardHandler))
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1}
	backend := &balancer.Backend{Name: "http://b", URL: &url.URL{Scheme: "http", Host: "b"}}
	var client http.RoundTripper = roundTrip(func(*http.Request) (*http.Response, error) {
		resp.Body = http.NoBody
		return resp, nil
	})
	wait := func(context.Context, balancer.RetryDecision) error { return nil }
	if hooks := tel.Balancer(""); hooks.Attempt != nil {
		client, wait = hooks.Attempt(backend, func() int { return 1 }, client), hooks.RetryWait(wait)
	}
	serve := func(attempts int) http.Handler {
		forward := tel.Forward(roundTrip(func(r *http.Request) (*http.Response, error) {
			for attempt := range attempts - 1 {
				if resp, err := client.RoundTrip(r); err == nil {
					resp.Body.Close()
				}
				if err := wait(r.Context(), balancer.RetryDecision{Attempt: attempt + 1, Reason: "503"}); err != nil {
					return nil, err
				}
			}
			return client.RoundTrip(r)
		}))
		return tel.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := forward.RoundTrip(r)
			if err != nil {
				panic(err)
			}
			resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
		}))
	}
	return serve(1), serve(2)
}

// TestAllocations holds what telemetry allocates for a request, net/http and
// the rest of the proxy left aside. A gate that is passed is either raised with
// a reason, or the change is mended.
func TestAllocations(t *testing.T) {
	recording := func(sampler sdktrace.Sampler) export.Providers {
		return export.Providers{
			Tracer:     forgetful(sampler),
			Meter:      unread(),
			Propagator: propagation.TraceContext{},
		}
	}
	for _, test := range []struct {
		name        string
		providers   export.Providers
		once, again float64
	}{
		{"disabled", export.Providers{Tracer: tracenoop.NewTracerProvider(), Off: true}, 0, 0},
		{"unsampled", recording(sdktrace.NeverSample()), 5, 14},
		// As TRACE_KEEP has it: only if it turns out to be worth it does it get attributes.
		{"unsampled, to be kept", recording(sdktrace.AlwaysRecord(sdktrace.NeverSample())), 5, 17},
		{"sampled", recording(sdktrace.AlwaysSample()), 6, 17},
		// Each attempt sends trace state, of which the text is made each time.
		{"sampled, with a probability", recording(certain{}), 7, 19},
	} {
		once, again := decorated(t, test.providers)
		for _, each := range []struct {
			name string
			h    http.Handler
			gate float64
		}{{"a request", once, test.once}, {"with a retry", again, test.again}} {
			r := httptest.NewRequest("GET", "/path?x=1", nil)
			r.Header.Set("User-Agent", "test")
			w := nowhere{http.Header{}}
			if got := testing.AllocsPerRun(1000, func() {
				delete(r.Header, "Traceparent") // what the attempt got
				each.h.ServeHTTP(w, r)
			}); got > each.gate {
				t.Errorf("%s, %s: %v allocations, gate %v", test.name, each.name, got, each.gate)
			}
		}
	}
}

// certain samples everything, and says so.
type certain struct{}

var ofCertain, _ = trace.ParseTraceState("ot=th:0")

func (certain) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: ofCertain}
}

func (certain) Description() string { return "certain" }

// TestAllocationsOfDecisions holds what telemetry allocates for a decision of the
// rate limit that lets a request in.
func TestAllocationsOfDecisions(t *testing.T) {
	decision := policy.Decision{Allowed: true, Limit: policy.Limit{Requests: 10, Per: time.Second, Burst: 10}, Remaining: 9, Store: policy.StoreMemory}
	for _, test := range []struct {
		name    string
		sampler sdktrace.Sampler
		cfg     telemetry.Config
		gate    float64
	}{
		{"unsampled", sdktrace.NeverSample(), telemetry.Config{RateLimit: "all"}, 4},
		{"sampled", sdktrace.AlwaysSample(), telemetry.Config{RateLimit: "all"}, 4},
		{"sampled, without a span", sdktrace.AlwaysSample(), telemetry.Config{RateLimit: "denied"}, 0},
	} {
		provider := forgetful(test.sampler)
		tel := telemetry.From(test.cfg, export.Providers{
			Tracer: provider, Meter: unread(),
		}, nil, slog.New(slog.DiscardHandler))
		limit := tel.Limiter(func(context.Context, policy.Key) (policy.Decision, error) { return decision, nil }, policy.RateLimitConfig{})
		ctx, span := provider.Tracer("test").Start(t.Context(), "request")
		if got := testing.AllocsPerRun(1000, func() { limit(ctx, policy.Key{Source: "client-ip"}) }); got > test.gate {
			t.Errorf("%s: %v allocations, gate %v", test.name, got, test.gate)
		}
		span.End()
	}
}

func BenchmarkRequest(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	recording := func(sampler sdktrace.Sampler) http.Handler {
		h, _ := decorated(b, export.Providers{
			Tracer:     forgetful(sampler),
			Meter:      unread(),
			Propagator: propagation.TraceContext{},
		})
		return h
	}
	disabled, _ := decorated(b, export.Providers{Tracer: tracenoop.NewTracerProvider(), Off: true})
	for _, bench := range []struct {
		name string
		h    http.Handler
	}{
		{"bare", bare},
		{"disabled", disabled},
		{"unsampled", recording(sdktrace.NeverSample())},
		{"unsampled, to be kept", recording(sdktrace.AlwaysRecord(sdktrace.NeverSample()))},
		{"sampled", recording(sdktrace.AlwaysSample())},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/path?x=1", nil)
			w := nowhere{http.Header{}}
			for b.Loop() {
				delete(r.Header, "Traceparent")
				bench.h.ServeHTTP(w, r)
			}
		})
	}
}
