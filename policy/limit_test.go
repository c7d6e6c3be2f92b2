package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/policy"
)

func ExampleLimits() {
	var limits policy.Limits
	fmt.Println(limits.UnmarshalText([]byte("10/s,1000/h")), limits[1].Interval())
	fmt.Println(limits.UnmarshalText([]byte("100/fortnight")))
	// Output:
	// <nil> 3.6s
	// unit must be s, m, h or d
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]policy.Limits{
		"":                 nil,
		"off":              nil,
		"100/s":            {{100, time.Second, 100}},
		"600/m":            {{600, time.Minute, 600}},
		"1/d":              {{1, 24 * time.Hour, 1}},
		"10/s,1000/h":      {{10, time.Second, 10}, {1000, time.Hour, 1000}},
		"1000/h, 10/s":     {{1000, time.Hour, 1000}, {10, time.Second, 10}},
		"1000000/s":        {{1e6, time.Second, 1e6}},
		"86400000000/d":    {{864e8, 24 * time.Hour, 864e8}},
		"1/s,1/m,1/h,01/d": {{1, time.Second, 1}, {1, time.Minute, 1}, {1, time.Hour, 1}, {1, 24 * time.Hour, 1}},
	} {
		var got policy.Limits
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestLimitsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"100/fortnight":          "unit must be s, m, h or d",
		"100/S":                  "unit must be s, m, h or d",
		"100/":                   "unit must be s, m, h or d",
		"100":                    "must be a number of requests and a unit, such as 100/s",
		"/s":                     "must be a number of requests and a unit, such as 100/s",
		"-1/s":                   "must be a number of requests and a unit, such as 100/s",
		"1.5/s":                  "must be a number of requests and a unit, such as 100/s",
		"1e3/s":                  "must be a number of requests and a unit, such as 100/s",
		"0/s":                    "must let at least one request in",
		"1000001/s":              "must be at most 1000000/s",
		"99999999999999999999/m": "must be at most 60000000/m",
		"10/s,20/s":              `"20/s": there is another limit per s`,
		"10/s,":                  `"": must be a number of requests and a unit, such as 100/s`,
		"10/x,0/s":               `"10/x": unit must be s, m, h or d` + "\n" + `"0/s": must let at least one request in`,
		"off,1/s":                `"off": must be a number of requests and a unit, such as 100/s`,
	} {
		var got policy.Limits
		err := got.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		} else if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add("10/s,1000/h")
	f.Add("99999999999999999999/m")
	f.Fuzz(func(t *testing.T, text string) {
		var limits, again policy.Limits
		if limits.UnmarshalText([]byte(text)) != nil {
			return
		}
		for _, l := range limits {
			if l.Requests < 1 || l.Burst < 1 || l.Interval() < time.Microsecond || l.Interval()*time.Duration(l.Burst) > l.Per {
				t.Errorf("%q has %+v", text, l)
			}
		}
		written, _ := limits.MarshalText()
		if err := again.UnmarshalText(written); err != nil || !cmp.Equal(limits, again) {
			t.Errorf("%q is %v, written as %q and read again it is %v, %v", text, limits, written, again, err)
		}
	})
}

func TestBurst(t *testing.T) {
	for _, test := range []struct {
		limits string
		burst  int64
		want   []int64
		err    string
	}{
		{"10/s,1000/h", 0, []int64{10, 1000}, ""},
		{"10/s,1000/h", 25, []int64{25, 1000}, ""},
		{"1000/h,10/s", 1, []int64{1000, 1}, ""},
		{"off", 0, nil, ""},
		{"off", 5, nil, ""},
		{"1/d", 366, []int64{366}, ""},
		{"1/d", 367, []int64{367}, `RATE_LIMIT_BURST="367": must be at most 366 with 1/d: more take over a year to come back`},
	} {
		cfg := limitsOf(t, test.limits)
		cfg.Burst = test.burst
		var got []int64
		for _, l := range cfg.Effective() {
			got = append(got, l.Burst)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s, %d (-want +got):\n%s", test.limits, test.burst, diff)
		}
		if err := config.Named(&cfg, cfg.Check()); (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s, %d: got %v, want %q", test.limits, test.burst, err, test.err)
		}
	}
}

// limitsOf returns a configuration of those limits.
func limitsOf(t testing.TB, limits string) (cfg policy.RateLimitConfig) {
	t.Helper()
	if err := cfg.Limits.UnmarshalText([]byte(limits)); err != nil {
		t.Fatal(err)
	}
	return cfg
}
