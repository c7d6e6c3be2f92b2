package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCallersDecision holds what becomes of what callers who are believed say of their
// trace: whose child the request is, whether it is exported, and what the backend is told.
func TestCallersDecision(t *testing.T) {
	t.Parallel()
	const (
		off  = "OTEL_TRACES_SAMPLER=parentbased_always_off"
		anew = "TRACE_UNSAMPLED_PARENT=resample"
	)
	root := "Root=1-" + callersTrace[:8] + "-" + callersTrace[8:]
	caller := callersTrace + "-" + callersSpan
	const theirs, ours = "their trace, ", "our trace, "
	for name, test := range map[string]struct {
		environ, format, fields string
		want                    string
	}{
		"B3 that leaves it open":           {"", "b3", "b3: " + caller, theirs + "their span, 2 exported, B3 1"},
		"in several fields":                {"", "b3multi", "X-B3-TraceId: " + callersTrace + "|X-B3-SpanId: " + callersSpan, theirs + "their span, 2 exported, X-B3-Sampled 1"},
		"to who samples no trace":          {off, "b3", "b3: " + caller, "0 exported, B3 0"},
		"B3 that samples, to the same":     {off, "b3", "b3: " + caller + "-1", theirs + "their span, 2 exported, B3 1"},
		"B3 that debugs, to the same":      {off, "b3", "b3: " + caller + "-d", theirs + "their span, 2 exported, B3 d"},
		"B3 that only samples":             {off, "b3", "b3: 1", ours + "2 exported, B3 1"},
		"B3 that denies":                   {"", "b3", "b3: 0", "0 exported, B3 0"},
		"in a field of several":            {"", "b3multi", "X-B3-Sampled: 0", "0 exported, X-B3-Sampled 0"},
		"decided anew":                     {anew, "b3", "b3: 0", ours + "2 exported, B3 1"},
		"whatever a caller says":           {"OTEL_TRACES_SAMPLER=always_on", "b3", "b3: 0", ours + "2 exported, B3 1"},
		"B3 that denies for its span":      {"", "b3", "b3: " + caller + "-0", "0 exported, B3 0"},
		"a trace of X-Ray's":               {"", "xray", "X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;" + root, theirs + "2 exported, X-Amzn-Trace-Id 1"},
		"one that is not sampled":          {"", "xray", "X-Amzn-Trace-Id: " + root + "; Sampled=0", "0 exported, X-Amzn-Trace-Id 0"},
		"one that is":                      {off, "xray", "X-Amzn-Trace-Id: " + root + "; Parent=" + callersSpan + "; Sampled=1", theirs + "their span, 2 exported, X-Amzn-Trace-Id 1"},
		"one to be decided":                {"", "xray", "X-Amzn-Trace-Id: " + root + ";Parent=" + callersSpan + ";Sampled=?", theirs + "their span, 2 exported, X-Amzn-Trace-Id 1"},
		"Jaeger's with colons escaped":     {"", "jaeger", "uber-trace-id: " + callersTrace + "%3A" + callersSpan + "%3A0%3A1", theirs + "their span, 2 exported, Uber-Trace-Id 1"},
		"OpenTracing's that leaves it":     {"", "ottrace", "ot-tracer-traceid: " + callersTrace[16:] + "|ot-tracer-spanid: " + callersSpan, ours + "their span, 2 exported, Ot-Tracer-Sampled true"},
		"Google's that leaves it":          {"", "tracecontext", "X-Cloud-Trace-Context: " + callersTrace + "/1", theirs + "another span, 2 exported, Traceparent 01, Tracestate ot=th:0"},
		"flags that are unknown":           {"", "tracecontext", "traceparent: " + callersParent + "-fd|tracestate: a=1", theirs + "their span, 2 exported, Traceparent 01, Tracestate a=1"},
		"flags that are, and none besides": {"", "tracecontext", "traceparent: " + callersParent + "-04|tracestate: a=1", "0 exported, Traceparent 00, Tracestate a=1"},
		"a version that is to come":        {"", "tracecontext", "traceparent: cc" + callersParent[2:] + "-05-more", theirs + "their span, 2 exported, Traceparent 01"},
		"a state with a key twice":         {"", "tracecontext", "traceparent: " + callersParent + "-01|tracestate: ot=th:0,a=1,a=2", theirs + "their span, 2 exported, Traceparent 01, Tracestate ot=th:0,a=1"},
		"a state with keys of Level 2": {
			"OTEL_TRACES_SAMPLER=always_on", "tracecontext", "traceparent: " + callersParent + "-01|tracestate: 1=1,a=1,foo@@bar=1,ot=th:8", theirs + "their span, 2 exported, Traceparent 01, Tracestate ot=th:0,1=1,a=1,foo@@bar=1",
		},
		"only keys of Level 2": {"", "tracecontext", "traceparent: " + callersParent + "-01|tracestate: 1=1", theirs + "their span, 2 exported, Traceparent 01, Tracestate 1=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, received := receiving(t)
			environ := append(strings.Fields(test.environ), "BACKENDS="+backend, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "OTEL_PROPAGATORS="+test.format)
			p := start(t, environ...)
			p.once(t.Context(), "GET", "/", nil, strings.Split(test.fields, "|")...)
			p.stop()
			var got []string
			for _, server := range p.spans("SERVER") {
				got = append(got, map[bool]string{true: "their trace", false: "our trace"}[server.TraceID == callersTrace])
				switch server.ParentID {
				case "":
				case callersSpan:
					got = append(got, "their span")
				default:
					got = append(got, "another span")
				}
			}
			exported := len(p.spans("SERVER")) + len(p.spans("CLIENT"))
			got = append(got, string(rune('0'+exported))+" exported")
			header := <-received
			for _, name := range []string{"B3", "X-B3-Sampled", "X-Amzn-Trace-Id", "Uber-Trace-Id", "Ot-Tracer-Sampled", "Traceparent"} {
				if value := header.Get(name); value != "" {
					got = append(got, name+" "+value[strings.LastIndexAny(value, "-:=")+1:])
				}
			}
			if state := header.Get("Tracestate"); state != "" {
				got = append(got, "Tracestate "+state)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("what became of it (-want +got):\n%s", diff)
			}
		})
	}
}

// What is kept for what became of it is so too when a caller denies that it is sampled.
func TestKeptThoughDenied(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "TRUSTED_PROXIES=127.0.0.0/8", "OTEL_PROPAGATORS=b3", "TRACE_KEEP=error")
	p.once(t.Context(), "GET", "/", nil, "b3: 0")
	p.stop()
	if got := len(p.spans("SERVER")); got != 1 {
		t.Errorf("%d spans of a request that failed, want 1", got)
	}
}
