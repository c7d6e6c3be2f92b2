package setup

import (
	"errors"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func (c Config) sampler(f *faults) sdktrace.Sampler {
	// A share that is none is refused even when the sampler does not heed it.
	ratio := c.ratio(f)
	if len(c.TracesExporter) == 0 {
		// Identifiers are still made, so that log lines and answers can name
		// a trace, and a caller's decision is still passed on; but nothing is
		// recorded on our own account.
		return sdktrace.ParentBased(sdktrace.NeverSample())
	}
	name, parentBased := strings.CutPrefix(string(c.Sampler), "parentbased_")
	var root sdktrace.Sampler
	switch name {
	case "always_on":
		root = sdktrace.AlwaysSample()
	case "always_off":
		root = sdktrace.NeverSample()
	case "traceidratio":
		root = sdktrace.TraceIDRatioBased(ratio)
	case "":
		root, parentBased = sdktrace.AlwaysSample(), true
	default:
		f.add("OTEL_TRACES_SAMPLER", string(c.Sampler), new(Sampler).UnmarshalText([]byte(c.Sampler)))
		return nil
	}
	if parentBased {
		return sdktrace.ParentBased(root)
	}
	return root
}

func (c Config) ratio(f *faults) float64 {
	if c.SamplerArg == "" {
		return 1
	}
	ratio, err := strconv.ParseFloat(c.SamplerArg, 64)
	// The comparison is written so that NaN fails it.
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		f.add("OTEL_TRACES_SAMPLER_ARG", c.SamplerArg, errors.New("must be a number from 0 to 1"))
	}
	return ratio
}
