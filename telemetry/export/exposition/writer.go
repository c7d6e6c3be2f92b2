package exposition

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// writer appends to a page.
type writer struct {
	page        []byte
	openMetrics bool
	labels      []byte // of the series that is written, without braces
	ofScope     []byte // those of all of its scope
	names       map[attribute.Key]string
	pairs       []pair
}

type pair struct{ name, value string }

// target writes who is scraped, unless nothing is known of it.
func (w *writer) target(r *resource.Resource) {
	if r.Len() == 0 {
		return
	}
	w.labels = w.appendAttributes(w.labels[:0], r.Set(), nil)
	if w.openMetrics {
		w.comment("TYPE", "target", "info")
		w.comment("HELP", "target", "Target metadata")
	} else {
		w.comment("HELP", "target_info", "Target metadata")
		w.comment("TYPE", "target_info", "gauge")
	}
	w.series("target_info", "", "")
	w.page = append(w.page, "1\n"...)
}

func (w *writer) family(f *family) {
	name := f.name
	if f.kind == counter {
		name += "_total"
	}
	of := name
	if w.openMetrics {
		of = f.name
	}
	if f.help != "" {
		w.comment("HELP", of, f.help)
	}
	w.comment("TYPE", of, f.kind)
	if w.openMetrics && f.unit != "" {
		w.comment("UNIT", of, f.unit)
	}
	for _, from := range f.from {
		w.scope(from.scope)
		switch d := from.data.(type) {
		case metricdata.Gauge[int64]:
			values(w, name, false, d.DataPoints)
		case metricdata.Gauge[float64]:
			values(w, name, false, d.DataPoints)
		case metricdata.Sum[int64]:
			values(w, name, d.IsMonotonic, d.DataPoints)
		case metricdata.Sum[float64]:
			values(w, name, d.IsMonotonic, d.DataPoints)
		case metricdata.Histogram[int64]:
			histograms(w, name, d.DataPoints)
		case metricdata.Histogram[float64]:
			histograms(w, name, d.DataPoints)
		case metricdata.ExponentialHistogram[int64]:
			exponentials(w, name, d.DataPoints)
		case metricdata.ExponentialHistogram[float64]:
			exponentials(w, name, d.DataPoints)
		}
	}
}

func (w *writer) comment(what, of, text string) {
	w.page = append(w.page, "# "+what+" "+of+" "...)
	w.page = w.appendEscaped(w.page, text, w.openMetrics)
	w.page = append(w.page, '\n')
}

// scope makes the labels that all series of a scope have.
func (w *writer) scope(s instrumentation.Scope) {
	w.pairs = w.pairs[:0]
	for _, known := range []pair{{"otel_scope_name", s.Name}, {"otel_scope_version", s.Version}, {"otel_scope_schema_url", s.SchemaURL}} {
		if known.value != "" { // an empty label is none
			w.pairs = append(w.pairs, known)
		}
	}
	for it := s.Attributes.Iter(); it.Next(); {
		kv := it.Attribute()
		name := "otel_scope_" + labelName(string(kv.Key))
		if !slices.ContainsFunc(w.pairs, func(p pair) bool { return p.name == name }) {
			w.pairs = append(w.pairs, pair{name, kv.Value.String()})
		}
	}
	w.ofScope = w.appendPairs(w.ofScope[:0])
}

// point makes the labels of one series.
func (w *writer) point(attributes *attribute.Set) {
	w.labels = w.appendAttributes(w.labels[:0], attributes, isReserved)
	if len(w.labels) > 0 && len(w.ofScope) > 0 {
		w.labels = append(w.labels, ',')
	}
	w.labels = append(w.labels, w.ofScope...)
}

// isReserved reports whether a label is one that this package makes itself.
func isReserved(name string) bool { return name == "le" || strings.HasPrefix(name, "otel_scope_") }

// appendAttributes appends attributes as labels. Those that come to one name are one
// label, with all their values.
func (w *writer) appendAttributes(to []byte, attributes *attribute.Set, leaveOut func(name string) bool) []byte {
	w.pairs = w.pairs[:0]
	for it := attributes.Iter(); it.Next(); {
		kv := it.Attribute()
		name, known := w.names[kv.Key]
		if !known {
			name = labelName(string(kv.Key))
			if w.names == nil {
				w.names = map[attribute.Key]string{}
			}
			w.names[kv.Key] = name
		}
		if name == "" || leaveOut != nil && leaveOut(name) {
			continue
		}
		if i := slices.IndexFunc(w.pairs, func(p pair) bool { return p.name == name }); i >= 0 {
			w.pairs[i].value += ";" + kv.Value.String()
			continue
		}
		w.pairs = append(w.pairs, pair{name, kv.Value.String()})
	}
	return w.appendPairs(to)
}

func (w *writer) appendPairs(to []byte) []byte {
	for i, p := range w.pairs {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(append(to, p.name...), '=', '"')
		to = append(w.appendEscaped(to, p.value, true), '"')
	}
	return to
}

