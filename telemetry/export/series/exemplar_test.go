package series_test

import (
	"context"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/export/series"
)

// examples returns those of durations, in which a counter's are told as well.
func examples(t *testing.T, r sdkmetric.Reader) (all []metricdata.Exemplar[float64]) {
	for _, m := range collected(t, r) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, e := range data.DataPoints[0].Exemplars {
				all = append(all, metricdata.Exemplar[float64]{Time: e.Time, Value: float64(e.Value), TraceID: e.TraceID, SpanID: e.SpanID})
			}
		case metricdata.Histogram[float64]:
			all = append(all, data.DataPoints[0].Exemplars...)
		case metricdata.ExponentialHistogram[float64]:
			all = append(all, data.DataPoints[0].Exemplars...)
		}
	}
	return all
}

// recorders are the instruments that have exemplars, each with a reader of its own.
func recorders(filter exemplar.Filter, temporality sdkmetric.TemporalitySelector) map[string]struct {
	record func(context.Context, time.Duration)
	read   *sdkmetric.ManualReader
} {
	all := map[string]struct {
		record func(context.Context, time.Duration)
		read   *sdkmetric.ManualReader
	}{}
	for name, make := range map[string]func(*series.Meter) func(context.Context, time.Duration){
		"counter": func(m *series.Meter) func(context.Context, time.Duration) {
			counter := m.Counter(named("counter")).Of()
			return func(ctx context.Context, _ time.Duration) { counter.Add(ctx, 1) }
		},
		"buckets": func(m *series.Meter) func(context.Context, time.Duration) {
			return m.Durations(named("durations"), bounds...).Of().Record
		},
		"exponential": func(m *series.Meter) func(context.Context, time.Duration) {
			return m.Durations(named("durations")).Of().Record
		},
	} {
		v := view{"", temporality, sdkmetric.DefaultAggregationSelector}
		if name == "exponential" {
			v.aggregation = exponential(160)
		}
		m, reader := reading(filter, v)
		all[name] = struct {
			record func(context.Context, time.Duration)
			read   *sdkmetric.ManualReader
		}{make(m), reader}
	}
	return all
}

// TestExemplars holds which measurements become exemplars, and what is told of them.
func TestExemplars(t *testing.T) {
	sampled, unsampled := spanned(1, trace.FlagsSampled), spanned(2, 0)
	for _, test := range []struct {
		name   string
		filter exemplar.Filter
		ctx    context.Context
		want   bool
		id     byte // of its span; 0: it has none
	}{
		{"of a sampled trace", exemplar.TraceBasedFilter, sampled, true, 1},
		{"of one that is not", exemplar.TraceBasedFilter, unsampled, false, 0},
		{"of none", exemplar.TraceBasedFilter, context.Background(), false, 0},
		{"always", exemplar.AlwaysOnFilter, unsampled, true, 2},
		{"always, of none", exemplar.AlwaysOnFilter, context.Background(), true, 0},
		{"never", exemplar.AlwaysOffFilter, sampled, false, 0},
		{"without a filter", nil, sampled, false, 0},
	} {
		for name, instrument := range recorders(test.filter, sdkmetric.CumulativeTemporalitySelector) {
			before := time.Now()
			instrument.record(test.ctx, time.Second)
			got := examples(t, instrument.read)
			if (len(got) == 1) != test.want {
				t.Errorf("%s, %s: %d exemplars", test.name, name, len(got))
				continue
			}
			if !test.want {
				continue
			}
			e := got[0]
			if e.Value != 1 || e.Time.Before(before) || e.Time.After(time.Now()) {
				t.Errorf("%s, %s: %+v", test.name, name, e)
			}
			if test.id == 0 && len(e.TraceID)+len(e.SpanID) > 0 || test.id != 0 && (e.TraceID[15] != test.id || e.SpanID[7] != test.id) {
				t.Errorf("%s, %s: of span %x-%x", test.name, name, e.TraceID, e.SpanID)
			}
		}
	}
}

// Among those that may be an exemplar each is with the same chance, not the first, nor
// the latest.
func TestExemplarsAreChosenAtRandom(t *testing.T) {
	const rounds, each, parts = 2500, 100, 5
	for name, instrument := range recorders(exemplar.TraceBasedFilter, sdkmetric.DeltaTemporalitySelector) {
		var chosen [parts]int
		all := 0
		for range rounds {
			for i := range each {
				instrument.record(spanned(byte(i+1), trace.FlagsSampled), 30*time.Millisecond)
			}
			for _, e := range examples(t, instrument.read) {
				chosen[(int(e.TraceID[15])-1)*parts/each]++
				all++
			}
		}
		if want := rounds; all != want && name != "exponential" || all != 20*want && name == "exponential" {
			t.Errorf("%s: %d exemplars of %d collections", name, all, rounds)
		}
		for part, n := range chosen {
			if share := float64(n) / float64(all) * parts; share < 0.75 || share > 1.25 { // six times the deviation of the least
				t.Errorf("%s: %d of %d exemplars are of part %d of %d", name, n, all, part, parts)
			}
		}
	}
}

// Where few traces are sampled an exemplar is of one of these, and still hardly anybody
// looks at a context.
func TestExemplarsAreSeldomLookedFor(t *testing.T) {
	const all = 100_000
	for _, test := range []struct {
		name  string
		every int // which of them is of a sampled trace
		most  int // looks
	}{
		{"all are sampled", 1, 500},
		{"one in a hundred is", 100, 5000},
		{"none is", all + 1, 1000},
	} {
		looks := 0
		for name, instrument := range recorders(func(ctx context.Context) bool { looks++; return exemplar.TraceBasedFilter(ctx) }, sdkmetric.DeltaTemporalitySelector) {
			looks = 0
			for i := range all {
				flags := trace.TraceFlags(0)
				if (i+1)%test.every == 0 {
					flags = trace.FlagsSampled
				}
				instrument.record(spanned(1, flags), 30*time.Millisecond)
			}
			if got := len(examples(t, instrument.read)); looks > test.most || (got > 0) != (test.every < all) {
				t.Errorf("%s, %s: looked at %d contexts for %d exemplars", test.name, name, looks, got)
			}
		}
	}
}

// An exemplar is told of until there is another one, or with delta once.
func TestExemplarsLast(t *testing.T) {
	for name, temporality := range map[string]sdkmetric.TemporalitySelector{"cumulative": sdkmetric.CumulativeTemporalitySelector, "delta": sdkmetric.DeltaTemporalitySelector} {
		for kind, instrument := range recorders(exemplar.TraceBasedFilter, temporality) {
			var ids []byte
			for id := range byte(3) {
				flags := trace.TraceFlags(0)
				if id != 1 {
					flags = trace.FlagsSampled
				}
				instrument.record(spanned(id+1, flags), time.Second)
				for _, e := range examples(t, instrument.read) {
					ids = append(ids, e.TraceID[15])
				}
			}
			want := map[string]string{"cumulative": "\x01\x01\x03", "delta": "\x01\x03"}[name]
			if kind == "exponential" && name == "cumulative" {
				want = "\x01\x01\x01\x03" // it has room for both
			}
			if string(ids) != want {
				t.Errorf("%s, %s: exemplars of spans %v, want %v", name, kind, ids, []byte(want))
			}
		}
	}
}
