package otlp_test

import (
	"bytes"
	"testing"
	"testing/iotest"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/export/otlp"
)

// A request is the same in however small pieces it is read.
func TestReader(t *testing.T) {
	within := otlp.Bounds{Length: -1, Depth: -1}
	a := otlp.NewScope(instrumentation.Scope{Name: "a", SchemaURL: semconv.SchemaURL}, within)
	b := otlp.NewScope(instrumentation.Scope{Name: "b", Version: "1"}, within)
	long := bytes.Repeat([]byte("x"), 300)
	for name, items := range map[string][]otlp.Item{
		"nothing":    nil,
		"one":        {{Scope: a, Bytes: []byte("span")}},
		"empty ones": {{Scope: a}, {Scope: a}},
		"two scopes": {{Scope: a, Bytes: long}, {Scope: b, Bytes: []byte("1")}, {Scope: a, Bytes: []byte("2")}, {Scope: b, Bytes: long}},
	} {
		for about, of := range map[string]*resource.Resource{
			"no resource": resource.Empty(),
			"a resource":  resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName("shop")),
		} {
			written := otlp.NewResource(of)
			want := written.Request(items)
			if n := written.Read(items).Len(); n != len(want) {
				t.Errorf("%s, %s: it says that it has %d bytes, and has %d", name, about, n, len(want))
			}
			if err := iotest.TestReader(written.Read(items), want); err != nil {
				t.Errorf("%s, %s: %v", name, about, err)
			}
		}
	}
}
