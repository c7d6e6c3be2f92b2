package export

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// milliseconds is a span of time as the specification writes it: a whole
// number of milliseconds, without a unit, above 0. Zero is not set.
type milliseconds int64

// or returns the duration, or otherwise when it is not set.
func (m milliseconds) or(otherwise time.Duration) time.Duration {
	if m <= 0 {
		return otherwise
	}
	return time.Duration(m) * time.Millisecond
}

// UnmarshalText refuses 0, because none of the exports and waits that it
// bounds may be endless, and units, because other programs that read the same
// variable do.
func (m *milliseconds) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return errors.New("must be a whole number of milliseconds above 0, such as 5000")
	}
	*m = milliseconds(n)
	return nil
}

// MarshalText renders the number as UnmarshalText reads it, and nothing when
// it is not set.
func (m milliseconds) MarshalText() ([]byte, error) {
	if m == 0 {
		return nil, nil
	}
	return strconv.AppendInt(nil, int64(m), 10), nil
}
