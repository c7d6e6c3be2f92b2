package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLogOfGoogleCloud reads the lines of a request and of a change as Google
// Cloud Logging does.
func TestLogOfGoogleCloud(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=http://"+refusing(t), "PLATFORM=cloudrun", "GOOGLE_CLOUD_PROJECT=acme", "PROBE_MODE=active", "RETRY_ATTEMPTS=0")
	p.await(`"spangate.backend.state":"down"`)
	p.once(t.Context(), "GET", "/a%20b?token=s3cret", nil, "User-Agent: test")
	p.stop()
	lines := map[any]map[string]any{}
	for _, fields := range p.log.all(t) {
		if _, err := time.Parse(time.RFC3339Nano, fields["time"].(string)); err != nil {
			t.Error(err)
		}
		lines[fields["message"]] = fields
	}
	change, request := lines["backend state changed"], lines["request"]
	if change["severity"] != "WARNING" || request["severity"] != "ERROR" {
		t.Errorf("severities %v of a backend that is lost, %v of a request", change["severity"], request["severity"])
	}
	about := request["httpRequest"].(map[string]any)
	latency, _ := about["latency"].(string)
	if d, err := time.ParseDuration(latency); err != nil || d <= 0 {
		t.Errorf("latency %q: %v", latency, err)
	}
	delete(about, "latency")
	want := map[string]any{
		"requestMethod": "GET", "requestUrl": "http://" + p.addr + "/a%20b?token=REDACTED", "status": 503.0, "responseSize": about["responseSize"],
		"protocol": "HTTP/1.1", "remoteIp": "127.0.0.1", "userAgent": "test",
	}
	if diff := cmp.Diff(want, about); diff != "" {
		t.Errorf("httpRequest (-want +got):\n%s", diff)
	}
	for _, span := range p.spans("SERVER") {
		got := []any{request["logging.googleapis.com/trace"], request["logging.googleapis.com/spanId"], request["logging.googleapis.com/trace_sampled"]}
		if diff := cmp.Diff([]any{"projects/acme/traces/" + span.TraceID, span.SpanID, true}, got); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
		if size, _ := about["responseSize"].(string); size != fmt.Sprint(span.Attributes["http.response.body.size"]) {
			t.Errorf("responseSize %q, want %v", size, span.Attributes["http.response.body.size"])
		}
	}
}
