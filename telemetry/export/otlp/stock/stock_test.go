// Package stock records what the SDK's exporters send of the corpus. It is a module of
// its own, so that nothing else needs these, and gRPC's client with them.
package stock

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"spangate/telemetry/otlptest/corpus"
)

var update = flag.Bool("update", false, "write the recordings")

// TestRecordings holds that the recordings are what the exporters send.
func TestRecordings(t *testing.T) {
	for name, tt := range map[string]struct {
		export         func(context.Context, string) error
		sent, recorded proto.Message // a request is one of these in other words
	}{
		"metrics": {exportMetrics, &metrics.MetricsData{}, &metrics.MetricsData{}},
		"logs":    {exportLogs, &logs.LogsData{}, &logs.LogsData{}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := proto.Unmarshal(sent(t, tt.export), tt.sent); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("..", "testdata", name+".json")
			if *update {
				write(t, file, tt.sent)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal(text, tt.recorded); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.sent, tt.recorded, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("-update writes it anew (-sent +recorded):\n%s", diff)
			}
		})
	}
}

// sent returns the body of the one request that export makes.
func sent(t *testing.T, export func(context.Context, string) error) []byte {
	t.Helper()
	bodies := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- body
	}))
	defer collector.Close()
	if err := export(t.Context(), collector.URL); err != nil {
		t.Fatal(err)
	}
	return <-bodies
}

func exportMetrics(ctx context.Context, url string) error {
	e, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(url))
	if err != nil {
		return err
	}
	return e.Export(ctx, &metricdata.ResourceMetrics{Resource: corpus.Resource(), ScopeMetrics: corpus.Metrics()})
}

func exportLogs(ctx context.Context, url string) error {
	e, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(url))
	if err != nil {
		return err
	}
	return e.Export(ctx, corpus.Records())
}

// write writes a message as JSON with a field a line; protojson means its own spaces to
// differ from build to build.
func write(t *testing.T, file string, m proto.Message) {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	if err := json.Indent(&lines, text, "", " "); err != nil {
		t.Fatal(err)
	}
	lines.WriteByte('\n')
	if err := os.WriteFile(file, lines.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
