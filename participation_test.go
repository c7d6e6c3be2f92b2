package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// callersContext is trace context in all dialects.
var callersContext = http.Header{
	"Traceparent": {callersParent + "-01"}, "Tracestate": {"a=b", "c=d"}, "Baggage": {"k=v,tenant=t"},
	"B3": {callersTrace + "-" + callersSpan + "-1"}, "X-B3-Traceid": {callersTrace}, "X-B3-Spanid": {callersSpan}, "X-B3-Sampled": {"1"},
	"Uber-Trace-Id": {callersTrace + ":" + callersSpan + ":0:1"}, "Uberctx-K": {"v"}, "Jaeger-Debug-Id": {"x"},
	"X-Amzn-Trace-Id":       {"Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" + callersSpan + ";Sampled=1"},
	"X-Cloud-Trace-Context": {callersTrace + "/13235353014750950193;o=1"},
	"Ot-Tracer-Traceid":     {"8448eb211c80319c"}, "Ot-Tracer-Spanid": {callersSpan}, "Ot-Tracer-Sampled": {"true"}, "Ot-Baggage-K": {"v"},
	"X-Ot-Span-Context": {"x"}, "X-Datadog-Trace-Id": {"1"}, "Grpc-Trace-Bin": {"AAA"},
}

// heard is a backend that notes what trace context it got.
func heard(t *testing.T) (url string, got <-chan http.Header) {
	t.Helper()
	headers := make(chan http.Header, 1)
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if callersContext[name] == nil {
				delete(r.Header, name)
			}
		}
		headers <- r.Header
	})
	return backend, headers
}

