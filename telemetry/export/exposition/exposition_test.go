package exposition

import (
	"flag"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

var update = flag.Bool("update", false, "write what is got as what is wanted")

func set(kvs ...attribute.KeyValue) attribute.Set { return attribute.NewSet(kvs...) }

// everything has a metric of each kind, and what texts, names and numbers can be.
func everything() *metricdata.ResourceMetrics {
	at := time.Unix(1_700_000_000, 250_000_000)
	exemplars := func(values ...float64) (all []metricdata.Exemplar[float64]) {
		for i, v := range values {
			all = append(all, metricdata.Exemplar[float64]{
				Value: v, Time: at, TraceID: []byte{15: byte(i + 1)}, SpanID: []byte{7: byte(i + 1)},
				FilteredAttributes: []attribute.KeyValue{attribute.String("http.route", "/a")},
			})
		}
		return all
	}
	cumulative, delta := metricdata.CumulativeTemporality, metricdata.DeltaTemporality
	server := metricdata.ScopeMetrics{
		Scope: instrumentation.Scope{Name: "server", Version: "1.2", SchemaURL: "https://example.com/1.44", Attributes: set(attribute.String("team", "edge"), attribute.String("name", "hidden"))},
		Metrics: []metricdata.Metrics{
			{Name: "http.server.request.duration", Unit: "s", Description: "How \"long\"\nin C:\\", Data: metricdata.Histogram[float64]{
				Temporality: cumulative, DataPoints: []metricdata.HistogramDataPoint[float64]{{
					Attributes: set(attribute.String("http.request.method", "GET"), attribute.Int("http.response.status_code", 200)),
					Bounds:     []float64{0.005, 1, 2.5}, BucketCounts: []uint64{1, 2, 0, 1}, Count: 4, Sum: 7.25, Exemplars: exemplars(0.004, 0.5, 0.9, 5),
				}, {Bounds: []float64{0.005, 1, 2.5}, BucketCounts: make([]uint64, 4)}},
			}},
			{Name: "body.size", Unit: "By", Data: metricdata.Histogram[int64]{Temporality: cumulative, DataPoints: []metricdata.HistogramDataPoint[int64]{{
				Attributes: set(attribute.Bool("le", true)), Bounds: []float64{1e6}, BucketCounts: []uint64{2, 0}, Count: 2, Sum: 7,
			}}}},
			{Name: "jobs", Unit: "{job}", Description: "Jobs.", Data: metricdata.Sum[int64]{Temporality: cumulative, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{
				{Value: 9, Exemplars: []metricdata.Exemplar[int64]{{Value: 1, Time: at}, {Value: 1, Time: at, TraceID: make([]byte, 16), SpanID: make([]byte, 8), FilteredAttributes: []attribute.KeyValue{attribute.String("long", string(make([]byte, 100)))}}}},
			}}},
			{Name: "seconds.total", Unit: "s", Data: metricdata.Sum[float64]{Temporality: cumulative, IsMonotonic: true, DataPoints: []metricdata.DataPoint[float64]{{Value: 1.5}}}},
			{Name: "rate", Unit: "By/s", Data: metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{
				{Attributes: set(attribute.String("is", "inf")), Value: math.Inf(1)}, {Attributes: set(attribute.String("is", "negative")), Value: math.Inf(-1)},
				{Attributes: set(attribute.String("is", "nan")), Value: math.NaN()}, {Attributes: set(attribute.String("is", "large")), Value: 1e300},
			}}},
			{Name: "share", Unit: "1", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 1}}}},
			{Name: "up", Unit: "1", Data: metricdata.Sum[int64]{Temporality: cumulative, DataPoints: []metricdata.DataPoint[int64]{{
				Value: -1, Attributes: set(attribute.String("a.b", "1"), attribute.String("a_b", "2"), attribute.String("quote", "\"\\\n"), attribute.String("bytes", "\xff"),
					attribute.String("otel.scope.name", "taken"), attribute.String("1st", "digit"), attribute.StringSlice("list", []string{"x", "y"})),
			}}}},
			{Name: "exponential", Data: metricdata.ExponentialHistogram[float64]{Temporality: cumulative, DataPoints: []metricdata.ExponentialHistogramDataPoint[float64]{{Count: 3, Sum: 6}}}},
			{Name: "left.out.delta", Data: metricdata.Sum[int64]{Temporality: delta, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{{Value: 1}}}},
			{Name: "left.out.histogram", Data: metricdata.Histogram[int64]{Temporality: delta, DataPoints: []metricdata.HistogramDataPoint[int64]{{}}}},
			{Name: "left.out.summary", Data: metricdata.Summary{}},
		},
	}
	client := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: "client"}, Metrics: []metricdata.Metrics{
		{Name: "jobs", Description: "Another text.", Data: metricdata.Sum[int64]{Temporality: cumulative, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{{Value: 3}}}},
		{Name: "share.ratio", Description: "Of another kind.", Data: metricdata.Sum[int64]{Temporality: cumulative, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{{Value: 3}}}},
		{Name: "jobs.total", Description: "As a counter's series.", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 3}}}},
		{Name: "body.size.bytes.count", Description: "As a histogram's series.", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 3}}}},
		{Name: "target.info", Description: "As the resource's series.", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 3}}}},
	}}
	return &metricdata.ResourceMetrics{
		Resource:     resource.NewSchemaless(attribute.String("service.name", "spangate"), attribute.Int("process.pid", 7)),
		ScopeMetrics: []metricdata.ScopeMetrics{server, client},
	}
}

