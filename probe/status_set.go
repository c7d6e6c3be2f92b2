package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// StatusSet is a set of HTTP statuses. As text it is a comma list of statuses
// and ranges of them: "200,204,300-399". The zero value stands for 200-399.
type StatusSet []StatusRange

// StatusRange holds the statuses from First to Last, both included.
type StatusRange struct{ First, Last int }

// Contains reports whether status is in the set.
func (s StatusSet) Contains(status int) bool {
	if len(s) == 0 {
		return 200 <= status && status <= 399
	}
	for _, r := range s {
		if r.First <= status && status <= r.Last {
			return true
		}
	}
	return false
}

// UnmarshalText parses a set. Its error joins one for each entry at fault.
func (s *StatusSet) UnmarshalText(text []byte) error {
	var set StatusSet
	var wrong []error
	for entry := range strings.SplitSeq(string(text), ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			wrong = append(wrong, errors.New("has an empty entry; a list looks like 200,204,300-399"))
			continue
		}
		first, last, isRange := strings.Cut(entry, "-")
		if !isRange {
			last = first
		}
		r := StatusRange{status(first), status(last)}
		switch {
		case r.First == 0 || r.Last == 0:
			wrong = append(wrong, fmt.Errorf("%q must be a status from 100 to 599, or a range such as 200-399", entry))
		case r.First > r.Last:
			wrong = append(wrong, fmt.Errorf("%q must begin with its lesser status", entry))
		}
		set = append(set, r)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	*s = set
	return nil
}

// status returns the status that text says, or 0.
func status(text string) int {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 100 || n > 599 || len(text) != 3 {
		return 0
	}
	return int(n)
}

// MarshalText renders the set as UnmarshalText reads it.
func (s StatusSet) MarshalText() ([]byte, error) {
	if len(s) == 0 {
		return []byte("200-399"), nil
	}
	var b []byte
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(r.First), 10)
		if r.Last != r.First {
			b = strconv.AppendInt(append(b, '-'), int64(r.Last), 10)
		}
	}
	return b, nil
}
