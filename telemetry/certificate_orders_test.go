package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mholt/acmez/v3/acme"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	orders "spangate/handler/acme"
	"spangate/handler/certificate"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// An order is a span for as long as it took, an event, and counted.
func TestOrders(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	meter, reader := metering()
	var log bytes.Buffer
	tel := telemetry.From(telemetry.Config{}, export.Providers{
		Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), Meter: meter,
	}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	hooks := tel.Front().Issued
	began := time.Now().Add(-time.Minute)
	limited := acme.Problem{Type: acme.ProblemTypeRateLimited, Status: 429, Detail: "too many\nof them"}
	hooks.Ordered(orders.Order{Name: "a.test", Began: began, Ended: began.Add(time.Second), Challenge: "http-01", Certificate: certificate.Info{Name: "a.test", NotAfter: began.Add(time.Hour)}})
	hooks.Ordered(orders.Order{Name: "a.test", Renewal: true, Began: began, Ended: began.Add(2 * time.Second), Err: fmt.Errorf("order: %w", limited), Next: began.Add(time.Hour)})
	hooks.Loaded(certificate.Info{Name: "b.test", NotAfter: began.Add(time.Hour)})
	hooks.State("account.pem", errors.New("no PEM"))

	var spans []string
	for _, s := range recorder.Ended() {
		spans = append(spans, fmt.Sprint(s.Name(), " ", s.EndTime().Sub(s.StartTime()), " ", s.Status().Code, " ", s.Parent().IsValid()))
	}
	if diff := cmp.Diff([]string{"certificate_order 1s Unset false", "certificate_order 2s Error false"}, spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if m.Name == "spangate.acme.orders" {
			for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
				result, _ := point.Attributes.Value("spangate.acme.result")
				kind, _ := point.Attributes.Value("error.type")
				counts[result.AsString()+" "+kind.AsString()] += point.Value
			}
		}
	}
	if diff := cmp.Diff(map[string]int64{"issued ": 1, "failed rateLimited": 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	for i, words := range [][]string{
		{"INFO", "spangate.tls.certificate_issued", "spangate.acme.challenge=http-01", "spangate.tls.certificate=a.test"},
		{"WARN", "spangate.tls.certificate_order_failed", "error.type=rateLimited", "spangate.acme.renewal=true", "too many", "spangate.acme.next_order="},
		{"INFO", "spangate.tls.certificate_loaded", "b.test"},
		{"WARN", "spangate.acme.state_failed", "account.pem", "no PEM"},
	} {
		line := strings.Split(log.String(), "\n")[i]
		for _, word := range words {
			if !strings.Contains(line, word) {
				t.Errorf("%s is not in %s", word, line)
			}
		}
	}
}
