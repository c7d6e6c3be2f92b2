package export

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/otlp"
)

// A batch that no collector takes is not sent.
func TestLargestRequest(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer collector.Close()
	var lines bytes.Buffer
	d := testDelivery(&lines, nothingLost)
	d.target.url = collector.URL
	err := newSender(d, resource.Empty()).send(t.Context(), []otlp.Item{{Scope: &otlp.Scope{}, Bytes: make([]byte, largestRequest)}})
	if err == nil || !strings.Contains(err.Error(), "of which 67108864 can be sent at once") {
		t.Errorf("it failed of %v", err)
	}
	if !strings.Contains(lines.String(), "telemetry is not delivered") {
		t.Errorf("it is not told: %q", lines.String())
	}
}

func TestPartialSuccessIsRead(t *testing.T) {
	for answer, want := range map[string]string{
		"":                               "",
		"\x0a\x00":                       "",
		"\x0a\x02\x08\x00":               "",
		"\x0a\x02\x08\x05":               "partial success: empty message (5 rejected)",
		"\x0a\x05\x12\x03why":            "partial success: why (0 rejected)",
		"\x0a\x07\x08\x05\x12\x03why":    "partial success: why (5 rejected)",
		"\x12\x01x\x0a\x02\x08\x05\x18a": "partial success: empty message (5 rejected)",
		"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01": "partial success: empty message (-1 rejected)",
		"\x0a\x05\x08":     "the answer is no message: unexpected EOF",
		"<html>not found":  "the answer is no message: proto:",
		"\x0a\x02\x12\x05": "the answer is no message: unexpected EOF",
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
