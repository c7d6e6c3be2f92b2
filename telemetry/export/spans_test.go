package export

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/tracer"
)

// A batch that no collector takes is not sent.
func TestLargestRequest(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer collector.Close()
	to := target{signal: "traces", url: collector.URL}
	c := &spanClient{delivery: delivery{target: to}, client: to.client(), resource: tracer.NewResource(resource.Empty())}
	err := c.export(context.Background(), spanBatch{{Scope: &tracer.Scope{}, Bytes: make([]byte, largestRequest)}})
	if err == nil || !strings.Contains(err.Error(), "of which 67108864 can be sent at once") {
		t.Errorf("it failed of %v", err)
	}
}

func TestPartialSuccessIsRead(t *testing.T) {
	for answer, want := range map[string]string{
		"":                               "",
		"\x0a\x00":                       "",
		"\x0a\x02\x08\x00":               "",
		"\x0a\x02\x08\x05":               "OTLP partial success: empty message (5 spans rejected)",
		"\x0a\x05\x12\x03why":            "OTLP partial success: why (0 spans rejected)",
		"\x0a\x07\x08\x05\x12\x03why":    "OTLP partial success: why (5 spans rejected)",
		"\x12\x01x\x0a\x02\x08\x05\x18a": "OTLP partial success: empty message (5 spans rejected)",
		"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01": "OTLP partial success: empty message (-1 spans rejected)",
		"\x0a\x05\x08":     "unexpected EOF",
		"<html>not found":  "proto:",
		"\x0a\x02\x12\x05": "unexpected EOF",
	} {
		var got string
		if err := partialSuccess([]byte(answer)); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q says %q, want %q", answer, got, want)
		}
	}
}
