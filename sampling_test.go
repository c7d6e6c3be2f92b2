package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/otlptest"
)

// TestKeptRequests samples nothing: what is exported of requests is of those
// that went wrong, and the program's own spans.
func TestKeptRequests(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "BACKENDS="+backend.URL, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0", "RETRY_ATTEMPTS=1", "RETRY_BACKOFF=1ms", "TRACE_KEEP=error,retry")
	for _, statuses := range [][]int{{200}, {503, 200}, {200}, {503, 503}, {500}} {
		go func() {
			for _, status := range statuses {
				backend.statuses <- status
			}
		}()
		p.once(t.Context(), "GET", "/", nil)
	}
	p.stop()
	got := otlptest.Tree(slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool {
		return s.Name == "probe" || s.Name == "backend_state_change"
	}), "spangate.sampling.reason", "http.response.status_code")
	want := "GET SERVER Unset spangate.sampling.reason=retry http.response.status_code=200\n" +
		"  GET CLIENT Error http.response.status_code=503\n  retry INTERNAL Unset\n  GET CLIENT Unset http.response.status_code=200 link=2\n" +
		"GET SERVER Error spangate.sampling.reason=error http.response.status_code=503\n" +
		"  GET CLIENT Error http.response.status_code=503\n  retry INTERNAL Unset\n  GET CLIENT Error http.response.status_code=503 link=6\n" +
		"GET SERVER Error spangate.sampling.reason=error http.response.status_code=500\n" +
		"  GET CLIENT Error http.response.status_code=500\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// Cloud Run's front end starts a trace for each request and samples next to
// none: its word is heard, but does not decide.
func TestUnsampledParentOfAPlatform(t *testing.T) {
	t.Parallel()
	for platform, want := range map[string]int{"none": 0, "cloudrun": 2} {
		p := start(t, "PLATFORM="+platform, "BACKENDS=echo:a", "TRUSTED_PROXIES=127.0.0.0/8")
		p.once(t.Context(), "GET", "/", nil, "Traceparent: "+callersParent+"-00")
		p.stop()
		got := slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool { return s.TraceID != callersTrace })
		if len(got) != want {
			t.Errorf("%s: %d spans of the caller's trace, want %d", platform, len(got), want)
		}
	}
}

// A platform's proxy that starts a trace for each request and samples next to
// none must not decide what is recorded, though its word is believed.
func TestCloudRunRecordsWhatItsProxyDoesNot(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PLATFORM=cloudrun", "TRUSTED_PROXIES=127.0.0.0/8")
	p.once(t.Context(), "GET", "/", nil, "traceparent: "+callersParent+"-00")
	p.stop()
	for _, span := range p.spans("SERVER") {
		if span.TraceID == callersTrace && span.ParentID == callersSpan {
			return
		}
	}
	t.Errorf("no SERVER span in the proxy's trace among %v", p.collector.Spans())
}
