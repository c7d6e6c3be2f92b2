package field_test

import (
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"spangate/handler/field"
)

func timeoutHeader(grpc, connect string) http.Header {
	h := http.Header{"Content-Type": {"application/grpc"}}
	for name, value := range map[string]string{"Grpc-Timeout": grpc, "Connect-Timeout-Ms": connect} {
		if value != "" {
			h[name] = strings.Split(value, "|")
		}
	}
	return h
}

func TestTimeout(t *testing.T) {
	const none = -1
	for _, test := range []struct {
		grpc, connect string
		want          time.Duration
	}{
		{"1H", "", time.Hour},
		{"2M", "", 2 * time.Minute},
		{"3S", "", 3 * time.Second},
		{"4m", "", 4 * time.Millisecond},
		{"5u", "", 5 * time.Microsecond},
		{"6n", "", 6 * time.Nanosecond},
		{"0S", "", 0}, // the client does not wait at all
		{"00000001S", "", time.Second},
		{"99999999n", "", 99999999},
		{"99999999H", "", math.MaxInt64},
		{"99999999M", "", 99999999 * time.Minute},

		{"", "", none},
		{"S", "", none},
		{"1", "", none},
		{"1s", "", none},
		{"1h", "", none},
		{"1N", "", none},
		{"+1S", "", none},
		{"-1S", "", none},
		{"1.5S", "", none},
		{" 1S", "", none},
		{"1 S", "", none},
		{"1S ", "", none},
		{"1SS", "", none},
		{"1S, 2S", "", none},
		{"1S|2S", "", none},
		{"0x1S", "", none},
		{"1_0S", "", none},
		{"123456789m", "", none},
		{"٣S", "", none},

		{"", "250", 250 * time.Millisecond},
		{"", "0", 0},
		{"", "9999999999", 9999999999 * time.Millisecond},
		{"", "10000000000", none},
		{"", "1S", none},
		{"", "-1", none},
		{"", "1|2", none},
		{"1S", "250", 250 * time.Millisecond},
		{"1m", "250", time.Millisecond},
		{"x", "250", 250 * time.Millisecond},
		{"1S", "x", time.Second},
	} {
		got, ok := field.Timeout(timeoutHeader(test.grpc, test.connect))
		if !ok {
			got = none
		}
		if got != test.want {
			t.Errorf("grpc-timeout %q, connect-timeout-ms %q: %v, want %v", test.grpc, test.connect, got, test.want)
		}
	}
	h := timeoutHeader("1S", "")
	h.Set("Content-Type", "application/json")
	if d, ok := field.Timeout(h); ok {
		t.Errorf("grpc-timeout of no call of gRPC: %v", d)
	}
}

func TestLimitTimeout(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:                      {"1n", "1"},
		0:                                 {"1n", "1"},
		1:                                 {"1n", "1"},
		99999999:                          {"99999999n", "99"},
		100 * time.Millisecond:            {"100000u", "100"},
		time.Second:                       {"1000000u", "1000"},
		99999999 * time.Microsecond:       {"99999999u", "99999"},
		100*time.Second + time.Nanosecond: {"100000m", "100000"},
		48 * time.Hour:                    {"172800S", "172800000"},
		math.MaxInt64:                     {"99999999H", "9999999999"},
	} {
		h := timeoutHeader("99999999H", "9999999999")
		field.LimitTimeout(h, d)
		if got := [2]string{h.Get("Grpc-Timeout"), h.Get("Connect-Timeout-Ms")}; got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	h := timeoutHeader("1S", "1000")
	field.LimitTimeout(h, time.Second+1)
	if got := [2]string{h.Get("Grpc-Timeout"), h.Get("Connect-Timeout-Ms")}; got != [2]string{"1S", "1000"} {
		t.Errorf("what is less than the limit is told as %q", got)
	}
	h = timeoutHeader("", "")
	field.LimitTimeout(h, time.Second)
	if len(h) != 1 {
		t.Errorf("fields that were not there: %v", h)
	}
}

// FuzzTimeout holds that what is understood follows the grammar, and what is told
// then does so too, and is never longer.
func FuzzTimeout(f *testing.F) {
	for _, seed := range []string{"1S", "99999999H", "0n", "", "123456789m", "-1S"} {
		f.Add(seed, "1000")
	}
	grpc, connect := regexp.MustCompile(`^[0-9]{1,8}[HMSmun]$`), regexp.MustCompile(`^[0-9]{1,10}$`)
	f.Fuzz(func(t *testing.T, value, milliseconds string) {
		h := http.Header{"Content-Type": {"application/grpc"}, "Grpc-Timeout": {value}, "Connect-Timeout-Ms": {milliseconds}}
		d, ok := field.Timeout(h)
		if want := grpc.MatchString(value) || connect.MatchString(milliseconds); ok != want || d < 0 {
			t.Fatalf("%q, %q: %v %v", value, milliseconds, d, ok)
		}
		field.LimitTimeout(h, d)
		if !grpc.MatchString(h.Get("Grpc-Timeout")) || !connect.MatchString(h.Get("Connect-Timeout-Ms")) {
			t.Fatalf("%v is told as %q", d, h)
		}
		if again, ok := field.Timeout(h); !ok || again > max(d, 1) && again > time.Millisecond {
			t.Fatalf("%v is told as %q, which is %v", d, h, again)
		}
	})
}
