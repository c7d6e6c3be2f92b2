package tracecontext_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/tracecontext"
)

const (
	aTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	aSpan   = "00f067aa0ba902b7"
	aParent = "00-" + aTrace + "-" + aSpan
	aRoot   = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"
	noTrace = "00000000000000000000000000000000"
	noSpan  = "0000000000000000"
)

func propagator(t testing.TB, names string) propagation.TextMapPropagator {
	t.Helper()
	p, err := tracecontext.Propagator(strings.Split(names, ",")...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// read returns the trace, span and flags of a request with these fields, and what its
// caller says of it.
func read(t testing.TB, names string, fields ...string) string {
	t.Helper()
	h := http.Header{}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		h.Add(name, value)
	}
	ctx := propagator(t, names).Extract(t.Context(), tracecontext.Header(h))
	sc := trace.SpanContextFromContext(ctx)
	if (sc.HasTraceID() || tracecontext.DecisionOf(ctx) != tracecontext.Undecided) && !sc.IsRemote() {
		t.Errorf("%q: the caller's span is not remote", fields)
	}
	return fmt.Sprintf("%v %v %v %v", sc.TraceID(), sc.SpanID(), sc.TraceFlags(), tracecontext.DecisionOf(ctx))
}

func TestCaller(t *testing.T) {
	const (
		named     = aTrace + " " + aSpan + " "
		nothing   = noTrace + " " + noSpan + " 00 "
		rootOnly  = aTrace + " " + noSpan + " "
		denied    = noTrace + " " + noSpan + " 00 unsampled"
		accepted  = noTrace + " " + noSpan + " 01 sampled"
		undecided = named + "00 "
		half      = "0000000000000000a3ce929d0e0e4736 " + aSpan + " "
		b3Trace   = "X-B3-TraceId: " + aTrace
		b3Span    = "X-B3-SpanId: " + aSpan
		xray      = "X-Amzn-Trace-Id: "
		jaeger    = "Uber-Trace-Id: "
	)
	for _, test := range []struct {
		formats string
		fields  []string
		want    string
	}{
		{"tracecontext", nil, nothing},
		{"tracecontext", []string{"Traceparent: " + aParent + "-00"}, named + "00 unsampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-01"}, named + "01 sampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-03"}, named + "03 sampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-04"}, named + "00 unsampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-05"}, named + "01 sampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-09"}, named + "01 sampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-10"}, named + "00 unsampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-ff"}, named + "03 sampled"},
		{"tracecontext", []string{"Traceparent: " + aParent + "-FF"}, nothing},
		{"tracecontext", []string{"Traceparent: " + aParent + "-1"}, nothing},
		{"tracecontext", []string{"Traceparent: " + aParent + "-0g"}, nothing},
		{"tracecontext", []string{"Traceparent: " + aParent + "-05-more"}, nothing},
		{"tracecontext", []string{"Traceparent: cc-" + aParent[3:] + "-fd-more"}, named + "01 sampled"},
		{"tracecontext", []string{"Traceparent: cc-" + aParent[3:] + "-01.more"}, nothing},
		{"tracecontext", []string{"Traceparent: ff-" + aParent[3:] + "-01"}, nothing},
		{"tracecontext", []string{"Traceparent: " + aParent + "-01", "Traceparent: " + aParent + "-01"}, nothing},

		{"b3", []string{"B3: " + aTrace + "-" + aSpan}, undecided},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-0"}, named + "00 unsampled"},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-1"}, named + "01 sampled"},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-d-" + aSpan}, named + "01 sampled"},
		{"b3", []string{"B3: " + aTrace[16:] + "-" + aSpan + "-1"}, half + "01 sampled"},
		{"b3", []string{"B3: 0"}, denied},
		{"b3", []string{"B3: 1"}, accepted},
		{"b3", []string{"B3: d"}, accepted},
		{"b3", []string{"B3: zz"}, nothing},
		{"b3", []string{"B3: " + aTrace}, nothing},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-"}, nothing},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-" + aSpan}, nothing},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-1-x"}, nothing},
		{"b3", []string{"B3: " + noTrace + "-" + aSpan + "-1"}, nothing},
		{"b3", []string{"B3: " + aTrace + "-" + aSpan + "-1", "X-B3-Sampled: 0"}, named + "01 sampled"},
		{"b3", []string{"B3: 0", b3Trace, b3Span, "X-B3-Sampled: 1"}, named + "01 sampled"},
		{"b3", []string{"B3: 0", "X-B3-Sampled: 1"}, denied},
		{"b3", []string{"B3: zz", "X-B3-Sampled: 0"}, denied},
		{"b3multi", []string{b3Trace, b3Span}, undecided},
		{"b3multi", []string{b3Trace, b3Span, "X-B3-Sampled: 0"}, named + "00 unsampled"},
		{"b3multi", []string{b3Trace, b3Span, "X-B3-Sampled: true", "X-B3-ParentSpanId: " + aSpan}, named + "01 sampled"},
		{"b3multi", []string{b3Trace, b3Span, "X-B3-Flags: 1"}, named + "01 sampled"},
		{"b3multi", []string{"X-B3-Sampled: 0"}, denied},
		{"b3multi", []string{"X-B3-Sampled: False"}, denied},
		{"b3multi", []string{"X-B3-Sampled: 1"}, accepted},
		{"b3multi", []string{"X-B3-Sampled: maybe"}, nothing},
		{"b3multi", []string{b3Trace, b3Span, "X-B3-Sampled: maybe"}, nothing},
		{"b3multi", []string{b3Trace, "X-B3-Sampled: 0"}, nothing},
		{"b3multi", []string{b3Span}, nothing},
		{"tracecontext,b3", []string{"Traceparent: " + aParent + "-01", "B3: 0"}, named + "01 sampled"},
		{"b3,tracecontext", []string{"Traceparent: " + aParent + "-01", "B3: 0"}, named + "01 sampled"},

		{"xray", []string{xray + aRoot}, rootOnly + "00 "},
		{"xray", []string{xray + "Self=1-67891234-12456789abcdef012345678;" + aRoot}, rootOnly + "00 "},
		{"xray", []string{xray + aRoot + ";Sampled=1"}, rootOnly + "01 sampled"},
		{"xray", []string{xray + aRoot + ";Sampled=0"}, rootOnly + "00 unsampled"},
		{"xray", []string{xray + aRoot + "; Parent=" + aSpan + "; Sampled=0"}, named + "00 unsampled"},
		{"xray", []string{xray + aRoot + ";Parent=" + aSpan + ";Sampled=1;Lineage=a:1;"}, named + "01 sampled"},
		{"xray", []string{xray + aRoot + ";Parent=" + aSpan + ";Sampled=?"}, undecided},
		{"xray", []string{xray + aRoot + ";Parent=" + aSpan}, undecided},
		{"xray", []string{xray + aRoot + ";Parent=x;Sampled=1"}, nothing},
		{"xray", []string{xray + "Root=1-4bf92f3577b34da6a3ce929d0e0e4736;Parent=" + aSpan}, nothing},
		{"xray", []string{xray + "Root=1-5759e988-;Parent=" + aSpan}, nothing},
		{"xray", []string{xray + "Root=1"}, nothing},
		{"xray", []string{xray + "Parent=" + aSpan}, nothing},
		{"tracecontext,xray", []string{"Traceparent: " + aParent + "-01", xray + "Root=1-00000000-000000000000000000000001"}, named + "01 sampled"},

		{"jaeger", []string{jaeger + aTrace + ":" + aSpan + ":0:1"}, named + "01 sampled"},
		{"jaeger", []string{jaeger + aTrace + "%3A" + aSpan + "%3a0%3A0"}, named + "00 unsampled"},
		{"jaeger", []string{jaeger + aTrace + "%3B" + aSpan + "%3A0%3A0"}, nothing},

		{"ottrace", []string{"Ot-Tracer-Traceid: " + aTrace[16:], "Ot-Tracer-Spanid: " + aSpan, "Ot-Tracer-Sampled: true"}, half + "01 sampled"},
		{"ottrace", []string{"Ot-Tracer-Traceid: " + aTrace[16:], "Ot-Tracer-Spanid: " + aSpan, "Ot-Tracer-Sampled: false"}, half + "00 unsampled"},
		{"ottrace", []string{"Ot-Tracer-Traceid: " + aTrace[16:], "Ot-Tracer-Spanid: " + aSpan}, half + "00 "},

		{"none", []string{"Traceparent: " + aParent + "-01"}, nothing},
	} {
		if got := read(t, test.formats, test.fields...); got != test.want {
			t.Errorf("%s, %q: %s, want %s", test.formats, test.fields, got, test.want)
		}
	}
}

