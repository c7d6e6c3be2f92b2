package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/export"
	"spangate/telemetry/otlptest"
)

// TestStatusOfTelemetry asks the program how delivery does, to a collector and
// to an address where nobody is.
func TestStatusOfTelemetry(t *testing.T) {
	t.Parallel()
	const brief = "OTEL_BSP_SCHEDULE_DELAY=10"
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=none", brief)
	p.once(t.Context(), "GET", "/", nil)
	p.collector.WaitSpans(t, func(spans []otlptest.Span) bool { return len(spans) == 2 })
	var traces export.Status
	for traces.Items == nil || traces.Exported < 2 { // the collector had them before its answer
		all := p.status(t).Telemetry
		if len(all) != 2 || all[1].Signal != "metrics" {
			t.Fatalf("status of telemetry: %+v", all)
		}
		traces = all[0]
	}
	if traces.Delivered == nil {
		t.Error("nothing says when it was delivered")
	}
	traces.Delivered = nil
	want := export.Status{Signal: "traces", Endpoint: p.collector.URL() + "/v1/traces", Items: &export.Items{Capacity: 2048, Exported: 2}}
	if diff := cmp.Diff(want, traces); diff != "" {
		t.Errorf("of traces (-want +got):\n%s", diff)
	}

	away := "http://" + refusing(t)
	p = start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=none", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+away, brief)
	p.once(t.Context(), "GET", "/", nil)
	p.await("telemetry is not delivered")
	traces = p.status(t).Telemetry[0]
	if traces.Endpoint != away+"/" || traces.FailingSince == nil || !strings.Contains(traces.Error, "refused") || traces.Exported != 0 {
		t.Errorf("of traces that go nowhere: %+v", traces)
	}
}

// A text that is not UTF-8 cannot be sent, and neither could the batch with it.
func TestTextsThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "RATE_LIMIT=2/h", "RATE_LIMIT_KEY=global")
	for range 3 { // the last is denied, which is an event
		sendRaw(t, p.addr, "GET /?\xff HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b\xff\r\nUser-Agent: c\xff\r\nConnection: close\r\n\r\n")
	}
	p.stop()
	got := map[string]int{}
	for _, span := range p.spans("SERVER") {
		got[fmt.Sprintf("%v %v %v", span.Attributes["url.query"], span.Attributes["server.address"], span.Attributes["user_agent.original"])]++
	}
	// A host that is none is not believed, whoever says so.
	if diff := cmp.Diff(map[string]int{"\uFFFD a c\uFFFD": 3}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, point := range p.points("spangate.telemetry.spans") {
		if point.Attributes["spangate.telemetry.result"] != "exported" && point.Value > 0 {
			t.Errorf("%v spans were %v", point.Value, point.Attributes)
		}
	}
}

// Nobody reads what the console exporters write: the program serves, delivers
// what it can, and leaves.
func TestConsoleThatNobodyReads(t *testing.T) {
	t.Parallel()
	collector := otlptest.NewServer(t)
	unread, stdout := io.Pipe()
	defer stdout.Close()
	first := make(chan string, 1)
	go func() { // the line that says where it listens, and no more
		for lines := bufio.NewScanner(unread); lines.Scan(); {
			if _, rest, ok := strings.Cut(lines.Text(), `"address":"`); ok {
				address, _, _ := strings.Cut(rest, `"`)
				first <- address
				return
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{
			"BACKENDS=echo:a", "HOST=127.0.0.1", "PORT=0", "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=20s", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL(),
			"OTEL_TRACES_EXPORTER=otlp,console", "OTEL_METRICS_EXPORTER=otlp,console", "OTEL_LOGS_EXPORTER=otlp,console",
		}, stdout)
	}()
	p := &program{addr: <-first}
	for range 20 {
		p.once(t.Context(), "GET", "/", nil)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if n := len(collector.Spans()); n != 40 {
		t.Errorf("the collector received %d spans, want 40", n)
	}
	if len(collector.Metrics()) == 0 {
		t.Error("the collector received no metrics")
	}
}
