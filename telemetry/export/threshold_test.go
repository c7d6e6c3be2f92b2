package export

import (
	"math"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// The first thresholds are those of the specification's table, with four digits.
func TestThresholds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ratio float64
		want  string
	}{
		{1, "0"}, {1. / 2, "8"}, {1. / 3, "aaab"}, {1. / 4, "c"}, {1. / 5, "cccd"}, {1. / 8, "e"}, {1. / 10, "e666"}, {1. / 16, "f"},
		{1e-2, "fd70a"}, {1e-3, "ffbe77"}, {1e-4, "fff9724"}, {1e-5, "ffff583a"}, {1e-6, "ffffef39"},

		{0.75, "4"}, {0.9999, "0007"}, {0.999999, "0"}, {math.Nextafter(1, 0), "0"},
		{math.Ldexp(1, -48), "ffffffffffff"}, {math.Ldexp(1, -50), "ffffffffffffc"}, {math.Ldexp(1, -56), "ffffffffffffff"},
		{math.Ldexp(1.5, -55), "fffffffffffffd"},
	} {
		got := thresholdOf(test.ratio)
		if got.String() != test.want {
			t.Errorf("the threshold of %v is %s, want %s", test.ratio, got, test.want)
		}
		if back, ok := parseThreshold(got.String()); !ok || back != got {
			t.Errorf("%s is read as %x, %v, want %x", got, back, ok, uint64(got))
		}
	}
	for _, ratio := range []float64{0, math.SmallestNonzeroFloat64, math.Ldexp(1, -58)} {
		if got := thresholdOf(ratio); got != allRandom {
			t.Errorf("the threshold of %v is %x, which something passes", ratio, uint64(got))
		}
	}
}

func TestWhatIsNoThreshold(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "g", "A", "0x1", "-1", "+1", " 1", "1 ", "1_0", "123456789abcde0", "fffffffffffffff"} {
		if got, ok := parseThreshold(text); ok {
			t.Errorf("%q is read as %x", text, uint64(got))
		}
	}
}

func TestRandomOfATrace(t *testing.T) {
	t.Parallel()
	id := trace.TraceID{0xFF, 0xFF, 8: 0xFF, 9: 1, 15: 2}
	for rv, want := range map[string]threshold{
		"": 0x01000000000002, "6e6d1a75832a2f": 0x6e6d1a75832a2f, "00000000000000": 0,
		"6e6d1a75832a2": 0x01000000000002, "6e6d1a75832a2f0": 0x01000000000002, "6E6D1A75832A2F": 0x01000000000002,
	} {
		if got := randomOf(id, rv); got != want {
			t.Errorf("with rv %q it is %x, want %x", rv, uint64(got), uint64(want))
		}
	}
}

func FuzzThreshold(f *testing.F) {
	f.Add(0.01, "fd70a")
	f.Fuzz(func(t *testing.T, ratio float64, text string) {
		if read, ok := parseThreshold(text); ok {
			if read >= allRandom {
				t.Errorf("%q is read as %x", text, uint64(read))
			}
			if again, ok := parseThreshold(read.String()); !ok || again != read {
				t.Errorf("%q is read as %x, then %s as %x", text, uint64(read), read, uint64(again))
			}
		}
		if !(ratio >= math.Ldexp(1, -56) && ratio <= 1) {
			return
		}
		rejects := thresholdOf(ratio)
		passes := float64(allRandom-rejects) / float64(allRandom)
		// Half of the last digit, of four that are not f, or of all.
		if wrong := math.Abs(passes - ratio); wrong > ratio/4096 && wrong > math.Ldexp(1, -57) || rejects >= allRandom {
			t.Errorf("of %v pass %v", ratio, passes)
		}
	})
}
