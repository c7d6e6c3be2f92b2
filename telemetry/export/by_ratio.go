package export

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// byRatio samples the traces whose random number passes a threshold, whatever a
// caller decided, and tells which one: what has it can be counted as so many. Samplers
// that do so agree about each trace, as far as their ratios do.
type byRatio struct {
	ratio    float64
	rejects  threshold
	told     string           // the threshold
	ofItsOwn trace.TraceState // of a trace that begins here
}

func newByRatio(ratio float64) byRatio {
	s := byRatio{ratio: ratio, rejects: thresholdOf(ratio)}
	s.told = s.rejects.String()
	s.ofItsOwn = withThreshold(trace.TraceState{}, s.told)
	return s
}

// always samples each trace.
var always = newByRatio(1)

func (s byRatio) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	state := trace.SpanContextFromContext(p.ParentContext).TraceState()
	_, rv := otOf(state)
	switch {
	case randomOf(p.TraceID, rv) < s.rejects:
		return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: state}
	case state.Len() == 0:
		state = s.ofItsOwn
	default:
		state = withThreshold(state, s.told)
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
}

func (s byRatio) Description() string { return fmt.Sprintf("ByRatio{%v}", s.ratio) }

// followCaller samples what a caller does. The threshold that the caller tells goes on,
// unless the trace would not have passed it.
func followCaller(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	state := trace.SpanContextFromContext(p.ParentContext).TraceState()
	th, rv := otOf(state)
	if rejects, ok := parseThreshold(th); !ok || randomOf(p.TraceID, rv) < rejects {
		state = withThreshold(state, "")
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
}

// unknown samples what another sampler does, with a probability that nobody knows: by
// how much is asked, or only what a caller has refused, which may have had to do with
// the same random number. So it tells no threshold.
type unknown struct{ sdktrace.Sampler }

func (s unknown) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := s.Sampler.ShouldSample(p)
	result.Tracestate = withThreshold(result.Tracestate, "")
	return result
}
