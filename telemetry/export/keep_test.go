package export

import (
	"testing"
	"time"
)

func TestKeepReason(t *testing.T) {
	all := keep{Errors: true, Retries: true, Slow: time.Second}
	for _, test := range []struct {
		keep     keep
		failed   bool
		attempts int
		answered time.Duration
		want     string
	}{
		{all, false, 1, 999 * time.Millisecond, ""},
		{all, false, 0, 0, ""},
		{all, true, 2, time.Hour, "error"},
		{all, false, 2, time.Hour, "retry"},
		{all, false, 1, time.Second, "slow"},
		{keep{Retries: true}, true, 1, time.Hour, ""},
		{keep{Errors: true}, false, 2, time.Hour, ""},
		{keep{}, true, 2, time.Hour, ""},
	} {
		if got := test.keep.reason(test.failed, test.attempts, test.answered); got != test.want {
			t.Errorf("%+v: failed %v, %d attempts, %v: kept for %q, want %q", test.keep, test.failed, test.attempts, test.answered, got, test.want)
		}
	}
}

func TestKeepIsChecked(t *testing.T) {
	for text, want := range map[string]keep{
		"none":                    {},
		"error":                   {Errors: true},
		" slow:250ms , retry ":    {Retries: true, Slow: 250 * time.Millisecond},
		"error,retry,slow:1s":     {Errors: true, Retries: true, Slow: time.Second},
		"slow":                    {},
		"slow:0":                  {},
		"slow:-1s":                {},
		"slow:fast":               {},
		"errors":                  {},
		"error:1":                 {},
		"error,,retry":            {},
		"none,error":              {},
		"error,retry,slow:1s:2ms": {},
	} {
		var got keep
		err := got.UnmarshalText([]byte(text))
		if bad := want == (keep{}) && text != "none"; bad != (err != nil) || !bad && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
