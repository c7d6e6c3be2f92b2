package export

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// keep says which requests are exported though the sampler said no. The zero
// value is none.
type keep struct {
	Errors, Retries bool
	Slow            time.Duration // to the first byte of the answer; 0: however slow
}

// UnmarshalText parses a comma list of error, retry and slow:DURATION, or none.
func (k *keep) UnmarshalText(text []byte) error {
	*k = keep{}
	if strings.TrimSpace(string(text)) == "none" {
		return nil
	}
	var wrong []error
	for reason := range strings.SplitSeq(string(text), ",") {
		name, value, given := strings.Cut(strings.TrimSpace(reason), ":")
		switch {
		case name == "error" && !given:
			k.Errors = true
		case name == "retry" && !given:
			k.Retries = true
		case name == "slow" && given:
			slow, err := time.ParseDuration(value)
			if err != nil || slow <= 0 {
				wrong = append(wrong, fmt.Errorf("slow:%s: must be a duration above zero, such as slow:1s", value))
			}
			k.Slow = slow
		default:
			wrong = append(wrong, fmt.Errorf("%q must be error, retry or slow:DURATION; none stands alone", strings.TrimSpace(reason)))
		}
	}
	return errors.Join(wrong...)
}

func (k keep) any() bool { return k != keep{} }

// reason returns why a request is to be exported though it is not sampled, or
// nothing: from whether it failed, how many attempts it took, and how long its
// answer took to begin.
func (k keep) reason(failed bool, attempts int, answered time.Duration) string {
	switch {
	case k.Errors && failed:
		return "error"
	case k.Retries && attempts > 1:
		return "retry"
	case k.Slow > 0 && answered >= k.Slow:
		return "slow"
	}
	return ""
}
