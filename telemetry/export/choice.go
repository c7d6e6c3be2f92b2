package export

import (
	"bytes"
	"fmt"
	"strings"

	"spangate/handler/config"
)

// The specification wants names of these kinds to be read in any case.
type (
	// protocol is how OTLP travels: "http/protobuf" or "grpc". Empty is not
	// set.
	protocol string
	// compression of what is exported: "none" or "gzip". Empty is not set.
	compression string
	// sampler names one of the specification's samplers.
	sampler string
	// temporality is whether counters and histograms are sent as totals
	// ("cumulative"), as changes ("delta") or as whichever of both needs no
	// memory between two collections ("lowmemory").
	temporality string
	// histogramAggregation is how histograms without advice of their own are
	// bucketed.
	histogramAggregation string
	// exemplarFilter says which measurements may become exemplars.
	exemplarFilter string
	// logLevel is the least level of the SDK's own messages.
	logLevel string
	// flag is "true" or "false". Empty is not set.
	flag string
)

// UnmarshalText accepts http/protobuf and grpc.
func (p *protocol) UnmarshalText(text []byte) error {
	return config.OneOf(p, bytes.ToLower(text), "http/protobuf", "grpc")
}

// UnmarshalText accepts none and gzip.
func (c *compression) UnmarshalText(text []byte) error {
	return config.OneOf(c, bytes.ToLower(text), "none", "gzip")
}

// UnmarshalText accepts the samplers that need no service of their own: not
// jaeger_remote and xray.
func (s *sampler) UnmarshalText(text []byte) error {
	name := strings.TrimPrefix(strings.ToLower(string(text)), "parentbased_")
	if name == "jaeger_remote" || name == "xray" {
		return fmt.Errorf("%s is not supported, as it asks a service for its rules; rate_limited bounds traces without one", name)
	}
	return config.OneOf(s, bytes.ToLower(text), "always_on", "always_off", "traceidratio", "rate_limited",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio", "parentbased_rate_limited")
}

// UnmarshalText accepts cumulative, delta and lowmemory in any case.
func (t *temporality) UnmarshalText(text []byte) error {
	return config.OneOf(t, bytes.ToLower(text), "cumulative", "delta", "lowmemory")
}

// UnmarshalText accepts explicit_bucket_histogram and
// base2_exponential_bucket_histogram in any case.
func (h *histogramAggregation) UnmarshalText(text []byte) error {
	return config.OneOf(h, bytes.ToLower(text), "explicit_bucket_histogram", "base2_exponential_bucket_histogram")
}

// UnmarshalText accepts trace_based, always_on and always_off.
func (f *exemplarFilter) UnmarshalText(text []byte) error {
	return config.OneOf(f, bytes.ToLower(text), "trace_based", "always_on", "always_off")
}

// UnmarshalText accepts none, error, warn, info and debug.
func (l *logLevel) UnmarshalText(text []byte) error {
	return config.OneOf(l, bytes.ToLower(text), "none", "error", "warn", "info", "debug")
}

// UnmarshalText accepts true and false in any case.
func (f *flag) UnmarshalText(text []byte) error {
	return config.OneOf(f, bytes.ToLower(text), "true", "false")
}

// MarshalText renders the protocol as UnmarshalText reads it.
func (p protocol) MarshalText() ([]byte, error) { return []byte(p), nil }

// MarshalText renders the compression as UnmarshalText reads it.
func (c compression) MarshalText() ([]byte, error) { return []byte(c), nil }

// MarshalText renders the sampler as UnmarshalText reads it.
func (s sampler) MarshalText() ([]byte, error) { return []byte(s), nil }

// MarshalText renders the temporality as UnmarshalText reads it.
func (t temporality) MarshalText() ([]byte, error) { return []byte(t), nil }

// MarshalText renders the aggregation as UnmarshalText reads it.
func (h histogramAggregation) MarshalText() ([]byte, error) { return []byte(h), nil }

// MarshalText renders the filter as UnmarshalText reads it.
func (f exemplarFilter) MarshalText() ([]byte, error) { return []byte(f), nil }

// MarshalText renders the level as UnmarshalText reads it.
func (l logLevel) MarshalText() ([]byte, error) { return []byte(l), nil }

// MarshalText renders the flag as UnmarshalText reads it.
func (f flag) MarshalText() ([]byte, error) { return []byte(f), nil }
