package field

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// The fields in which clients say for how long they wait: those of gRPC, and those
// of Connect, which may call in the form of gRPC as well.
const (
	grpcTimeout    = "Grpc-Timeout"
	connectTimeout = "Connect-Timeout-Ms"
)

// Timeout returns how long the client of a request with this header waits, if it
// says so: by grpc-timeout, which is for calls of gRPC only, or by
// Connect-Timeout-Ms. No more than about 292 years are counted.
//
// A field that does not follow its grammar, or comes more than once, says nothing.
// Servers differ in what they make of it, and it is theirs to say.
func Timeout(h http.Header) (d time.Duration, ok bool) {
	d, ok = grpcTimeoutOf(h)
	if other, says := connectTimeoutOf(h); says && (!ok || other < d) {
		return other, true
	}
	return d, ok
}

// LimitTimeout has the fields of h that say for how long a client waits say that it
// waits for d, where they say more. One that is not there is not added.
func LimitTimeout(h http.Header, d time.Duration) {
	d = max(d, 1)
	if said, ok := grpcTimeoutOf(h); h[grpcTimeout] != nil && GRPC(h) != "" && (!ok || said > d) {
		h[grpcTimeout] = []string{formatGRPCTimeout(d)}
	}
	if said, ok := connectTimeoutOf(h); h[connectTimeout] != nil && (!ok || said > d) {
		h[connectTimeout] = []string{strconv.FormatInt(max(1, min(d.Milliseconds(), 9_999_999_999)), 10)}
	}
}

func grpcTimeoutOf(h http.Header) (time.Duration, bool) {
	if lines := h[grpcTimeout]; len(lines) == 1 && GRPC(h) != "" {
		return parseGRPCTimeout(lines[0])
	}
	return 0, false
}

func connectTimeoutOf(h http.Header) (time.Duration, bool) {
	lines := h[connectTimeout]
	if len(lines) != 1 {
		return 0, false
	}
	milliseconds, ok := parseDigits(lines[0], 10)
	return time.Duration(milliseconds) * time.Millisecond, ok
}

// grpcUnits are those of grpc-timeout, the finest first.
var grpcUnits = []struct {
	letter byte
	unit   time.Duration
}{
	{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond},
	{'S', time.Second}, {'M', time.Minute}, {'H', time.Hour},
}

// maxGRPCDigits bounds the number in grpc-timeout.
const maxGRPCDigits = 8

// parseGRPCTimeout parses a Timeout of grpc/doc/PROTOCOL-HTTP2.md: at most eight
// digits and a unit.
func parseGRPCTimeout(value string) (time.Duration, bool) {
	if value == "" {
		return 0, false
	}
	number, ok := parseDigits(value[:len(value)-1], maxGRPCDigits)
	for _, u := range grpcUnits {
		if ok && u.letter == value[len(value)-1] {
			if number > int64(math.MaxInt64/u.unit) {
				return math.MaxInt64, true
			}
			return time.Duration(number) * u.unit, true
		}
	}
	return 0, false
}

// formatGRPCTimeout renders d, which is above 0, in the finest unit in which it has
// no more digits than it may have.
func formatGRPCTimeout(d time.Duration) string {
	for _, u := range grpcUnits {
		if n := int64(d / u.unit); n < 100_000_000 {
			return strconv.FormatInt(n, 10) + string(u.letter)
		}
	}
	return "" // not reached: no duration has so many hours
}

// parseDigits parses a number of at most so many digits, and nothing but these.
func parseDigits(s string, most int) (n int64, ok bool) {
	if s == "" || len(s) > most {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
