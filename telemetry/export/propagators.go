package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"

	"spangate/handler/config"
	"spangate/telemetry/tracecontext"
)

// propagators names the headers in which trace context travels. Empty is none.
type propagators []string

// UnmarshalText parses a comma list of the specification's propagators.
func (p *propagators) UnmarshalText(text []byte) error {
	*p = nil
	var wrong []error
	none := false
	for name := range strings.SplitSeq(string(text), ",") {
		name = strings.TrimSpace(name)
		if _, err := autoprop.TextMapPropagator(name); err != nil {
			wrong = append(wrong, fmt.Errorf("%q must be tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace or none", name))
			continue
		}
		none = none || name == "none"
		// Listed twice, a propagator would write its headers twice.
		if !slices.Contains(*p, name) {
			*p = append(*p, name)
		}
	}
	if none && len(*p) > 1 {
		wrong = append(wrong, errors.New("none goes with no other"))
	}
	return errors.Join(wrong...)
}

// MarshalText renders the list as UnmarshalText reads it.
func (p propagators) MarshalText() ([]byte, error) {
	if len(p) == 0 {
		return []byte("none"), nil
	}
	return []byte(strings.Join(p, ",")), nil
}

func (c *Config) propagator(f *faults) propagation.TextMapPropagator {
	propagator, err := tracecontext.Propagator(c.Propagators...)
	if err != nil {
		f.add(config.Wrong(&c.Propagators, "%w", err))
	}
	return propagator
}
