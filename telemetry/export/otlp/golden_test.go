package otlp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/otlptest/corpus"
)

// TestAsTheExporters holds that what is written is what the SDK's exporters send, of
// which testdata has a recording; the module in the folder stock makes it.
func TestAsTheExporters(t *testing.T) {
	items, err := otlp.Metrics(append(corpus.Metrics(), corpus.Unknown()...))
	if err == nil || !strings.Contains(err.Error(), `["no data" "no temporality" "nor here" "strange temporality"]`) {
		t.Errorf("metrics that OTLP has no word for: %v", err)
	}
	from := otlp.NewResource(corpus.Resource())
	for name, tt := range map[string]struct {
		got       []byte
		message   proto.Message
		recording proto.Message
	}{
		"metrics": {from.Request(items), &metrics.MetricsData{}, &metrics.MetricsData{}},
		"logs":    {from.Request(otlp.Records(corpus.Records())), &logs.LogsData{}, &logs.LogsData{}},
	} {
		t.Run(name, func(t *testing.T) {
			recorded, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal(recorded, tt.recording); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(tt.got, tt.message); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.recording, tt.message, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("(-SDK +ours):\n%s", diff)
			}
			if size := proto.Size(tt.recording); size != len(tt.got) {
				t.Errorf("it takes %d bytes, of which %d are enough", len(tt.got), size)
			}
		})
	}
}

// A text that is no UTF-8 is sent as one that is, wherever it stands.
func TestTextsAreUTF8(t *testing.T) {
	const bad, good = "a\xffb", "a\uFFFDb"
	attributes := []attribute.KeyValue{
		attribute.String(bad, bad), attribute.StringSlice("list", []string{bad}), attribute.Map("map", attribute.String(bad, bad)),
	}
	set := attribute.NewSet(attributes...)
	items, err := otlp.Metrics([]metricdata.ScopeMetrics{{
		Scope: instrumentation.Scope{Name: bad, Version: bad, SchemaURL: bad, Attributes: set},
		Metrics: []metricdata.Metrics{{Name: bad, Description: bad, Unit: bad, Data: metricdata.Gauge[int64]{
			DataPoints: []metricdata.DataPoint[int64]{{Attributes: set, Exemplars: []metricdata.Exemplar[int64]{{FilteredAttributes: attributes}}}},
		}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var message metrics.MetricsData
	if err := proto.Unmarshal(otlp.NewResource(resource.NewWithAttributes(bad, attributes...)).Request(items), &message); err != nil {
		t.Fatal(err)
	}
	if text := protojson.Format(&message); strings.Count(text, good) != 27 {
		t.Errorf("%d texts were mended, want 27:\n%s", strings.Count(text, good), text)
	}
}
