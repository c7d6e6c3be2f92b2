package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// collectorConfig writes to standard output, which the test reads as a pipe:
// what was received is seen as it comes, and no file has to be watched.
const collectorConfig = `
receivers:
  otlp:
    protocols:
      http: {endpoint: %q}
      grpc: {endpoint: %q}
exporters:
  file: {path: /dev/stdout, flush_interval: 10ms}
service:
  telemetry:
    logs: {encoding: json}
    metrics: {level: none}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
    metrics: {receivers: [otlp], exporters: [file]}
    logs: {receivers: [otlp], exporters: [file]}
`

// collector is an OpenTelemetry Collector and what it has received.
type collector struct {
	*process
	http, grpc string // addresses of its two receivers

	mu      sync.Mutex
	spans   []ptrace.Span
	metrics []pmetric.Metric
	arrived chan struct{} // closed, and replaced, when something was received
}

// startCollector returns once the collector listens, on the two given
// addresses; port 0 picks a free one.
func startCollector(t *testing.T, http, grpc string) *collector {
	t.Helper()
	return runCollector(t, fmt.Sprintf(collectorConfig, http, grpc))
}

// runCollector returns once a collector of this configuration listens.
func runCollector(t *testing.T, config string) *collector {
	t.Helper()
	c := &collector{arrived: make(chan struct{})}
	ready := make(chan struct{})
	cmd := exec.Command(collectorBinary, "--config", "yaml:"+config)
	c.process = start(t, cmd,
		func(line []byte) {
			if err := c.receive(line); err != nil {
				t.Errorf("%v in what the collector wrote: %.200s", err, line)
			}
		},
		func(line []byte) {
			var entry struct{ Msg, Endpoint string }
			if json.Unmarshal(line, &entry) != nil {
				return
			}
			switch entry.Msg {
			case "Starting HTTP server":
				c.http = entry.Endpoint
			case "Starting GRPC server":
				c.grpc = entry.Endpoint
			case "Everything is ready. Begin running and processing data.":
				close(ready)
			}
		})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-ready:
	case <-c.done:
		t.Fatalf("the collector ended before it listened: %v", c.err)
	case <-ctx.Done():
		t.Fatal("the collector never said that it listens")
	}
	return c
}

// environment tells spangate to export to this collector.
func (c *collector) environment(protocol string) []string {
	endpoint := c.http
	if protocol == "grpc" {
		endpoint = c.grpc
	}
	return []string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + endpoint,
	}
}

// receive takes one line of OTLP's JSON encoding, which has one message of one
// signal.
func (c *collector) receive(line []byte) error {
	var spans []ptrace.Span
	var metrics []pmetric.Metric
	switch {
	case bytes.HasPrefix(line, []byte(`{"resourceSpans"`)):
		traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(line)
		if err != nil {
			return err
		}
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	case bytes.HasPrefix(line, []byte(`{"resourceMetrics"`)):
		all, err := new(pmetric.JSONUnmarshaler).UnmarshalMetrics(line)
		if err != nil {
			return err
		}
		for _, resource := range all.ResourceMetrics().All() {
			for _, scope := range resource.ScopeMetrics().All() {
				for _, metric := range scope.Metrics().All() {
					metrics = append(metrics, metric)
				}
			}
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	c.metrics = append(c.metrics, metrics...)
	close(c.arrived)
	c.arrived = make(chan struct{})
	return nil
}

// await blocks until the SERVER span arrived of a request of post's of which ok
// is true.
func (c *collector) await(t *testing.T, what string, ok func(n int) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	served := func(span ptrace.Span) bool {
		n, err := strconv.ParseUint(span.TraceID().String(), 16, 64)
		return err == nil && span.Kind() == ptrace.SpanKindServer && ok(int(n))
	}
	for {
		c.mu.Lock()
		found, arrived := slices.ContainsFunc(c.spans, served), c.arrived
		c.mu.Unlock()
		if found {
			return
		}
		select {
		case <-arrived:
		case <-c.done:
			t.Fatalf("the collector ended before it received %s: %v", what, c.err)
		case <-ctx.Done():
			t.Fatalf("the collector never received %s", what)
		}
	}
}

// finish ends the collector, after which all that it received can be read
// without a lock.
func (c *collector) finish(t *testing.T) {
	t.Helper()
	if err := c.terminate(t); err != nil {
		t.Fatalf("the collector ended: %v", err)
	}
}

// requests are the SERVER spans by id, and the CLIENT spans by the id of their
// parent: those of probes have no SERVER span for a parent, so nobody who looks
// one up finds them.
func (c *collector) requests() (server map[string]ptrace.Span, attempts map[string][]ptrace.Span) {
	server, attempts = make(map[string]ptrace.Span), make(map[string][]ptrace.Span)
	for _, span := range c.spans {
		switch span.Kind() {
		case ptrace.SpanKindServer:
			server[span.SpanID().String()] = span
		case ptrace.SpanKindClient:
			parent := span.ParentSpanID().String()
			attempts[parent] = append(attempts[parent], span)
		}
	}
	return server, attempts
}

// histogram is the last that was received of a cumulative histogram, its
// points of all attribute sets added.
type histogram struct {
	Unit   string
	Bounds []float64
	Count  uint64
	Sum    float64
}

func (c *collector) histogram(name string) histogram {
	var last histogram
	for _, metric := range c.metrics {
		if metric.Name() != name || metric.Type() != pmetric.MetricTypeHistogram {
			continue
		}
		last = histogram{Unit: metric.Unit()}
		for _, point := range metric.Histogram().DataPoints().All() {
			last.Bounds = point.ExplicitBounds().AsRaw()
			last.Count += point.Count()
			last.Sum += point.Sum()
		}
	}
	return last
}
