package otlptest

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// Metric is one instrument of one program, with the latest point of each of
// its series.
type Metric struct {
	Name, Unit, Description string
	Kind                    string // counter, updowncounter, gauge, histogram or exponential_histogram
	Temporality             string // cumulative or delta; empty for a gauge
	Points                  []Point
	Resource                map[string]any
	Scope                   string
}

// Point is the latest value of a series: since the start when the temporality
// is cumulative, else since the export before.
type Point struct {
	Attributes map[string]any
	Value      float64 // of counters and gauges

	Count     uint64 // of histograms, as all that follow
	Sum       float64
	Bounds    []float64
	Counts    []uint64 // one more than bounds; of exponential ones the positive buckets
	Exemplars []Exemplar
}

// Exemplar is a measurement that was kept with its trace.
type Exemplar struct {
	Value           float64
	TraceID, SpanID string
}

// series is a point with the metric that it belongs to; the metric's Points
// are empty.
type series struct {
	metric Metric
	point  Point
}

func (s *Server) addMetrics(r *colmetrics.ExportMetricsServiceRequest) {
	for _, rm := range r.GetResourceMetrics() {
		resource := attributes(rm.GetResource().GetAttributes())
		for _, sm := range rm.GetScopeMetrics() {
			for _, p := range sm.GetMetrics() {
				m := Metric{
					Name:        p.GetName(),
					Unit:        p.GetUnit(),
					Description: p.GetDescription(),
					Resource:    resource,
					Scope:       sm.GetScope().GetName(),
				}
				for _, point := range points(&m, p) {
					// fmt prints maps sorted by key.
					s.series[fmt.Sprint(m.key(), point.Attributes)] = series{m, point}
				}
			}
		}
	}
}

func (m Metric) key() string { return fmt.Sprintf("%s %s %v", m.Name, m.Scope, m.Resource) }

// points returns the points of p and completes m with their kind.
func points(m *Metric, p *metrics.Metric) []Point {
	switch data := p.GetData().(type) {
	case *metrics.Metric_Gauge:
		m.Kind = "gauge"
		return numbers(data.Gauge.GetDataPoints())
	case *metrics.Metric_Sum:
		m.Kind = "updowncounter"
		if data.Sum.GetIsMonotonic() {
			m.Kind = "counter"
		}
		m.Temporality = temporality(data.Sum.GetAggregationTemporality())
		return numbers(data.Sum.GetDataPoints())
	case *metrics.Metric_Histogram:
		m.Kind, m.Temporality = "histogram", temporality(data.Histogram.GetAggregationTemporality())
		var list []Point
		for _, p := range data.Histogram.GetDataPoints() {
			list = append(list, Point{
				Attributes: attributes(p.GetAttributes()),
				Count:      p.GetCount(),
				Sum:        p.GetSum(),
				Bounds:     p.GetExplicitBounds(),
				Counts:     p.GetBucketCounts(),
				Exemplars:  exemplars(p.GetExemplars()),
			})
		}
		return list
	case *metrics.Metric_ExponentialHistogram:
		m.Kind, m.Temporality = "exponential_histogram", temporality(data.ExponentialHistogram.GetAggregationTemporality())
		var list []Point
		for _, p := range data.ExponentialHistogram.GetDataPoints() {
			list = append(list, Point{
				Attributes: attributes(p.GetAttributes()),
				Count:      p.GetCount(),
				Sum:        p.GetSum(),
				Counts:     p.GetPositive().GetBucketCounts(),
				Exemplars:  exemplars(p.GetExemplars()),
			})
		}
		return list
	}
	return nil
}

func numbers(points []*metrics.NumberDataPoint) []Point {
	var list []Point
	for _, p := range points {
		value := p.GetAsDouble()
		if _, ok := p.GetValue().(*metrics.NumberDataPoint_AsInt); ok {
			value = float64(p.GetAsInt())
		}
		list = append(list, Point{
			Attributes: attributes(p.GetAttributes()),
			Value:      value,
			Exemplars:  exemplars(p.GetExemplars()),
		})
	}
	return list
}

func exemplars(ps []*metrics.Exemplar) []Exemplar {
	var list []Exemplar
	for _, p := range ps {
		value := p.GetAsDouble()
		if _, ok := p.GetValue().(*metrics.Exemplar_AsInt); ok {
			value = float64(p.GetAsInt())
		}
		list = append(list, Exemplar{
			Value:   value,
			TraceID: hex.EncodeToString(p.GetTraceId()),
			SpanID:  hex.EncodeToString(p.GetSpanId()),
		})
	}
	return list
}

func temporality(t metrics.AggregationTemporality) string {
	switch t {
	case metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA:
		return "delta"
	case metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE:
		return "cumulative"
	}
	return ""
}

// sortedMetrics gathers the series of each metric, sorted by their attributes.
func (s *Server) sortedMetrics() []Metric {
	var list []Metric
	for _, key := range slices.Sorted(maps.Keys(s.series)) {
		next := s.series[key]
		last := len(list) - 1
		if last < 0 || list[last].key() != next.metric.key() {
			list = append(list, next.metric)
			last++
		}
		list[last].Points = append(list[last].Points, next.point)
	}
	return list
}
