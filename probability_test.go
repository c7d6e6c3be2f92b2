package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/otlptest"
)

// TestProbabilityInTraceState holds what a request's spans and its backend are told of
// how probable it was that they are sampled.
func TestProbabilityInTraceState(t *testing.T) {
	t.Parallel()
	believed := "TRUSTED_PROXIES=127.0.0.1"
	sampled := "Traceparent: " + callersParent + "-01"
	long := "a=" + strings.Repeat("x", 250)
	for name, test := range map[string]struct {
		environ, fields []string
		status          int
		told            string // to the backend: flags and state
		exported        string // of the SERVER and CLIENT span: their state; none when they are not exported
	}{
		"a trace that begins here":       {nil, nil, 200, "03 ot=th:0", "ot=th:0"},
		"a stranger's":                   {nil, []string{sampled, "Tracestate: ot=th:8"}, 200, "03 ot=th:0", "ot=th:0"},
		"one of a ratio":                 {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01", believed}, []string{sampled, "Tracestate: a=b,ot=rv:ffffffffffffff"}, 200, "01 ot=rv:ffffffffffffff;th:fd70a,a=b", "ot=rv:ffffffffffffff;th:fd70a,a=b"},
		"none of a ratio":                {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01", believed}, []string{sampled, "Tracestate: a=b,ot=rv:fd709fffffffff;th:0"}, 200, "00 ot=rv:fd709fffffffff,a=b", "none"},
		"none of a ratio, but it failed": {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0"}, nil, 500, "02 ", ""},
		"a believed caller's":            {[]string{believed}, []string{sampled, "Tracestate: a=b,ot=th:1;p:8"}, 200, "01 a=b,ot=th:1;p:8", "a=b,ot=th:1;p:8"},
		"a believed caller's, malformed": {[]string{believed}, []string{sampled, "Tracestate: ot=th:8;th:8,a=b"}, 200, "01 a=b", "a=b"},
		"a believed caller's, too long":  {[]string{believed}, []string{sampled, "Tracestate: " + long + ",b=" + long[2:] + ",ot=th:1"}, 200, "01 " + long + ",ot=th:1", long + ",ot=th:1"},
		"a rate":                         {[]string{"OTEL_TRACES_SAMPLER=rate_limited"}, nil, 200, "03 ", ""},
		"decided anew":                   {[]string{believed, "TRACE_UNSAMPLED_PARENT=resample"}, []string{"Traceparent: " + callersParent + "-02", "Tracestate: ot=th:8"}, 200, "03 ", ""},
		"not sampled by a caller":        {[]string{believed}, []string{"Traceparent: " + callersParent + "-02", "Tracestate: a=b,ot=th:8;p:1"}, 200, "02 ot=p:1,a=b", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan string, 1)
			backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
				parent := r.Header.Get("Traceparent")
				told <- parent[strings.LastIndex(parent, "-")+1:] + " " + strings.Join(r.Header["Tracestate"], "|")
				w.WriteHeader(test.status)
			})
			p := start(t, append([]string{"BACKENDS=" + backend, "PROBE_MODE=off"}, test.environ...)...)
			p.once(t.Context(), "GET", "/", nil, test.fields...)
			p.stop()
			if diff := cmp.Diff(test.told, <-told); diff != "" {
				t.Errorf("the backend was told (-want +got):\n%s", diff)
			}
			exported := "none"
			for i, span := range p.collector.Spans() {
				if i > 0 && span.TraceState != exported {
					t.Errorf("the %s span has the state %q, another %q", span.Kind, span.TraceState, exported)
				}
				exported = span.TraceState
			}
			if exported != test.exported {
				t.Errorf("the spans have the state %q, want %q", exported, test.exported)
			}
		})
	}
}

// Spans of the program's own, all of which are exported, say so.
func TestProbabilityOfProbes(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a,http://"+refusing(t), "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0")
	p.collector.WaitSpans(t, func(spans []otlptest.Span) bool {
		seen := map[string]bool{}
		for _, span := range spans {
			seen[span.Name] = true
		}
		return seen["probe"] && seen["backend_state_change"]
	})
	p.stop()
	for _, span := range p.collector.Spans() {
		if span.TraceState != "ot=th:0" || !span.Random || !span.Sampled {
			t.Errorf("%s %s has the state %q, random %v, sampled %v", span.Kind, span.Name, span.TraceState, span.Random, span.Sampled)
		}
	}
}
