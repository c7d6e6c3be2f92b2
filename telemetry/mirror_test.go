package telemetry_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// TestMirror holds that what a mirror is sent is no part of the trace of the request:
// neither its span nor what the mirror is told to be part of; that it is linked to it, and
// sampled as it is.
func TestMirror(t *testing.T) {
	for _, test := range []struct {
		name    string
		sampler sdktrace.Sampler
		want    string
	}{
		{"sampled", sdktrace.AlwaysSample(), `GET server
GET client http://v1, below GET server
GET client http://shadow, root, linked to GET server, a copy
v1 gets 01, of the request's trace
shadow gets 01, of its own
`},
		{"not sampled", sdktrace.NeverSample(), `v1 gets 00, of the request's trace
shadow gets 00, of its own
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cfg struct {
				Balancer balancer.Config
				Mirror   balancer.MirrorConfig
			}
			if _, _, err := config.Load(&cfg, []string{"BACKENDS=http://v1", "MIRROR_BACKENDS=http://shadow", "MIRROR=100%"}); err != nil {
				t.Fatal(err)
			}
			meter, reader := metering()
			recorder := tracetest.NewSpanRecorder()
			tel := telemetry.From(telemetry.Config{}, export.Providers{
				Tracer:     sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(test.sampler)),
				Propagator: propagation.TraceContext{}, Meter: meter,
			}, nil, slog.New(slog.DiscardHandler)).Routes("read")[0]
			var mu sync.Mutex
			got := map[string]string{} // trace context by host
			sent := make(chan struct{})
			answer := func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				got[r.URL.Host] = r.Header.Get("Traceparent")
				return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody}, nil
			}
			hooks := tel.Mirror()
			told := hooks.Sent
			hooks.Sent = func(ctx context.Context) {
				told(ctx)
				close(sent)
			}
			pool := poolOf(t, tel, cfg.Mirror.Pool(cfg.Balancer), answer)
			mirror := balancer.NewMirror(cfg.Mirror, cfg.Balancer.Retry.BodyLimit, pool, balancer.Retry(cfg.Balancer.Retry, poolOf(t, tel, cfg.Balancer, answer)), hooks)
			forward := tel.Forward(mirror)
			var request trace.SpanContext
			tel.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				request = trace.SpanContextFromContext(r.Context())
				resp, err := forward.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(w, resp.Body)
				resp.Body.Close()
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			<-sent
			var text strings.Builder
			text.WriteString(toldOfMirror(recorder.Ended()))
			for _, host := range []string{"v1", "shadow"} {
				parent := strings.Split(got[host], "-")
				of := "of its own"
				if len(parent) == 4 && parent[1] == request.TraceID().String() {
					of = "of the request's trace"
				}
				text.WriteString(fmt.Sprintf("%s gets %s, %s\n", host, parent[len(parent)-1], of))
			}
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, name := range []string{"spangate.mirror.requests", "http.client.request.duration"} {
				if diff := cmp.Diff([]string{"read"}, routesOf(t, reader)[name]); diff != "" {
					t.Errorf("the routes of %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// toldOfMirror renders spans in the order of their starts.
func toldOfMirror(spans []sdktrace.ReadOnlySpan) string {
	var server, main, copied string
	names := map[trace.SpanID]string{}
	for _, span := range spans {
		names[span.SpanContext().SpanID()] = span.Name() + " " + span.SpanKind().String()
	}
	for _, span := range spans {
		set := attribute.NewSet(span.Attributes()...)
		backend, _ := set.Value("spangate.backend")
		text := names[span.SpanContext().SpanID()]
		if span.SpanKind() == trace.SpanKindServer {
			server += text + "\n"
			continue
		}
		if text += " " + backend.AsString() + ", root"; span.Parent().IsValid() {
			text = strings.TrimSuffix(text, "root") + "below " + names[span.Parent().SpanID()]
		}
		for _, link := range span.Links() {
			text += ", linked to " + names[link.SpanContext.SpanID()]
		}
		if is, _ := set.Value("spangate.mirror"); is.AsBool() {
			copied += text + ", a copy\n"
			continue
		}
		main += text + "\n"
	}
	return server + main + copied
}
