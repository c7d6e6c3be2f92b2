package main

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTraceContext checks whose child a request's span becomes, and that
// nothing a client sent reaches the backend beside the attempt's own context.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		environ    []string
		wantParent string
		wantLinks  int
	}{
		"from a stranger: a new trace, linked":  {wantLinks: 1},
		"from a stranger, ignored":              {environ: []string{"TRACE_TRUST=ignore"}},
		"from a stranger, trusted all the same": {environ: []string{"TRACE_TRUST=trust"}, wantParent: callersSpan},
		"from a trusted proxy":                  {environ: []string{"TRUSTED_PROXIES=127.0.0.0/8"}, wantParent: callersSpan},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, received := receiving(t)
			p := start(t, append(test.environ, "BACKENDS="+backend)...)
			p.once(t.Context(), "GET", "/", nil, "traceparent: "+callersParent+"-01", "b3: "+callersTrace+"-"+callersSpan+"-1",
				"x-b3-traceid: "+callersTrace, "uber-trace-id: 1:2:3:1", "x-amzn-trace-id: Root=1", "x-cloud-trace-context: 1/2")
			p.stop()
			server, client := p.span(t, "SERVER"), p.span(t, "CLIENT")
			if server.ParentID != test.wantParent || len(server.Links) != test.wantLinks {
				t.Errorf("SERVER span has parent %q and links %v, want %q and %d", server.ParentID, server.Links, test.wantParent, test.wantLinks)
			}
			if (server.TraceID == callersTrace) != (test.wantParent != "") {
				t.Errorf("SERVER span is in trace %s", server.TraceID)
			}
			header := <-received
			flags := "-03" // the ids of its own are random
			if server.TraceID == callersTrace {
				flags = "-01"
			}
			if want := "00-" + client.TraceID + "-" + client.SpanID + flags; header.Get("Traceparent") != want {
				t.Errorf("backend received traceparent %q, want the CLIENT span's, %q", header.Get("Traceparent"), want)
			}
			for _, name := range []string{"B3", "X-B3-Traceid", "Uber-Trace-Id", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context"} {
				if header[name] != nil {
					t.Errorf("backend received %s: %q", name, header[name])
				}
			}
		})
	}
}

// Without propagators no trace context is taken up, not even from who is
// believed: what becomes of it is TestWhoIsNoParticipant's.
func TestNoPropagators(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "OTEL_PROPAGATORS=none", "TRUSTED_PROXIES=127.0.0.0/8")
	p.once(t.Context(), "GET", "/", nil, "traceparent: "+callersParent+"-01",
		"x-cloud-trace-context: "+callersTrace+"/1;o=1")
	p.stop()
	for _, span := range p.spans("SERVER") {
		if span.ParentID != "" || len(span.Links) != 0 {
			t.Errorf("SERVER span has parent %q and links %v", span.ParentID, span.Links)
		}
	}
}

// TestHostileTraceContext sends the program what is no trace context, or too
// much of it, as a stranger. The request is answered, its span has no parent,
// and the backend gets the context of the attempt and nothing else.
func TestHostileTraceContext(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got http.Header
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r.Header
	})
	p := start(t, "BACKENDS="+backend, "MAX_HEADER_BYTES=512KiB", "TRACE_BAGGAGE=k")
	const parent = callersParent + "-01"
	for name, header := range map[string][]string{
		"all is well":            {"Traceparent: " + parent, "Tracestate: a=b"},
		"version ff":             {"Traceparent: ff" + parent[2:]},
		"no trace":               {"Traceparent: 00-00000000000000000000000000000000-" + callersSpan + "-01"},
		"no span":                {"Traceparent: 00-" + callersTrace + "-0000000000000000-01"},
		"capitals":               {"Traceparent: " + strings.ToUpper(parent)},
		"very long":              {"Traceparent: " + parent + strings.Repeat("-00", 10_000)},
		"from the future":        {"Traceparent: 42" + parent[2:] + "-x"},
		"odd spelling":           {"tRACEPARENT: " + parent},
		"100 KiB of state":       {"Traceparent: " + parent, "Tracestate: a=" + strings.Repeat("b", 100<<10)},
		"500 states":             {"Traceparent: " + parent, "Tracestate: " + strings.Repeat("a=b,", 500)},
		"states without a trace": {"Tracestate: a=b"},
		"100 KiB of baggage":     {"Baggage: k=" + strings.Repeat("v", 100<<10)},
		"5000 pieces of it":      {"Baggage: " + strings.Repeat("a=b,", 5000)},
		"garbage":                {"Baggage: k%zz=%zz;;=,,", "B3: x", "X-Cloud-Trace-Context: 1/2/3;o=4", "Uber-Trace-Id: ::::"},
		"all formats":            {"Traceparent: " + parent, "B3: " + callersTrace + "-" + callersSpan + "-1", "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "Uberctx-K: v", "Ot-Baggage-K: v"},
	} {
		resp, err := p.send(t.Context(), "GET", "/", nil, header...)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", name, resp, err)
			continue
		}
		resp.Body.Close()
		mu.Lock()
		parents, states := got["Traceparent"], got["Tracestate"]
		for field := range got {
			switch field {
			case "Accept-Encoding", "User-Agent", "Via", "X-Request-Id", "Traceparent", "Tracestate":
			default:
				if !strings.HasPrefix(field, "X-Forwarded-") && field != "Forwarded" {
					t.Errorf("%s: the backend got %s: %.50q", name, field, got[field])
				}
			}
		}
		mu.Unlock()
		if len(parents) != 1 || strings.Contains(parents[0], parent[3:35]) || len(states) != 1 || states[0] != "ot=th:0" {
			t.Errorf("%s: the backend got the contexts %q %.50q", name, parents, states)
		}
	}
	p.stop()
	if log := p.log.text.String(); strings.Contains(log, "baggage") {
		t.Errorf("strangers write to the log: %.500s", log)
	}
	for _, span := range p.spans("SERVER") {
		if span.ParentID != "" || span.TraceState != "ot=th:0" {
			t.Errorf("a stranger's context was adopted: %+v", span)
		}
	}
}

