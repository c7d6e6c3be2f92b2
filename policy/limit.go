package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limit is how many requests may come in over a time. As text it is written as
// 100/s, 600/m, 1000/h or 10/d.
type Limit struct {
	Requests int64         // at least 1
	Per      time.Duration // s, m, h or d
	Burst    int64         // how many may come at once; at least 1
}

// Interval returns the time after which one more request may come in: GCRA's
// emission interval T. What is left over of a nanosecond is dropped, so that
// whoever keeps to the limit is never refused.
func (l Limit) Interval() time.Duration { return l.Per / time.Duration(l.Requests) }

// String returns the limit as it is configured, without its burst.
func (l Limit) String() string { return string(l.append(nil)) }

func (l Limit) append(b []byte) []byte {
	b = strconv.AppendInt(b, l.Requests, 10)
	return append(append(b, '/'), unitOf(l.Per)...)
}

// appendQuoted appends the limit as a string of structured fields.
func (l Limit) appendQuoted(b []byte) []byte {
	return append(l.append(append(b, '"')), '"')
}

// limitUnits are the times that a limit can be given for.
var limitUnits = [maxLimits]struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}

// maxLimits is how many limits there can be: one for each unit.
const maxLimits = 4

func unitOf(per time.Duration) string {
	for _, u := range limitUnits {
		if u.per == per {
			return u.name
		}
	}
	return per.String()
}

// minInterval bounds rates, and with them what dropping a part of a nanosecond
// amounts to.
const minInterval = time.Microsecond

func parseLimit(text string) (Limit, error) {
	number, unit, ok := strings.Cut(text, "/")
	n, err := strconv.ParseUint(number, 10, 63)
	large := errors.Is(err, strconv.ErrRange)
	if !ok || err != nil && !large {
		return Limit{}, errors.New("must be a number of requests and a unit, such as 100/s")
	}
	for _, u := range limitUnits {
		if u.name != unit {
			continue
		}
		most := uint64(u.per / minInterval)
		switch {
		case n == 0:
			return Limit{}, errors.New("must let at least one request in")
		case large || n > most:
			return Limit{}, fmt.Errorf("must be at most %d/%s", most, unit)
		}
		return Limit{Requests: int64(n), Per: u.per, Burst: int64(n)}, nil
	}
	return Limit{}, errors.New("unit must be s, m, h or d")
}

// Limits are the limits that each request must keep, all of them. As text it is
// a comma list such as 10/s,1000/h that has each unit once, or off. The zero
// value limits nothing.
type Limits []Limit

// UnmarshalText parses a list of limits. Each has a burst of its number of
// requests.
func (l *Limits) UnmarshalText(text []byte) error {
	*l = nil
	if s := string(text); s == "" || s == "off" {
		return nil
	}
	var all Limits
	var errs []error
	items := strings.Split(string(text), ",")
	for _, item := range items {
		item = strings.TrimSpace(item)
		limit, err := parseLimit(item)
		if err == nil && slices.ContainsFunc(all, func(other Limit) bool { return other.Per == limit.Per }) {
			err = fmt.Errorf("there is another limit per %s", unitOf(limit.Per))
		}
		if err != nil && len(items) > 1 {
			err = fmt.Errorf("%q: %w", item, err)
		}
		errs = append(errs, err)
		all = append(all, limit)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	*l = all
	return nil
}

// MarshalText renders the list as UnmarshalText reads it.
func (l Limits) MarshalText() ([]byte, error) {
	if len(l) == 0 {
		return []byte("off"), nil
	}
	var b []byte
	for i, limit := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = limit.append(b)
	}
	return b, nil
}

// shortest returns the index of the limit for the shortest time, or -1.
func (l Limits) shortest() int {
	at := -1
	for i, limit := range l {
		if at < 0 || limit.Per < l[at].Per {
			at = i
		}
	}
	return at
}
