package export

import (
	"cmp"
	"errors"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// limit is a bound that may be absent: the text of a whole number, 0 included.
// Empty is not set.
type limit string

// UnmarshalText accepts whole numbers.
func (l *limit) UnmarshalText(text []byte) error {
	if _, err := strconv.ParseUint(string(text), 10, 31); err != nil {
		return errors.New("must be a whole number, such as 128")
	}
	*l = limit(text)
	return nil
}

// MarshalText renders the limit as UnmarshalText reads it.
func (l limit) MarshalText() ([]byte, error) { return []byte(l), nil }

// or returns the limit, or otherwise when it is not set.
func (l limit) or(otherwise int) int {
	n, err := strconv.Atoi(string(l))
	if err != nil {
		return otherwise
	}
	return n
}

const (
	defaultCount = 128

	// defaultLength lets through what people read, such as an URL or a
	// User-Agent, and keeps what a client sends from making spans large.
	defaultLength = 4096
)

func (c Config) spanLimits() sdktrace.SpanLimits {
	own, general := c.SpanLimits, c.AttributeLimits
	return sdktrace.SpanLimits{
		AttributeValueLengthLimit:   cmp.Or(own.ValueLength, general.ValueLength).or(defaultLength),
		AttributeCountLimit:         cmp.Or(own.Count, general.Count).or(defaultCount),
		EventCountLimit:             own.Events.or(defaultCount),
		LinkCountLimit:              own.Links.or(defaultCount),
		AttributePerEventCountLimit: own.EventAttributes.or(defaultCount),
		AttributePerLinkCountLimit:  own.LinkAttributes.or(defaultCount),
	}
}

// recordLimits returns the longest value and the most attributes of a log
// record.
func (c Config) recordLimits() (length, count int) {
	own, general := c.RecordLimits, c.AttributeLimits
	return cmp.Or(own.ValueLength, general.ValueLength).or(defaultLength),
		cmp.Or(own.Count, general.Count).or(defaultCount)
}
