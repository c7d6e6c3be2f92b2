package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"spangate/handler/fault"
	"spangate/policy"
	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// seen is what telemetry makes of one request that h handles behind it.
type seen struct {
	status string // of the SERVER span
	span   map[string]any
	log    map[string]any
	points []string // of metrics of our own
}

// see sends a request through telemetry and what policies makes of it.
func see(t *testing.T, policies func(*telemetry.Telemetry, policy.Refuse) http.Handler) seen {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	meter, reader := metering()
	var out bytes.Buffer
	lines := logline.NewLines(&out)
	written := make(chan struct{})
	go func() { defer close(written); lines.Run() }()
	tel := telemetry.From(telemetry.Config{}, export.Providers{
		Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
		Meter:  meter,
	}, logline.NewAccessLog(logline.Config{AccessLog: "json"}, lines), slog.New(slog.DiscardHandler))
	reject := tel.Refuse(func(w http.ResponseWriter, _ *http.Request, why fault.Refusal) { w.WriteHeader(why.Status) })
	tel.Server(policies(tel, reject)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	lines.Close(time.Minute)
	<-written

	s := seen{span: map[string]any{}}
	for _, span := range recorder.Ended() {
		s.status = span.Status().Code.String()
		for _, attr := range span.Attributes() {
			switch attr.Key {
			case "http.response.status_code", "error.type", "spangate.policy.rejection", "spangate.policy.reason", "spangate.concurrency.wait", "spangate.request.id":
				s.span[string(attr.Key)] = attr.Value.AsInterface()
			}
		}
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("log line %q: %v", &out, err)
	}
	s.log = map[string]any{}
	for _, name := range []string{"status", "policy", "reason", "queued", "request_id", "error_type"} {
		if line[name] != nil {
			s.log[name] = line[name]
		}
	}
	s.points = policyPoints(t, reader)
	return s
}

// policyPoints returns the values of spangate.policy.* and spangate.concurrency.*.
func policyPoints(t *testing.T, reader sdkmetric.Reader) (all []string) {
	t.Helper()
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		t.Fatal(err)
	}
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch m.Name {
			case "spangate.policy.rejections", "spangate.concurrency.active", "spangate.concurrency.queued":
				for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
					all = append(all, fmt.Sprint(m.Name, " ", p.Value, " ", p.Attributes.Encoded(attribute.DefaultEncoder())))
				}
			case "spangate.concurrency.wait":
				for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
					all = append(all, fmt.Sprint(m.Name, " ", p.Count, "x ", p.Sum, " ", p.Attributes.Encoded(attribute.DefaultEncoder())))
				}
			}
		}
	}
	return all
}