// series begins a line: the name with its ending, the labels, that of a bucket, a space.
func (w *writer) series(name, ending, le string) {
	w.page = append(append(w.page, name...), ending...)
	if len(w.labels) > 0 || le != "" {
		w.page = append(append(w.page, '{'), w.labels...)
		if le != "" {
			if len(w.labels) > 0 {
				w.page = append(w.page, ',')
			}
			w.page = append(append(append(w.page, `le="`...), le...), '"')
		}
		w.page = append(w.page, '}')
	}
	w.page = append(w.page, ' ')
}

func values[N int64 | float64](w *writer, name string, hasExemplars bool, points []metricdata.DataPoint[N]) {
	for i := range points {
		p := &points[i]
		w.point(&p.Attributes)
		w.series(name, "", "")
		w.page = appendNumber(w.page, p.Value)
		if hasExemplars {
			exemplar(w, p.Exemplars, math.Inf(-1), math.Inf(1))
		}
		w.page = append(w.page, '\n')
	}
}

func histograms[N int64 | float64](w *writer, name string, points []metricdata.HistogramDataPoint[N]) {
	for i := range points {
		p := &points[i]
		w.point(&p.Attributes)
		below, count := math.Inf(-1), uint64(0)
		for b, bound := range append(p.Bounds[:len(p.Bounds):len(p.Bounds)], math.Inf(1)) {
			if b < len(p.BucketCounts) {
				count += p.BucketCounts[b]
			}
			if math.IsInf(bound, 1) {
				count = p.Count
			}
			w.series(name, "_bucket", w.bound(bound))
			w.page = strconv.AppendUint(w.page, count, 10)
			exemplar(w, p.Exemplars, below, bound)
			w.page = append(w.page, '\n')
			below = bound
		}
		whole(w, name, p.Sum, p.Count)
	}
}

func exponentials[N int64 | float64](w *writer, name string, points []metricdata.ExponentialHistogramDataPoint[N]) {
	for i := range points {
		p := &points[i]
		w.point(&p.Attributes)
		w.series(name, "_bucket", w.bound(math.Inf(1)))
		w.page = strconv.AppendUint(w.page, p.Count, 10)
		exemplar(w, p.Exemplars, math.Inf(-1), math.Inf(1))
		w.page = append(w.page, '\n')
		whole(w, name, p.Sum, p.Count)
	}
}

// whole writes what a histogram comes to.
func whole[N int64 | float64](w *writer, name string, sum N, count uint64) {
	w.series(name, "_sum", "")
	w.page = append(appendNumber(w.page, sum), '\n')
	w.series(name, "_count", "")
	w.page = append(strconv.AppendUint(w.page, count, 10), '\n')
}

// longestExemplar is how many characters the labels of an exemplar may have.
const longestExemplar = 128

// exemplar writes the largest one with a trace that is above a bound and not above
// another. Its other attributes go with it where there is room for all of them.
func exemplar[N int64 | float64](w *writer, all []metricdata.Exemplar[N], above, to float64) {
	var largest *metricdata.Exemplar[N]
	for i := range all {
		e := &all[i]
		if v := float64(e.Value); len(e.TraceID) > 0 && v > above && v <= to && (largest == nil || e.Value > largest.Value) {
			largest = e
		}
	}
	if !w.openMetrics || largest == nil {
		return
	}
	w.pairs = append(w.pairs[:0], pair{"trace_id", hex.EncodeToString(largest.TraceID)}, pair{"span_id", hex.EncodeToString(largest.SpanID)})
	fixed, length := len(w.pairs), 0
	for _, kv := range largest.FilteredAttributes {
		if name := labelName(string(kv.Key)); !slices.ContainsFunc(w.pairs, func(p pair) bool { return p.name == name }) {
			w.pairs = append(w.pairs, pair{name, kv.Value.String()})
		}
	}
	for _, p := range w.pairs {
		length += utf8.RuneCountInString(p.name) + utf8.RuneCountInString(p.value)
	}
	if length > longestExemplar {
		w.pairs = w.pairs[:fixed]
	}
	w.page = append(w.page, " # {"...)
	w.page = append(w.appendPairs(w.page), "} "...)
	w.page = append(appendNumber(w.page, largest.Value), ' ')
	w.page = appendTime(w.page, largest.Time)
}

// appendTime appends seconds, with as many milliseconds as matter.
func appendTime(to []byte, t time.Time) []byte {
	return strconv.AppendFloat(to, float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// bound is the upper one of a bucket, as text. In OpenMetrics it is never a whole number.
func (w *writer) bound(v float64) string {
	text := string(appendNumber(nil, v))
	if w.openMetrics && !strings.ContainsAny(text, ".eI") {
		text += ".0"
	}
	return text
}

func appendNumber[N int64 | float64](to []byte, v N) []byte {
	switch v := any(v).(type) {
	case int64:
		return strconv.AppendInt(to, v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return append(to, "+Inf"...)
		case math.IsInf(v, -1):
			return append(to, "-Inf"...)
		}
		return strconv.AppendFloat(to, v, 'g', -1, 64)
	}
	return to
}

// appendEscaped appends a text as it may stand in a line, with quotes escaped if asked
// for.
func (w *writer) appendEscaped(to []byte, text string, quotes bool) []byte {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			to = append(to, `\\`...)
		case c == '\n':
			to = append(to, `\n`...)
		case c == '"' && quotes:
			to = append(to, `\"`...)
		default:
			to = append(to, c)
		}
	}
	return to
}
