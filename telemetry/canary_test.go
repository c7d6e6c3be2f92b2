package telemetry_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/probe"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// poolOf returns a pool of one backend, at which tel's hooks are told of what answers.
func poolOf(t *testing.T, tel *telemetry.Telemetry, cfg balancer.Config, answer func(*http.Request) (*http.Response, error)) *balancer.Pool {
	t.Helper()
	hooks := tel.Balancer(cfg.Algorithm)
	decorate := hooks.Attempt
	hooks.Attempt = func(b *balancer.Backend, ready func() int, _ http.RoundTripper) http.RoundTripper {
		return decorate(b, ready, roundTrip(answer))
	}
	pool, err := balancer.New(cfg, probe.Config{Mode: probe.ModeOff}, hooks)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// TestCanary holds what is told of a canary that fails, is aborted, tried and has its
// share again.
func TestCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cfg struct {
			Balancer balancer.Config
			Canary   balancer.CanaryConfig
		}
		if _, _, err := config.Load(&cfg, []string{"BACKENDS=http://v1", "RETRY_ON=500", "CANARY_BACKENDS=http://v2", "CANARY=100%", "CANARY_ABORT=errors>20%/1m"}); err != nil {
			t.Fatal(err)
		}
		recorder := tracetest.NewSpanRecorder()
		var log bytes.Buffer
		tel := telemetry.From(telemetry.Config{}, export.Providers{
			Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), Propagator: propagation.TraceContext{},
		}, nil, slog.New(slog.NewTextHandler(&log, nil)))
		status := http.StatusInternalServerError
		answers := func(status *int) func(*http.Request) (*http.Response, error) {
			return func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: *status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody}, nil
			}
		}
		ok := http.StatusOK
		stable := balancer.Retry(cfg.Balancer.Retry, poolOf(t, tel, cfg.Balancer, answers(&ok)))
		canary := balancer.NewCanary(cfg.Canary, stable, poolOf(t, tel, cfg.Canary.Pool(cfg.Balancer), answers(&status)), tel.Canary())
		forward := tel.Forward(canary)
		server := tel.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := forward.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(w, resp.Body)
			resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
		}))
		ask := func(n int) {
			for range n {
				server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
		}
		ask(6)
		status = http.StatusOK
		time.Sleep(time.Minute)
		ask(500)
		time.Sleep(time.Minute)
		ask(1)

		want := `GET side=canary backend=http://v1
GET side=canary backend=http://v1
GET side=canary backend=http://v1
GET side=canary backend=http://v1
GET side=canary backend=http://v1
GET side=stable backend=http://v1
canary_state_change active to aborted, errors, 60s, 5 of 5, links: 5 attempts
canary_state_change aborted to trial, waited, 60s, 0 of 0, links: the change before
canary_state_change trial to active, passed, 0s, 0 of some, links: the change before
`
		if diff := cmp.Diff(want, toldOfCanary(recorder.Ended())); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		if text := log.String(); strings.Count(text, "event.name=spangate.canary.state_changed") != 3 || strings.Count(text, "level=WARN") != 1 {
			t.Errorf("the log is\n%s", text)
		}
	})
}

// toldOfCanary renders the first spans of requests, and all of changes, with what they
// are linked to.
func toldOfCanary(spans []sdktrace.ReadOnlySpan) string {
	var requests, changes strings.Builder
	attempts, before := map[trace.SpanID]bool{}, trace.SpanID{}
	shown := 0
	get := func(span sdktrace.ReadOnlySpan, key string) string {
		set := attribute.NewSet(span.Attributes()...)
		value, _ := set.Value(attribute.Key(key))
		return value.String()
	}
	for _, span := range spans {
		if span.SpanKind() == trace.SpanKindClient {
			attempts[span.SpanContext().SpanID()] = get(span, "spangate.backend") == "http://v2"
		}
	}
	for _, span := range spans {
		get := func(key string) string { return get(span, key) }
		switch {
		case span.SpanKind() == trace.SpanKindServer && shown < 6:
			shown++
			fmt.Fprintf(&requests, "%s side=%s backend=%s\n", span.Name(), get("spangate.canary.side"), get("spangate.backend"))
		case span.Name() == "canary_state_change":
			causes, links := 0, ""
			for _, link := range span.Links() {
				switch id := link.SpanContext.SpanID(); {
				case attempts[id]:
					causes++
				case id == before:
					links = "the change before"
				}
			}
			if causes > 0 {
				links += fmt.Sprintf("%d attempts", causes)
			}
			failures, all, wait := get("spangate.canary.failures"), get("spangate.canary.attempts"), get("spangate.canary.wait")
			if get("spangate.canary.reason") == "passed" {
				all = "some"
			}
			fmt.Fprintf(&changes, "%s %s to %s, %s, %ss, %s of %s, links: %s\n", span.Name(), get("spangate.canary.previous_state"), get("spangate.canary.state"), get("spangate.canary.reason"), zero(wait), zero(failures), zero(all), links)
			before = span.SpanContext().SpanID()
		}
	}
	return requests.String() + changes.String()
}

func zero(text string) string {
	if text == "" || text == "<nil>" {
		return "0"
	}
	return text
}