func TestPolicies(t *testing.T) {
	refused := func(why fault.Refusal) func(*telemetry.Telemetry, policy.Refuse) http.Handler {
		return func(_ *telemetry.Telemetry, reject policy.Refuse) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reject(w, r, why) })
		}
	}
	for name, test := range map[string]struct {
		policies func(*telemetry.Telemetry, policy.Refuse) http.Handler
		want     seen
	}{
		"let in": {
			policies: func(*telemetry.Telemetry, policy.Refuse) http.Handler { return http.NotFoundHandler() },
			want: seen{
				status: "Unset", span: map[string]any{"http.response.status_code": int64(404)}, log: map[string]any{"status": 404.0},
			},
		},
		"403": {
			policies: refused(fault.Refusal{Policy: "access", Reason: "denied", Status: 403}),
			want: seen{
				status: "Unset",
				span:   map[string]any{"http.response.status_code": int64(403), "spangate.policy.rejection": "access", "spangate.policy.reason": "denied"},
				log:    map[string]any{"status": 403.0, "policy": "access", "reason": "denied"},
				points: []string{"spangate.policy.rejections 1 spangate.policy.reason=denied,spangate.policy.rejection=access"},
			},
		},
		"413": {
			policies: refused(fault.Refusal{Policy: "body", Reason: "too_large", Status: 413, Type: fault.BodyTooLarge}),
			want: seen{
				status: "Unset",
				span:   map[string]any{"http.response.status_code": int64(413), "spangate.policy.rejection": "body", "spangate.policy.reason": "too_large"},
				log:    map[string]any{"status": 413.0, "policy": "body", "reason": "too_large", "error_type": "body_too_large"},
				points: []string{"spangate.policy.rejections 1 spangate.policy.reason=too_large,spangate.policy.rejection=body"},
			},
		},
		"503": {
			policies: refused(fault.Refusal{Policy: "concurrency", Reason: "queue_full", Status: 503, Type: fault.Overloaded}),
			want: seen{
				status: "Error",
				span:   map[string]any{"http.response.status_code": int64(503), "error.type": "overloaded", "spangate.policy.rejection": "concurrency", "spangate.policy.reason": "queue_full"},
				log:    map[string]any{"status": 503.0, "policy": "concurrency", "reason": "queue_full", "error_type": "overloaded"},
				points: []string{"spangate.policy.rejections 1 spangate.policy.reason=queue_full,spangate.policy.rejection=concurrency"},
			},
		},
		"a client that went away is not refused": {
			policies: refused(fault.Refusal{Policy: "concurrency", Reason: "client_gone", Status: 499, Type: fault.ClientDisconnected}),
			want: seen{
				status: "Error",
				span:   map[string]any{"http.response.status_code": int64(499), "error.type": "client_disconnected"},
				log:    map[string]any{"status": 499.0, "error_type": "client_disconnected"},
			},
		},
		"a wait": {
			policies: func(tel *telemetry.Telemetry, _ policy.Refuse) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tel.Policies().Waited(r.Context(), 250*time.Millisecond) })
			},
			want: seen{
				status: "Unset",
				span:   map[string]any{"http.response.status_code": int64(200), "spangate.concurrency.wait": 0.25},
				log:    map[string]any{"status": 200.0, "queued": 0.25},
				points: []string{"spangate.concurrency.wait 1x 0.25 "},
			},
		},
		"a limit": {
			policies: func(tel *telemetry.Telemetry, reject policy.Refuse) http.Handler {
				limit := policy.NewConcurrency(policy.ConcurrencyConfig{Max: 3}, reject, tel.Policies())
				tel.ObserveConcurrency(func() int64 { return limit.Active() + 2 }, func() int64 { return limit.Queued() + 1 })
				return limit.Wrap(http.NotFoundHandler())
			},
			want: seen{
				status: "Unset", span: map[string]any{"http.response.status_code": int64(404)}, log: map[string]any{"status": 404.0},
				points: []string{"spangate.concurrency.active 2 ", "spangate.concurrency.queued 1 "},
			},
		},
		"an id": {
			policies: func(tel *telemetry.Telemetry, _ policy.Refuse) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tel.Policies().RequestID(r.Context(), "abc") })
			},
			want: seen{
				status: "Unset", span: map[string]any{"http.response.status_code": int64(200), "spangate.request.id": "abc"},
				log: map[string]any{"status": 200.0, "request_id": "abc"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, see(t, test.policies), cmp.AllowUnexported(seen{})); diff != "" {
				t.Errorf("what is seen (-want +got):\n%s", diff)
			}
		})
	}
}

// Outside of a request the hooks count, and do no harm.
func TestPolicyHooksAlone(t *testing.T) {
	tel := newTelemetry(nil, nil)
	tel.Policies().RequestID(context.Background(), "x")
	tel.Policies().Waited(context.Background(), time.Second)
	w := httptest.NewRecorder()
	tel.Refuse(func(w http.ResponseWriter, _ *http.Request, why fault.Refusal) { w.WriteHeader(why.Status) })(w, httptest.NewRequest("GET", "/", nil), fault.Refusal{Status: 403})
	if w.Code != 403 {
		t.Errorf("status %d", w.Code)
	}
}
