package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/policy"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// TestKeep holds what becomes of requests that are recorded and not sampled: the
// spans of those that are kept end, as those of the others never do.
func TestKeep(t *testing.T) {
	const slow = 5 * time.Second
	for name, test := range map[string]struct {
		attempts int
		wait     time.Duration // of each attempt, for its answer
		stream   time.Duration // of the answer
		fails    fault.Type
		status   int
		want     string // what ended, without what all have
	}{
		"nothing of note":                {attempts: 1, status: 200},
		"an error":                       {attempts: 1, status: 500, want: "rate_limit; GET 500 Error; GET error 500 Error"},
		"a retry":                        {attempts: 2, status: 200, want: "rate_limit; GET 200; retry; GET 200; GET retry 200"},
		"a slow answer":                  {attempts: 1, status: 200, wait: slow, want: "rate_limit; GET 200; GET slow 200"},
		"a long answer":                  {attempts: 1, status: 200, stream: slow},
		"the client's doing, after long": {attempts: 1, status: 0, wait: slow, fails: fault.ClientDisconnected},
		"the client's doing":             {attempts: 1, status: 200, fails: fault.ClientDisconnected},
		"the backend's doing":            {attempts: 1, status: 200, fails: fault.BackendReset, want: "rate_limit; GET 200; GET error 200 Error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				recorder := tracetest.NewSpanRecorder()
				tel := telemetry.From(telemetry.Config{}, export.Providers{
					Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysRecord(sdktrace.NeverSample()))),
					Keep: func(failed bool, attempts int, answered time.Duration) string {
						switch {
						case failed:
							return "error"
						case attempts > 1:
							return "retry"
						case answered >= slow:
							return "slow"
						}
						return ""
					},
				}, nil, slog.New(slog.DiscardHandler))
				limit := tel.Limiter(func(context.Context, policy.Key) (policy.Decision, error) { return policy.Decision{Allowed: true}, nil }, policy.RateLimitConfig{})
				hooks := tel.Balancer("")
				wait := hooks.RetryWait(func(context.Context, balancer.RetryDecision) error { return nil })
				backend := &balancer.Backend{Name: "b", URL: &url.URL{Scheme: "http", Host: "b"}}
				client := hooks.Attempt(backend, func() int { return 1 }, roundTrip(func(*http.Request) (*http.Response, error) {
					time.Sleep(test.wait)
					return &http.Response{StatusCode: test.status, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader("x"))}, nil
				}))
				var ctx context.Context
				h := tel.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx = r.Context()
					limit(ctx, policy.Key{})
					var resp *http.Response
					for attempt := range test.attempts {
						if attempt > 0 {
							resp.Body.Close()
							wait(r.Context(), balancer.RetryDecision{Attempt: attempt})
						}
						var err error
						if resp, err = client.RoundTrip(r.Clone(r.Context())); err != nil {
							t.Error(err)
						}
					}
					if test.status != 0 {
						w.WriteHeader(test.status)
					}
					time.Sleep(test.stream)
					resp.Body.Close()
					if test.fails != "" {
						tel.Failures().Report(r, &fault.Error{Type: test.fails, Err: errors.New("why")})
						panic(http.ErrAbortHandler)
					}
				}))
				func() {
					defer func() { recover() }()
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				}()
				limit(ctx, policy.Key{}) // what ends later is not kept
				var got []string
				for _, span := range recorder.Ended() {
					var text strings.Builder
					text.WriteString(span.Name())
					for _, key := range []attribute.Key{"spangate.sampling.reason", "http.response.status_code"} {
						for _, kv := range span.Attributes() {
							if kv.Key == key {
								text.WriteString(" " + kv.Value.String())
							}
						}
					}
					if status := span.Status().Code.String(); status != "Unset" {
						text.WriteString(" " + status)
					}
					got = append(got, text.String())
				}
				if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
					t.Errorf("ended (-want +got):\n%s", diff)
				}
			})
		})
	}
}
