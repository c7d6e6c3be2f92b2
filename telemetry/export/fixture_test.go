package export_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"spangate/telemetry/export"
	"spangate/telemetry/export/series"
	"spangate/telemetry/otlptest"
)

// logged keeps log lines and tells of their arrival.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
	came  chan struct{} // holds one
}

func newLogged() *logged { return &logged{came: make(chan struct{}, 1)} }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.came <- struct{}{}:
	default:
	}
	return l.lines.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// start returns running pipelines; the test shuts them down.
func start(t testing.TB, environ map[string]string, log *slog.Logger, stdout io.Writer) *export.Pipelines {
	t.Helper()
	pipelines, err := export.New(mustParse(t, environ), export.Process{}, log, stdout)
	if err != nil {
		t.Fatal(err)
	}
	return pipelines
}

func shutdown(t testing.TB, pipelines *export.Pipelines) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := pipelines.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// record makes n spans, a measurement and an event.
func record(t testing.TB, pipelines *export.Pipelines, n int) {
	t.Helper()
	tracer, meter := pipelines.Tracer.Tracer("test"), pipelines.Meter.Meter("test", "")
	for i := range n {
		_, span := tracer.Start(t.Context(), fmt.Sprint("span ", i))
		span.End()
	}
	meter.Counter(series.Description{Name: "test.count"}).Of().Add(t.Context(), 7)
	if pipelines.Events != nil {
		ctx, span := tracer.Start(t.Context(), "with event")
		slog.New(pipelines.Events).InfoContext(ctx, "backend is down", "event.name", "spangate.backend.state", "backend", "a")
		span.End()
	}
}

// selfMetrics returns the points of otel.sdk.*, by what follows in their names, but for
// how long something took.
func selfMetrics(metrics []otlptest.Metric) map[string]float64 {
	counts := map[string]float64{}
	for _, m := range metrics {
		name, ok := strings.CutPrefix(m.Name, "otel.sdk.")
		for _, p := range m.Points {
			key := name
			if cause, failed := p.Attributes["error.type"]; failed {
				key += " " + fmt.Sprint(cause)
			}
			if ok && m.Kind != "histogram" {
				counts[key] += p.Value
			}
		}
	}
	return counts
}

// spanCounts returns the points of spangate.telemetry.spans.
func spanCounts(metrics []otlptest.Metric) map[string]float64 {
	counts := map[string]float64{}
	for _, m := range metrics {
		if m.Name != "spangate.telemetry.spans" {
			continue
		}
		for _, p := range m.Points {
			key := fmt.Sprint(p.Attributes["spangate.telemetry.result"])
			if cause, ok := p.Attributes["error.type"]; ok {
				key += " " + fmt.Sprint(cause)
			}
			counts[key] = p.Value
		}
	}
	return counts
}