// offer sends a request with that trace context and returns the answer.
func (p *program) offer(t *testing.T, context http.Header) *http.Response {
	t.Helper()
	r := p.newRequest(t.Context(), "GET", "/", nil)
	maps.Copy(r.Header, context)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// Who exports no spans, or tells nobody of them, is no participant in a trace:
// a believed caller's context passes on as it came, in whatever dialect, and
// nothing is sent where nothing came.
func TestWhoIsNoParticipant(t *testing.T) {
	t.Parallel()
	believed := []string{"TRUSTED_PROXIES=127.0.0.1"}
	for name, environ := range map[string][]string{
		"no exporter":           {"OTEL_TRACES_EXPORTER=none"},
		"no exporter at all":    {"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"},
		"disabled":              {"OTEL_SDK_DISABLED=true"},
		"disabled, without log": {"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"},
		"no propagators":        {"OTEL_PROPAGATORS=none"},
		"another dialect":       {"OTEL_TRACES_EXPORTER=none", "OTEL_PROPAGATORS=b3"},
	} {
		for peer, test := range map[string]struct {
			environ    []string
			sent, want http.Header
		}{
			"a trusted proxy's passes":        {believed, callersContext, callersContext},
			"anybody's where all are trusted": {[]string{"TRACE_TRUST=trust"}, callersContext, callersContext},
			"a trusted proxy's, unsampled":    {believed, http.Header{"Traceparent": {callersParent + "-00"}}, http.Header{"Traceparent": {callersParent + "-00"}}},
			"two of a trusted proxy's":        {believed, http.Header{"Traceparent": {"x", "y"}}, http.Header{"Traceparent": {"x", "y"}}},
			"a stranger's does not":           {nil, callersContext, http.Header{}},
			"nor one that is ignored":         {[]string{"TRACE_TRUST=ignore"}, callersContext, http.Header{}},
			"none is made for a proxy":        {believed, http.Header{}, http.Header{}},
			"none is made for a stranger":     {nil, http.Header{}, http.Header{}},
		} {
			t.Run(name+", "+peer, func(t *testing.T) {
				t.Parallel()
				url, got := heard(t)
				p := start(t, append(append([]string{"BACKENDS=" + url, "PROBE_MODE=off"}, environ...), test.environ...)...)
				p.offer(t, test.sent)
				if diff := cmp.Diff(test.want, <-got); diff != "" {
					t.Errorf("the backend's trace context (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Baggage that TRACE_BAGGAGE names is asked for, whoever exports what.
func TestBaggageOfWhoIsNoParticipant(t *testing.T) {
	t.Parallel()
	for _, exporter := range []string{"otlp", "none"} {
		url, got := heard(t)
		p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "OTEL_TRACES_EXPORTER="+exporter, "TRACE_BAGGAGE=tenant")
		p.offer(t, callersContext)
		if baggage := (<-got).Get("Baggage"); baggage != "tenant=t" {
			t.Errorf("%s: the backend got the baggage %q", exporter, baggage)
		}
	}
}

// A participant's own context takes the place of all others.
func TestWhoIsAParticipant(t *testing.T) {
	t.Parallel()
	url, got := heard(t)
	p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.1")
	p.offer(t, callersContext)
	p.stop()
	attempt := p.span(t, "CLIENT")
	want := http.Header{"Traceparent": {"00-" + callersTrace + "-" + attempt.SpanID + "-01"}, "Tracestate": {"a=b,c=d"}, "Baggage": {"k=v,tenant=t"}}
	received := <-got
	for _, h := range []http.Header{want, received} { // whose members have no order
		if h.Get("Baggage") == "tenant=t,k=v" {
			h.Set("Baggage", "k=v,tenant=t")
		}
	}
	if diff := cmp.Diff(want, received); diff != "" {
		t.Errorf("the backend's trace context (-want +got):\n%s", diff)
	}
}

// A sampler that samples nothing decides about traces, of which others hear.
func TestSamplerThatSamplesNothing(t *testing.T) {
	t.Parallel()
	url, got := heard(t)
	p := start(t, "BACKENDS="+url, "PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.1", "OTEL_TRACES_SAMPLER=always_off")
	p.offer(t, callersContext)
	if parent := (<-got).Get("Traceparent"); !strings.HasPrefix(parent, "00-"+callersTrace) || !strings.HasSuffix(parent, "-00") {
		t.Errorf("the backend got the traceparent %q", parent)
	}
}

// What the access log and an error's body say of the trace, and Server-Timing:
// ids that somebody can look up, or else one that joins the two.
func TestTraceOfWhoIsNoParticipant(t *testing.T) {
	t.Parallel()
	const own, none = "of its own", "none"
	for name, test := range map[string]struct {
		environ []string
		context http.Header
		want    string // trace_id and span_id of the log line
	}{
		"of a caller":                       {[]string{"OTEL_TRACES_EXPORTER=none"}, callersContext, callersTrace + " " + callersSpan},
		"of a caller, disabled":             {[]string{"OTEL_SDK_DISABLED=true"}, callersContext, callersTrace + " " + callersSpan},
		"of a caller in Google's words":     {[]string{"OTEL_TRACES_EXPORTER=none"}, http.Header{"X-Cloud-Trace-Context": callersContext["X-Cloud-Trace-Context"]}, callersTrace + " " + callersSpan},
		"of a caller whom nobody can read":  {[]string{"OTEL_TRACES_EXPORTER=none"}, http.Header{"Uber-Trace-Id": callersContext["Uber-Trace-Id"]}, own},
		"of nobody":                         {[]string{"OTEL_TRACES_EXPORTER=none"}, nil, own},
		"of nobody, disabled":               {[]string{"OTEL_SDK_DISABLED=true"}, nil, none},
		"its own, which it exports":         {[]string{"OTEL_PROPAGATORS=none"}, callersContext, own},
		"its own, of a caller's that reads": {nil, callersContext, callersTrace + " " + own},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=http://" + refusing(t), "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "SERVER_TIMING=true", "TRUSTED_PROXIES=127.0.0.1"}, test.environ...)...)
			resp := p.offer(t, test.context)
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			p.stop()
			var problem struct {
				TraceID string `json:"trace_id"`
			}
			if err := json.Unmarshal(body, &problem); err != nil {
				t.Fatalf("body %q: %v", body, err)
			}
			line := p.log.requests(t)[0]
			traceID, _ := line["trace_id"].(string)
			spanID, _ := line["span_id"].(string)
			if problem.TraceID != traceID {
				t.Errorf("the body says %q, the log %q", problem.TraceID, traceID)
			}
			if timing := resp.Header.Get("Server-Timing"); strings.Contains(timing, "traceparent") != (len(p.collector.Spans()) > 0) {
				t.Errorf("Server-Timing is %q, of %d spans that were exported", timing, len(p.collector.Spans()))
			}
			got := traceID + " " + spanID
			switch {
			case traceID == "" && spanID == "":
				got = none
			case traceID == callersTrace && spanID != callersSpan:
				got = callersTrace + " " + own
			case traceID != callersTrace:
				got = own
			}
			if got != test.want {
				t.Errorf("the log has %s %s, want %s", traceID, spanID, test.want)
			}
		})
	}
}