// What a caller's debug flag is kept in is the propagator's own, which tells it on.
func TestDebugIsTold(t *testing.T) {
	p := propagator(t, "b3")
	for _, h := range []http.Header{
		{"B3": {aTrace + "-" + aSpan + "-d"}},
		{"X-B3-Traceid": {aTrace}, "X-B3-Spanid": {aSpan}, "X-B3-Flags": {"1"}},
	} {
		sent := http.Header{}
		p.Inject(p.Extract(t.Context(), tracecontext.Header(h)), tracecontext.Header(sent))
		if got, want := sent.Get("B3"), aTrace+"-"+aSpan+"-d"; got != want {
			t.Errorf("%q: tells %q, want %q", h, got, want)
		}
	}
}

// A field that is in order costs nothing to be read so. The propagator copies what it
// reads.
func TestFieldsInOrderAllocateNothing(t *testing.T) {
	h := tracecontext.Header{
		"Traceparent": {aParent + "-01"}, "Tracestate": {"a=1, ot=th:8;rv:f0000000000000,t@b=2"}, "Uber-Trace-Id": {"1:2:3:1"},
		"B3": {aTrace + "-" + aSpan + "-1"}, "X-Amzn-Trace-Id": {aRoot + ";Sampled=1"},
	}
	for name, key := range map[string]string{"Traceparent": "traceparent", "Tracestate": "tracestate", "Uber-Trace-Id": "uber-trace-id", "B3": "b3", "X-Amzn-Trace-Id": "x-amzn-trace-id"} {
		if got := testing.AllocsPerRun(1000, func() {
			if h.Get(key) != h[name][0] {
				t.Fatal(key)
			}
		}); got > 0 {
			t.Errorf("%s: %v allocations", key, got)
		}
	}
	extract := func(p propagation.TextMapPropagator) float64 {
		return testing.AllocsPerRun(1000, func() { p.Extract(t.Context(), h) })
	}
	if stock, ours := extract(propagation.TraceContext{}), extract(tracecontext.W3C{}); ours > stock {
		t.Errorf("%v allocations, of which %v are the propagator's", ours, stock)
	}
}

