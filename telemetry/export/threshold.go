package export

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// threshold is how many of the random numbers that a trace can have are not sampled:
// all that are below it (OpenTelemetry, "TraceState: Probability Sampling").
type threshold uint64

const (
	randomBits = 56 // of a trace
	allRandom  = threshold(1) << randomBits
	hexDigits  = randomBits / 4
)

// precision is how many digits of a threshold differ from f, which is what the
// specification recommends: the rest would make trace state longer for nothing.
const precision = 4

// thresholdOf returns that of a ratio from 0 to 1. Nothing passes a ratio that is
// less than one in all.
func thresholdOf(ratio float64) threshold {
	passes := threshold(math.RoundToEven(math.Ldexp(ratio, randomBits)))
	if passes == 0 {
		return allRandom
	}
	_, exponent := math.Frexp(ratio)
	digits := min(precision+max(-exponent, 0)/4, hexDigits)
	unit := threshold(1) << (4 * (hexDigits - digits)) // of the last digit
	rounded := (allRandom - passes + unit/2) / unit * unit
	return min(rounded, allRandom-unit)
}

// String returns the value of th: hexadecimal digits, without zeros at the end.
func (t threshold) String() string {
	if digits := strings.TrimRight(fmt.Sprintf("%0*x", hexDigits, uint64(t)), "0"); digits != "" {
		return digits
	}
	return "0"
}

// parseThreshold reads the value of th.
func parseThreshold(text string) (threshold, bool) {
	n, ok := parseDigits(text)
	if !ok {
		return 0, false
	}
	return threshold(n << (4 * (hexDigits - len(text)))), true
}

// randomOf returns the random number of a trace: the explicit one that its state
// has, else the last bytes of its identifier, which are presumed to be random.
func randomOf(id trace.TraceID, rv string) threshold {
	if n, ok := parseDigits(rv); ok && len(rv) == hexDigits {
		return threshold(n)
	}
	return threshold(binary.BigEndian.Uint64(id[8:])) % allRandom
}

// parseDigits reads up to as many hexadecimal digits, in lower case, as a random
// number has.
func parseDigits(text string) (uint64, bool) {
	if text == "" || len(text) > hexDigits || strings.Trim(text, "0123456789abcdef") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 16, 64)
	return n, err == nil
}
