package export

import (
	"bytes"
	"fmt"
	"strings"

	"spangate/handler/config"
)

// The specification wants names of these kinds to be read in any case.
type (
	// Protocol is how OTLP travels: "http/protobuf" or "grpc". Empty is not
	// set.
	Protocol string
	// Compression of what is exported: "none" or "gzip". Empty is not set.
	Compression string
	// Sampler names one of the specification's samplers.
	Sampler string
	// Temporality is whether counters and histograms are sent as totals
	// ("cumulative"), as changes ("delta") or as whichever of both needs no
	// memory between two collections ("lowmemory").
	Temporality string
	// HistogramAggregation is how histograms without advice of their own are
	// bucketed.
	HistogramAggregation string
	// ExemplarFilter says which measurements may become exemplars.
	ExemplarFilter string
	// LogLevel is the least level of the SDK's own messages.
	LogLevel string
	// Flag is "true" or "false". Empty is not set.
	Flag string
)

// UnmarshalText accepts http/protobuf and grpc.
func (p *Protocol) UnmarshalText(text []byte) error {
	return config.OneOf(p, bytes.ToLower(text), "http/protobuf", "grpc")
}

// UnmarshalText accepts none and gzip.
func (c *Compression) UnmarshalText(text []byte) error {
	return config.OneOf(c, bytes.ToLower(text), "none", "gzip")
}

// UnmarshalText accepts the samplers that need no service of their own: not
// jaeger_remote and xray.
func (s *Sampler) UnmarshalText(text []byte) error {
	name := strings.TrimPrefix(strings.ToLower(string(text)), "parentbased_")
	if name == "jaeger_remote" || name == "xray" {
		return fmt.Errorf("%s is not supported, as it asks a service for its rules; rate_limited bounds traces without one", name)
	}
	return config.OneOf(s, bytes.ToLower(text), "always_on", "always_off", "traceidratio", "rate_limited",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio", "parentbased_rate_limited")
}

// UnmarshalText accepts cumulative, delta and lowmemory in any case.
func (t *Temporality) UnmarshalText(text []byte) error {
	return config.OneOf(t, bytes.ToLower(text), "cumulative", "delta", "lowmemory")
}

// UnmarshalText accepts explicit_bucket_histogram and
// base2_exponential_bucket_histogram in any case.
func (h *HistogramAggregation) UnmarshalText(text []byte) error {
	return config.OneOf(h, bytes.ToLower(text), "explicit_bucket_histogram", "base2_exponential_bucket_histogram")
}

// UnmarshalText accepts trace_based, always_on and always_off.
func (f *ExemplarFilter) UnmarshalText(text []byte) error {
	return config.OneOf(f, bytes.ToLower(text), "trace_based", "always_on", "always_off")
}

// UnmarshalText accepts none, error, warn, info and debug.
func (l *LogLevel) UnmarshalText(text []byte) error {
	return config.OneOf(l, bytes.ToLower(text), "none", "error", "warn", "info", "debug")
}

// UnmarshalText accepts true and false in any case.
func (f *Flag) UnmarshalText(text []byte) error {
	return config.OneOf(f, bytes.ToLower(text), "true", "false")
}

// MarshalText renders the protocol as UnmarshalText reads it.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p), nil }

// MarshalText renders the compression as UnmarshalText reads it.
func (c Compression) MarshalText() ([]byte, error) { return []byte(c), nil }

// MarshalText renders the sampler as UnmarshalText reads it.
func (s Sampler) MarshalText() ([]byte, error) { return []byte(s), nil }

// MarshalText renders the temporality as UnmarshalText reads it.
func (t Temporality) MarshalText() ([]byte, error) { return []byte(t), nil }

// MarshalText renders the aggregation as UnmarshalText reads it.
func (h HistogramAggregation) MarshalText() ([]byte, error) { return []byte(h), nil }

// MarshalText renders the filter as UnmarshalText reads it.
func (f ExemplarFilter) MarshalText() ([]byte, error) { return []byte(f), nil }

// MarshalText renders the level as UnmarshalText reads it.
func (l LogLevel) MarshalText() ([]byte, error) { return []byte(l), nil }

// MarshalText renders the flag as UnmarshalText reads it.
func (f Flag) MarshalText() ([]byte, error) { return []byte(f), nil }
