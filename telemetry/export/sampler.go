package export

import (
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler/config"
	"spangate/telemetry/tracecontext"
)

// sampler returns what decides which spans are exported: for requests of a route, whether
// it has a share of its own, and which ones it keeps.
func (c *Config) sampler(f *faults, of Requests) sdktrace.Sampler {
	name, parentBased := strings.CutPrefix(string(c.Sampler), "parentbased_")
	if c.Sampler == "" {
		name, parentBased = "always_on", true
	}
	var root sdktrace.Sampler
	switch name {
	case "always_on":
		root = always
		c.ratio(f) // what is no share is refused even when the sampler does not heed it
	case "always_off":
		root = sdktrace.NeverSample()
		c.ratio(f)
	case "traceidratio":
		root = newByRatio(c.ratio(f))
	case "rate_limited":
		root = unknown{newRateLimited(c.rate(f))}
	default:
		f.add(config.Wrong(&c.Sampler, "%w", new(sampler).UnmarshalText([]byte(c.Sampler))))
		return nil
	}
	if of.Sample.set {
		root = newByRatio(of.Sample.ratio)
	}
	if len(c.TracesExporter) == 0 {
		// Identifiers are still made, so that the log line and the answer of a
		// request have one in common; but nothing is recorded on our own account.
		return sdktrace.ParentBased(sdktrace.NeverSample())
	}
	whole := wholeRequests{root: root, own: always, keep: of.keep(c).any()}
	if name == "always_off" && !parentBased {
		whole.own, whole.keep = root, false
	}
	if parentBased {
		whole.root = byCaller{undecided: root, unsampled: sdktrace.NeverSample()}
		if c.UnsampledParent == resample {
			whole.root = byCaller{undecided: root, unsampled: unknown{root}}
		}
	}
	return whole
}

// wholeRequests asks root about requests, and has all spans of one share its
// fate. Spans of the program's own, which are of probes, of backends that changed and
// of copies of requests, it asks own about.
type wholeRequests struct {
	root, own sdktrace.Sampler
	keep      bool // requests that root refuses are recorded, to be exported by what becomes of them
}

func (s wholeRequests) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanFromContext(p.ParentContext)
	sc := parent.SpanContext()
	switch {
	case sc.IsValid() && !sc.IsRemote():
		result := sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: sc.TraceState()}
		if !sc.IsSampled() {
			result.Decision = sdktrace.Drop
			if s.keep && parent.IsRecording() {
				result.Decision = sdktrace.RecordOnly
			}
		}
		return result
	case p.Kind == trace.SpanKindClient: // a copy of a request, which is sampled as that is
		return unknown{s.own}.ShouldSample(p)
	case p.Kind != trace.SpanKindServer:
		return s.own.ShouldSample(p)
	}
	result := s.root.ShouldSample(p)
	if result.Decision == sdktrace.Drop {
		// What is exported of it all the same is so for what became of it.
		result.Tracestate = withThreshold(result.Tracestate, "")
		if s.keep {
			result.Decision = sdktrace.RecordOnly
		}
	}
	result.Tracestate = shortened(result.Tracestate)
	return result
}

func (s wholeRequests) Description() string { return "WholeRequests{" + s.root.Description() + "}" }

// byCaller follows a caller who samples. It asks others about a trace that begins here,
// or of which the caller leaves it to others, and about one that the caller does not
// sample.
type byCaller struct{ undecided, unsampled sdktrace.Sampler }

func (s byCaller) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	switch tracecontext.DecisionOf(p.ParentContext) {
	case tracecontext.Sampled:
		return followCaller(p)
	case tracecontext.Unsampled:
		return s.unsampled.ShouldSample(p)
	}
	return s.undecided.ShouldSample(p)
}

func (s byCaller) Description() string {
	return "ByCaller{" + s.undecided.Description() + "," + s.unsampled.Description() + "}"
}

// unsampledParent says what becomes of a request whose caller is believed and
// says that its trace is not sampled.
type unsampledParent string

// What can become of it. The zero value counts as follow.
const (
	follow   unsampledParent = "follow"   // not sampled either
	resample unsampledParent = "resample" // as if the trace began here; it keeps its identifier
)

// UnmarshalText accepts the name of a rule, and auto for that of no platform.
func (u *unsampledParent) UnmarshalText(text []byte) error {
	err := config.OneOf(u, text, "auto", follow, resample)
	if *u == "auto" {
		*u = follow
	}
	return err
}

func (c *Config) ratio(f *faults) float64 {
	if c.SamplerArg == "" {
		return 1
	}
	ratio, err := strconv.ParseFloat(c.SamplerArg, 64)
	// The comparison is written so that NaN fails it.
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		f.add(config.Wrong(&c.SamplerArg, "must be a number from 0 to 1"))
	}
	return ratio
}

// Traces per second that rate_limited samples.
const (
	defaultRate = 10
	lowestRate  = 0.001
	highestRate = 1e6
)

func (c *Config) rate(f *faults) float64 {
	if c.SamplerArg == "" {
		return defaultRate
	}
	rate, err := strconv.ParseFloat(c.SamplerArg, 64)
	if err != nil || !(rate >= lowestRate && rate <= highestRate) {
		f.add(config.Wrong(&c.SamplerArg, "must be traces per second, from 0.001 to 1000000"))
	}
	return rate
}
