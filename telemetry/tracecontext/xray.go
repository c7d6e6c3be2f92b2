package tracecontext

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// xray is the propagator of X-Amzn-Trace-Id. Load balancers of AWS send only the trace
// that a request is to be in, and leave the rest to who receives it.
type xray struct{ propagation.TextMapPropagator }

func (xray) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	of, said, ok := readXRay(carrier.Get("x-amzn-trace-id"))
	if !ok {
		return ctx
	}
	return WithCaller(ctx, of, said)
}

// readXRay reads a list KEY=VALUE; KEY=VALUE of Root, Parent and Sampled, each of which
// may be missing, and others.
func readXRay(value string) (of trace.SpanContextConfig, said Decision, ok bool) {
	for part := range strings.SplitSeq(value, ";") {
		key, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch key {
		case "Root":
			of.TraceID, err = xrayRoot(text)
		case "Parent":
			of.SpanID, err = trace.SpanIDFromHex(text)
		case "Sampled":
			said = decisionIn(text) // ? asks for a decision
		}
		if err != nil {
			return trace.SpanContextConfig{}, Undecided, false
		}
	}
	if !of.TraceID.IsValid() {
		of = trace.SpanContextConfig{}
	}
	return of, said, true
}

// xrayRoot reads VERSION-TIME-RANDOM, whose last two are the identifier of a trace.
func xrayRoot(text string) (trace.TraceID, error) {
	version, id, _ := strings.Cut(text, "-")
	seconds, random, _ := strings.Cut(id, "-")
	if version != "1" || len(seconds) != 8 {
		return trace.TraceIDFromHex("")
	}
	return trace.TraceIDFromHex(seconds + random)
}