// FuzzCaller holds, whatever is sent, that a request is in the trace of a valid
// identifier or in none, and that a caller who names a span that OpenTelemetry's
// propagators read is read as the same.
func FuzzCaller(f *testing.F) {
	for _, value := range []string{
		"0", "d", aTrace + "-" + aSpan, aTrace + "-" + aSpan + "-d-" + aSpan, aTrace[16:] + "-" + aSpan + "-1", "----", "-", "",
		aRoot, aRoot + "; Parent=" + aSpan + ";Sampled=?", "Root=1--" + aTrace + ";Parent=" + aSpan, "=;;",
		aParent + "-05", aParent + "-0\xff", "00-", aTrace + "%3A" + aSpan + "%3A0%3A1", "%", aTrace + ":" + aSpan + "::",
	} {
		f.Add(value, "", "")
		f.Add(aTrace, aSpan, value)
	}
	fields := map[string][3]string{
		"b3": {"B3", "X-B3-Sampled", "X-B3-Flags"}, "b3multi": {"X-B3-Traceid", "X-B3-Spanid", "X-B3-Sampled"},
		"xray": {"X-Amzn-Trace-Id"}, "tracecontext": {"Traceparent", "Tracestate"}, "jaeger": {"Uber-Trace-Id"},
	}
	f.Fuzz(func(t *testing.T, first, second, third string) {
		for format, names := range fields {
			h := tracecontext.Header{}
			for i, value := range []string{first, second, third} {
				if value != "" && names[i] != "" {
					h[names[i]] = []string{value}
				}
			}
			p := propagator(t, format)
			ctx := p.Extract(t.Context(), h)
			sc, said := trace.SpanContextFromContext(ctx), tracecontext.DecisionOf(ctx)
			if sc.HasSpanID() && !sc.HasTraceID() || sc.IsSampled() != (said == tracecontext.Sampled) {
				t.Errorf("%s, %q: %v, %q", format, h, sc, said)
			}
			sent := http.Header{}
			p.Inject(ctx, tracecontext.Header(sent))
			if !sc.IsValid() || said == tracecontext.Undecided {
				continue
			}
			again := trace.SpanContextFromContext(p.Extract(t.Context(), tracecontext.Header(sent)))
			if diff := cmp.Diff(sc.TraceID().String()+sc.SpanID().String(), again.TraceID().String()+again.SpanID().String()); diff != "" || sc.TraceFlags() != again.TraceFlags() {
				t.Errorf("%s, %q: told as %q, which is %v", format, h, sent, again)
			}
		}
	})
}

// What is told of a span is what OpenTelemetry's propagator tells of it.
func TestInject(t *testing.T) {
	state, err := trace.ParseTraceState("ot=th:0,vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	valid := trace.SpanContextConfig{TraceID: trace.TraceID{0xAB, 15: 1}, SpanID: trace.SpanID{0xCD, 7: 2}}
	for _, test := range []func(*trace.SpanContextConfig){
		func(of *trace.SpanContextConfig) {},
		func(of *trace.SpanContextConfig) { of.TraceFlags = 0xFF },
		func(of *trace.SpanContextConfig) { of.TraceFlags = trace.FlagsRandom },
		func(of *trace.SpanContextConfig) { of.TraceState = state },
		func(of *trace.SpanContextConfig) { of.SpanID = trace.SpanID{} },
		func(of *trace.SpanContextConfig) { of.TraceID = trace.TraceID{} },
	} {
		of := valid
		test(&of)
		ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(of))
		want, got := propagation.MapCarrier{}, propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, want)
		tracecontext.W3C{}.Inject(ctx, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-theirs +ours):\n%s", of, diff)
		}
	}
}
