package export

import (
	"errors"
	"strconv"
	"strings"
)

// Requests says which requests of a route are traced, where that differs from what holds
// for all. The zero value differs in nothing.
type Requests struct {
	Sample ownShare `env:"TRACE_SAMPLE" needs:"OTEL_TRACES_SAMPLER!=always_off" doc:"share of the requests that are traced, such as 1% or 0, in place of what OTEL_TRACES_SAMPLER and its argument say of all; what a caller has decided who is believed is followed as with any other share"`
	Keep   ownKeep  `env:"TRACE_KEEP" list:"true" needs:"OTEL_TRACES_SAMPLER!=always_off" doc:"requests whose spans are exported though the sampler said no, in place of what TRACE_KEEP says of all"`
}

// keep returns which requests are kept.
func (r *Requests) keep(all *Config) keep {
	if r.Keep.set {
		return r.Keep.keep
	}
	return all.Keep
}

// ownShare is a share of the requests, if it is set.
type ownShare struct {
	set   bool
	ratio float64
	text  string
}

// UnmarshalText parses a share such as 10% or 0.1.
func (s *ownShare) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(string(text), "%")
	ratio, err := strconv.ParseFloat(number, 64)
	if percent {
		ratio /= 100
	}
	// The comparison is written so that NaN fails it.
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return errors.New("must be a share such as 10% or 0.1, or 0 for none")
	}
	*s = ownShare{true, ratio, string(text)}
	return nil
}

// MarshalText returns what the share was parsed from.
func (s ownShare) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// ownKeep is as keep is, if it is set.
type ownKeep struct {
	set  bool
	keep keep
	text string
}

// UnmarshalText parses what [keep] does.
func (k *ownKeep) UnmarshalText(text []byte) error {
	*k = ownKeep{set: true, text: string(text)}
	return k.keep.UnmarshalText(text)
}

// MarshalText returns what it was parsed from.
func (k ownKeep) MarshalText() ([]byte, error) { return []byte(k.text), nil }
