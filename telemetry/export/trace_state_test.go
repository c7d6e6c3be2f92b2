package export

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/tracecontext"
)

func parsed(t testing.TB, text string) trace.TraceState {
	t.Helper()
	state, err := trace.ParseTraceState(text)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestThresholdInTraceState(t *testing.T) {
	t.Parallel()
	full := "ot=p:" + strings.Repeat("8", 249) // 251 of 256 characters
	var others []string
	for i := range 32 {
		others = append(others, fmt.Sprintf("k%d=v", i))
	}
	for _, test := range []struct{ state, th, want string }{
		{"", "", ""},
		{"", "0", "ot=th:0"},
		{"a=b", "c", "ot=th:c,a=b"},
		{"a=b,c=d", "", "a=b,c=d"},
		{"a=b,ot=th:c,c=d", "fd70a", "ot=th:fd70a,a=b,c=d"},
		{"a=b,ot=th:c,c=d", "", "a=b,c=d"},
		{"ot=rv:6e6d1a75832a2f", "8", "ot=rv:6e6d1a75832a2f;th:8"},
		{"a=b,ot=rv:6e6d1a75832a2f;th:8;p:8", "", "ot=rv:6e6d1a75832a2f;p:8,a=b"},
		{"a=b,ot=rv:6e6d1a75832a2f", "", "a=b,ot=rv:6e6d1a75832a2f"},
		{"ot=th:;p:8", "", "ot=p:8"},
		{"ot=p:8;rv:no", "1", "ot=p:8;rv:no;th:1"},
		{"t@ot=th:0", "", "t@ot=th:0"},

		// malformed
		{"a=b,ot=th", "8", "ot=th:8,a=b"},
		{"a=b,ot=th", "", "a=b"},
		{"ot=;,a=b", "", "a=b"},
		{"ot=th:0;th:8", "", ""},
		{"ot=th:0;p:1;th:8", "c", "ot=th:c"},
		{"ot=Th:0", "", ""},
		{"ot=th:0;", "", ""},
		{"ot=th:0; p:8", "1", "ot=th:1"},
		{"ot=1p:8;th:0", "", ""},
		{"ot=p:{};th:0", "", ""},

		// without room
		{full, "8", full + ";th:8"},
		{full, "fd", full},
		{full + ";th:8", "fd", full},
		{strings.Join(others, ","), "0", "ot=th:0," + strings.Join(others[:31], ",")},
	} {
		if got := withThreshold(parsed(t, test.state), test.th).String(); got != test.want {
			t.Errorf("%q with %q is %q, want %q", test.state, test.th, got, test.want)
		}
	}
}

func TestShortenedTraceState(t *testing.T) {
	t.Parallel()
	long, ot := "l="+strings.Repeat("x", 200), "ot=th:0;p:"+strings.Repeat("y", 200)
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("k%d=%s", i, strings.Repeat("v", 20)))
	}
	for name, test := range map[string]struct{ have, want []string }{
		"what fits":       {have: many, want: many},
		"the long first":  {have: slices.Concat([]string{long}, many), want: many},
		"then the oldest": {have: slices.Concat([]string{long}, many, []string{"y=1", "z=" + strings.Repeat("v", 20)}), want: slices.Concat(many, []string{"y=1"})},
		"never ot":        {have: slices.Concat(many, []string{long, ot}), want: slices.Concat(many[:12], []string{ot})},
	} {
		state := parsed(t, strings.Join(test.have, ","))
		got := shortened(state).String()
		if want := strings.Join(test.want, ","); got != want {
			t.Errorf("%s: got %q (%d), want %q (%d)", name, got, len(got), want, len(want))
		}
	}
}

// FuzzThresholdInTraceState looks for what is said of sampling otherwise than it is
// set, and for others' members that do not stay.
func FuzzThresholdInTraceState(f *testing.F) {
	f.Add("a=b,ot=rv:6e6d1a75832a2f;th:8;p:8", uint64(1))
	f.Add("ot=th", uint64(0))
	f.Fuzz(func(t *testing.T, text string, th uint64) {
		state, err := trace.ParseTraceState(text)
		if err != nil {
			return
		}
		for _, th := range []string{"", threshold(th % uint64(allRandom)).String()} {
			told := withThreshold(state, th)
			again, err := trace.ParseTraceState(told.String())
			if err != nil {
				t.Fatalf("%q becomes %q: %v", text, told, err)
			}
			got, _, ok := parseOT(again.Get(otKey))
			_, rvBefore := otOf(state)
			_, rv := otOf(again)
			room := len(state.Get(otKey))+len(";th:")+len(th) <= 256
			if !ok || rv != rvBefore || got != th && (room || got != "") {
				t.Errorf("%q with %q becomes %q", text, th, told)
			}
			left := 0
			state.Walk(func(key, value string) bool {
				if key != otKey && again.Get(key) == value {
					left++
				}
				return true
			})
			if lost := state.Len() - left; lost > 1 {
				t.Errorf("%q with %q becomes %q", text, th, told)
			}
			if short := shortened(told); len(short.String()) > tracecontext.LongestState || short.Get(otKey) != told.Get(otKey) {
				t.Errorf("%q is shortened to %q", told, short)
			}
		}
	})
}
