package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes. As text it is a whole number, alone or with one
// of the units B, KB, MB, GB (powers of 1000), KiB, MiB or GiB (powers of 1024).
type Bytes int64

var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// UnmarshalText parses a size such as "64KiB".
func (s *Bytes) UnmarshalText(text []byte) error {
	suffix := strings.TrimLeft(string(text), "0123456789")
	digits := string(text[:len(text)-len(suffix)])
	if digits == "" {
		return errors.New("must be a whole number of bytes, such as 65536 or 64KiB")
	}
	unit, ok := sizeUnits[suffix]
	if !ok {
		return fmt.Errorf("unit %q must be B, KB, MB, GB, KiB, MiB or GiB", suffix)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return errors.New("is too large")
	}
	if n > math.MaxInt64/unit {
		return errors.New("is too large")
	}
	*s = Bytes(n * unit)
	return nil
}

// MarshalText renders the size with the largest binary unit that divides it.
func (s Bytes) MarshalText() ([]byte, error) {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if n := Bytes(sizeUnits[unit]); s != 0 && s%n == 0 {
			return fmt.Appendf(nil, "%d%s", s/n, unit), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}