func TestPages(t *testing.T) {
	for f, file := range map[Format]string{Text004: "testdata/everything.txt", OpenMetrics100: "testdata/everything.om"} {
		got := string(Append([]byte("kept"), f, everything()))[len("kept"):]
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	for one, other := range map[Format]Format{Text004: Text100, OpenMetrics100: OpenMetrics001} {
		if diff := cmp.Diff(string(Append(nil, one, everything())), string(Append(nil, other, everything()))); diff != "" {
			t.Errorf("%s and %s differ:\n%s", one.ContentType(), other.ContentType(), diff)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	nothing := &metricdata.ResourceMetrics{}
	if got := string(Append(nil, Text004, nothing)); got != "" {
		t.Errorf("text is %q", got)
	}
	if got := string(Append(nil, OpenMetrics100, nothing)); got != "# EOF\n" {
		t.Errorf("OpenMetrics is %q", got)
	}
}

func TestNames(t *testing.T) {
	gauge := metricdata.Gauge[float64]{}
	counter := metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
	level := metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality}
	for _, tt := range []struct {
		name, unit   string
		data         metricdata.Aggregation
		family, ends string
	}{
		{"http.server.duration", "s", gauge, "http_server_duration_seconds", "seconds"},
		{"memory.used", "By", level, "memory_used_bytes", "bytes"},
		{"gogc", "%", level, "gogc_percent", "percent"},
		{"expires.in", "d", gauge, "expires_in_days", "days"},
		{"requests", "{request}", counter, "requests", ""},
		{"requests.total", "{request}", counter, "requests", ""},
		{"requests.total", "{request}", level, "requests_total", ""},
		{"cpu.seconds", "s", counter, "cpu_seconds", "seconds"},
		{"seconds.of.cpu", "s", counter, "seconds_of_cpu", ""},
		{"speed", "By/s", gauge, "speed_bytes_per_second", "bytes_per_second"},
		{"pace", "{request}/s", gauge, "pace_per_second", "per_second"},
		{"share", "1", gauge, "share_ratio", "ratio"},
		{"ratio.of.hits", "1", gauge, "of_hits_ratio", "ratio"},
		{"status", "1", level, "status", ""},
		{"other", "foo-bar", gauge, "other_foo_bar", "foo_bar"},
		{"a..b__c-d", "", gauge, "a_b_c_d", ""},
		{"recorded:rule", "", gauge, "recorded:rule", ""},
		{"3xx", "", gauge, "_3xx", ""},
		{"日本", "", gauge, "_", ""},
		{"", "", gauge, "_", ""},
	} {
		if family, ends := familyName(tt.name, tt.unit, tt.data); family != tt.family || ends != tt.ends {
			t.Errorf("%q in %q is %q, ending in %q; want %q, ending in %q", tt.name, tt.unit, family, ends, tt.family, tt.ends)
		}
	}
}

// Whatever a metric and an attribute are called, what they are called here is legal.
func FuzzNames(f *testing.F) {
	legal := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	f.Add("http.server.request.duration", "s")
	f.Add("3xx", "{request}/s")
	f.Add("日本", "ratio/")
	f.Fuzz(func(t *testing.T, name, unit string) {
		for _, data := range []metricdata.Aggregation{metricdata.Gauge[float64]{}, metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}} {
			family, ends := familyName(name, unit, data)
			if !legal.MatchString(family) || ends != "" && !strings.HasSuffix(family, "_"+ends) {
				t.Errorf("%q in %q is %q, ending in %q", name, unit, family, ends)
			}
		}
		if label := labelName(name); name != "" && (!legal.MatchString(label) || strings.Contains(label, ":")) {
			t.Errorf("%q is %q", name, label)
		}
	})
}
