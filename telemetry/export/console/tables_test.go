package console

import (
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	of "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/export/otlp"
)

func messagesOf(items []otlp.Item) (all [][]byte) {
	for _, item := range items {
		all = append(all, item.Bytes)
	}
	return all
}

func TestMetrics(t *testing.T) {
	on := func(kv ...of.KeyValue) of.Set { return of.NewSet(kv...) }
	const total = metricdata.CumulativeTemporality
	items, err := otlp.Metrics([]metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{
		{Name: "spangate.retry.budget", Unit: "{retry}", Data: metricdata.Gauge[float64]{DataPoints: []metricdata.DataPoint[float64]{{Value: 0.5}}}},
		{Name: "http.server.request.duration", Unit: "s", Data: metricdata.Histogram[float64]{Temporality: total, DataPoints: []metricdata.HistogramDataPoint[float64]{
			{Count: 3, Sum: 0.0123456, Min: metricdata.NewExtrema(0.001), Max: metricdata.NewExtrema(0.009), Attributes: on(of.Int("http.response.status_code", 200), of.String("error.type", "a b"))},
			{Attributes: on(of.Bool("none", true))},
		}}},
		{Name: "exponential", Data: metricdata.ExponentialHistogram[int64]{Temporality: total, DataPoints: []metricdata.ExponentialHistogramDataPoint[int64]{
			{Count: 2, Sum: 7, Min: metricdata.NewExtrema[int64](3), Max: metricdata.NewExtrema[int64](4), Scale: 2, Attributes: on(of.String("k", "v"))},
		}}},
		{Name: "count\n", Unit: "{\x1b}", Data: metricdata.Sum[int64]{Temporality: total, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{{Value: math.MaxInt64, Attributes: on(of.String("k\u202e", "\n"))}}}},
		{Name: "empty", Data: metricdata.Gauge[int64]{}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `count\n                                   9223372036854775807       {\u001b} k\u202e=\n
exponential                               count=2 mean=3.5 min=3 max=4  k=v
http.server.request.duration              count=0                   s none=true
http.server.request.duration              count=3 mean=0.004115 min=0.001 max=0.009 s error.type="a b" http.response.status_code=200
spangate.retry.budget                     0.5                       {retry}
`
	if diff := cmp.Diff(want, string(Metrics(messagesOf(items), false))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if coloured := string(Metrics(messagesOf(items), true)); !strings.Contains(coloured, "\x1b[1mexponential\x1b[0m  ") {
		t.Errorf("in colours: %q", coloured)
	}
}

func TestRecords(t *testing.T) {
	const at = 1700000000123456789
	text := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	var records [][]byte
	for _, r := range []*logs.LogRecord{
		{
			TimeUnixNano: at, SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_WARN, SeverityText: "WARN", EventName: "spangate.backend.state_changed", Body: text("backend state changed"),
			Attributes: []*common.KeyValue{{Key: "spangate.backend", Value: text("http://a")}, {Key: "error.type", Value: text("timeout")}}, TraceId: []byte("\xab\xcd\x00\x00567890123456"), SpanId: []byte("12345678"),
		},
		{ObservedTimeUnixNano: at + 1e9, SeverityText: "a\x1b", Body: text("x\n\u202e" + strings.Repeat("y", 300))},
	} {
		record, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	want := `2023-11-14T22:13:20.123Z WARN backend state changed event.name=spangate.backend.state_changed error.type=timeout spangate.backend=http://a trace=abcd0000
2023-11-14T22:13:21.123Z a\u001b x\n\u202e` + strings.Repeat("y", 197) + "…\n"
	if diff := cmp.Diff(want, string(Records(records, false))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line := range strings.Lines(string(Records(records, false))) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("something is hidden in %q", line)
		}
	}
	if coloured := string(Records(records, true)); !strings.Contains(coloured, " \x1b[31mWARN\x1b[0m \x1b[1mbackend state changed\x1b[0m ") {
		t.Errorf("in colours: %q", coloured)
	}
}
