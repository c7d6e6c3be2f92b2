//go:build !race

package tracer_test

import (
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"spangate/telemetry/export/tracer"
)

// Spans that nobody takes leave no memory with those that somebody does, as when a full
// queue has room for one now and then; and those of which all are taken waste none.
func TestMemoryOfSpansThatWait(t *testing.T) {
	const spans = 500
	for name, taken := range map[string]int{"all": 1, "every hundredth": 100} {
		var ended []*tracer.Ended
		n := 0
		p := tracer.New(tracer.Config{Sampler: sdktrace.AlwaysSample(), Limits: sdktrace.NewSpanLimits(), Export: func(e *tracer.Ended) bool {
			if n++; n%taken != 0 {
				return false
			}
			ended = append(ended, e)
			return true
		}})
		before := allocated()
		for range spans * taken {
			_, span := p.Tracer("test").Start(t.Context(), "span")
			span.SetAttributes(attribute.String("text", strings.Repeat("x", 500)))
			span.End()
		}
		if each := (allocated() - before) / spans; each > 4000 {
			t.Errorf("%s: a span that waits takes %d bytes", name, each)
		}
		runtime.KeepAlive(ended)
	}
}

func allocated() uint64 {
	runtime.GC()
	runtime.GC() // also of what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