// TestTraceContextInTrailers sends context behind the body, announced or not.
func TestTraceContextInTrailers(t *testing.T) {
	t.Parallel()
	trailers := make(chan http.Header, 1)
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		trailers <- r.Trailer
	})
	const parent = callersParent + "-01"
	for name, test := range map[string]struct {
		environ []string
		http2   bool
		early   bool // announced before the body
		want    http.Header
	}{
		"announced":            {early: true, want: http.Header{"X-Sum": {"3"}}},
		"announced by HTTP/2":  {early: true, http2: true, want: http.Header{"X-Sum": {"3"}}},
		"by surprise":          {want: http.Header{"X-Sum": {"3"}}},
		"no trace of our own":  {environ: []string{"OTEL_PROPAGATORS=none"}, want: http.Header{"X-Sum": {"3"}}},
		"nothing is done here": {environ: []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, want: http.Header{"X-Sum": {"3"}}},
		"a believed peer's": {
			environ: []string{"OTEL_SDK_DISABLED=true", "TRUSTED_PROXIES=127.0.0.1"}, early: true,
			want: http.Header{"X-Sum": {"3"}}, // which is for the header alone, whoever sends it
		},
	} {
		p := start(t, append([]string{"BACKENDS=" + backend}, test.environ...)...)
		trailer := http.Header{"X-Sum": nil}
		if test.early {
			trailer["Traceparent"], trailer["Uberctx-K"] = nil, nil
		}
		body := &atEnd{Reader: strings.NewReader("body"), do: func() {
			trailer["X-Sum"], trailer["Traceparent"], trailer["Uberctx-K"] = []string{"3"}, []string{parent}, []string{"v"}
		}}
		r := p.newRequest(t.Context(), "POST", "/", body)
		r.Trailer = trailer
		transport := &http.Transport{DisableKeepAlives: true, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!test.http2)
		transport.Protocols.SetUnencryptedHTTP2(test.http2)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if diff := cmp.Diff(test.want, <-trailers); diff != "" {
			t.Errorf("%s: the backend's trailers (-want +got):\n%s", name, diff)
		}
		p.stop()
	}
}

// atEnd does something once all has been read.
type atEnd struct {
	io.Reader
	do func()
}

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err == io.EOF {
		a.do()
	}
	return n, err
}

func TestServerTiming(t *testing.T) {
	t.Parallel()
	backend := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server-Timing", "db;dur=1")
		w.WriteHeader(http.StatusNoContent)
	})
	const ours = `traceparent;desc="00-TRACE-03", spangate;dur=0.0`
	const made = ", backend;dur=0.0, attempt-queue;dur=0.0, attempt-connect;dur=0.0"
	for name, test := range map[string]struct {
		environ []string
		want    []string // with identifiers and digits replaced
	}{
		"off":           {nil, []string{"db;dur=1"}},
		"forwarded":     {[]string{"SERVER_TIMING=true"}, []string{"db;dur=1", ours + made + ", attempt-send;dur=0.0, attempt-wait;dur=0.0"}},
		"refused":       {[]string{"SERVER_TIMING=true", "DENY_CIDRS=127.0.0.1"}, []string{ours}},
		"nobody there":  {[]string{"SERVER_TIMING=true", "BACKENDS=http://" + refusing(t), "PROBE_MODE=off"}, []string{ours + made}},
		"disabled":      {[]string{"SERVER_TIMING=true", "OTEL_SDK_DISABLED=true", "DENY_CIDRS=127.0.0.1"}, []string{"spangate;dur=0.0"}},
		"not a sampled": {[]string{"SERVER_TIMING=true", "OTEL_TRACES_SAMPLER=always_off", "DENY_CIDRS=127.0.0.1"}, []string{strings.Replace(ours, "TRACE-03", "TRACE-02", 1)}},
	} {
		p := start(t, append([]string{"BACKENDS=" + backend}, test.environ...)...)
		resp, _ := p.ask(t, "GET", "/", nil)
		p.stop()
		got := slices.Clone(resp.Header["Server-Timing"])
		for _, span := range p.spans("SERVER") {
			for i := range got {
				got[i] = strings.Replace(got[i], span.TraceID+"-"+span.SpanID, "TRACE", 1)
			}
		}
		for i := range got {
			if strings.Contains(got[i], "spangate") {
				got[i] = regexp.MustCompile(`dur=[0-9]+\.[0-9]{3}`).ReplaceAllString(got[i], "dur=0.0")
				got[i] = regexp.MustCompile(`00-[0-9a-f]{32}-[0-9a-f]{16}-02`).ReplaceAllString(got[i], "00-TRACE-02")
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
