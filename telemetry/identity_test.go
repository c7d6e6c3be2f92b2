package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"spangate/balancer"
	"spangate/balancer/identity"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// TestWhoWaitsForAToken has three requests wait for one fetch. It is part of the trace of
// the first, where that has one; from the others a link leads to it. No span says what
// tokens are asked with.
func TestWhoWaitsForAToken(t *testing.T) {
	for _, test := range []struct {
		name    string
		unsaved string // the request of which no span is kept
		want    []string
	}{
		{"all are sampled", "", []string{"/1 identity", "/1 POST", "/2 identity, linked to /1 POST", "/3 identity, linked to /1 POST"}},
		{"the first is not", "/1", []string{"a trace of its own POST, linked to another", "/2 identity, linked to a trace of its own POST", "/3 identity, linked to a trace of its own POST"}},
		{"the second is not", "/2", []string{"/1 identity", "/1 POST", "/3 identity, linked to /1 POST"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meter, _ := metering()
				recorder := tracetest.NewSpanRecorder()
				tel := telemetry.From(telemetry.Config{}, export.Providers{
					Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample()))),
					Meter:  meter,
				}, nil, slog.New(slog.DiscardHandler))
				hooks := tel.Balancer(balancer.RoundRobin).Identity
				fetch := hooks.Fetch
				hooks.Fetch = func(r identity.Request, _ identity.Fetch) identity.Fetch {
					return fetch(r, func(context.Context) (identity.Token, error) {
						time.Sleep(time.Second)
						return identity.Token{}, errors.New("an outage")
					})
				}
				cfg := identity.Config{TokenURL: "https://issuer.example/token?key=s3cret", ClientID: "me", ClientSecret: "s3cret"}
				signer := new(identity.Sources).Signer(cfg, identity.Purpose{Kind: identity.OAuth2}, hooks)
				traces := map[trace.TraceID]string{}
				for _, path := range []string{"/1", "/2", "/3"} {
					id := trace.TraceID{15: path[1]}
					traces[id] = path
					flags := trace.FlagsSampled
					if path == test.unsaved {
						flags = 0
					}
					r := httptest.NewRequest("GET", path, nil)
					r = r.WithContext(trace.ContextWithRemoteSpanContext(r.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true})))
					go tel.Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						if _, _, err := signer.Sign(r); err == nil {
							t.Error("there is a token")
						}
					})).ServeHTTP(httptest.NewRecorder(), r)
					synctest.Wait() // so that they come one after another
				}
				time.Sleep(time.Second)
				synctest.Wait()
				name := func(sc trace.SpanContext) string {
					if of := traces[sc.TraceID()]; of != "" {
						return of
					}
					return "a trace of its own"
				}
				spans, names := recorder.Ended(), map[trace.SpanID]string{}
				for _, span := range spans {
					names[span.SpanContext().SpanID()] = name(span.SpanContext()) + " " + span.Name()
				}
				var got []string
				for _, span := range spans {
					if strings.Contains(fmt.Sprint(span.Attributes(), span.Status(), span.Events()), "s3cret") {
						t.Errorf("%s shows a secret: %v", span.Name(), span.Attributes())
					}
					if span.SpanKind() == trace.SpanKindServer {
						continue
					}
					var text strings.Builder
					text.WriteString(names[span.SpanContext().SpanID()])
					for _, link := range span.Links() {
						to := names[link.SpanContext.SpanID()]
						if to == "" {
							to = "another"
						}
						text.WriteString(", linked to " + to)
					}
					got = append(got, text.String())
				}
				slices.Sort(got)
				slices.Sort(test.want)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
			})
		})
	}
}
