package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write the golden file of metrics anew")

// TestScenarios holds what a collector receives in each scenario: the trees
// beside them, and the metrics in testdata/metrics.txt.
func TestScenarios(t *testing.T) {
	var mu sync.Mutex
	metrics := make(map[string][]string) // by scenario
	t.Run("spans", func(t *testing.T) {
		for name, s := range scenarios {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				collector := startCollector(t, "127.0.0.1:0", "127.0.0.1:0")
				s.playOn(t, collector.environment("http/protobuf")...)
				collector.finish(t)
				if diff := cmp.Diff(s.want, tree(collector.plain())); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
				mu.Lock()
				metrics[name] = collector.kinds()
				mu.Unlock()
			})
		}
	})
	if t.Failed() || len(metrics) < len(scenarios) {
		return // a part of them was asked for
	}

	const golden = "testdata/metrics.txt"
	got := metricSets(metrics)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics, as -update would write them (-want +got):\n%s", diff)
	}
}

// metricSets lists the metrics that all scenarios have, and then those that
// each has besides.
func metricSets(metrics map[string][]string) string {
	seen := make(map[string]int)
	for _, lines := range metrics {
		for _, line := range lines {
			seen[line]++
		}
	}
	var b strings.Builder
	b.WriteString("in each scenario\n")
	for _, line := range slices.Sorted(maps.Keys(seen)) {
		if seen[line] == len(metrics) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		fmt.Fprintf(&b, "\n%s\n", name)
		for _, line := range metrics[name] {
			if seen[line] < len(metrics) {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	return b.String()
}

// plain returns the spans that were received.
func (c *collector) plain() []span { return plain(c.spans) }

func plain(spans []ptrace.Span) []span {
	var all []span
	for _, s := range spans {
		one := span{
			id:         s.SpanID().String(),
			parent:     s.ParentSpanID().String(),
			name:       s.Name(),
			kind:       strings.ToUpper(s.Kind().String()),
			status:     s.Status().Code().String(),
			attributes: make(map[string]string),
			start:      s.StartTimestamp().AsTime(),
			end:        s.EndTimestamp().AsTime(),
		}
		for key, value := range s.Attributes().All() {
			one.attributes[key] = value.AsString()
		}
		for _, link := range s.Links().All() {
			one.links = append(one.links, link.SpanID().String())
		}
		all = append(all, one)
	}
	return all
}

// kinds describes each metric that was received: its name, kind and unit, and
// the attributes that any of its points has. The duration of connections is left
// out: whether one ends before the last export is nobody's promise.
func (c *collector) kinds() []string {
	all := make(map[string]map[string]bool)
	for _, metric := range c.metrics {
		if metric.Name() == "http.client.connection.duration" {
			continue
		}
		kind, points := describe(metric)
		key := fmt.Sprintf("%s %s %s", metric.Name(), kind, metric.Unit())
		if all[key] == nil {
			all[key] = make(map[string]bool)
		}
		for _, attributes := range points {
			for name := range attributes.All() {
				all[key][name] = true
			}
		}
	}
	var lines []string
	for key, attributes := range all {
		lines = append(lines, strings.TrimSpace(key+" "+strings.Join(slices.Sorted(maps.Keys(attributes)), ",")))
	}
	slices.Sort(lines)
	return lines
}

func describe(metric pmetric.Metric) (kind string, points []pcommon.Map) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range metric.Gauge().DataPoints().All() {
			points = append(points, p.Attributes())
		}
		return "gauge", points
	case pmetric.MetricTypeSum:
		for _, p := range metric.Sum().DataPoints().All() {
			points = append(points, p.Attributes())
		}
		if metric.Sum().IsMonotonic() {
			return "counter", points
		}
		return "updowncounter", points
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			points = append(points, p.Attributes())
		}
		return "histogram", points
	}
	return metric.Type().String(), nil
}
