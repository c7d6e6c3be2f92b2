package field

import (
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"time"
)

// RetryAfter returns for how long who sent h wants not to be asked again (RFC 9110
// §10.2.3), by seconds or by a date: 0 where it does not say so, or the date has passed. It
// may be very long: whoever waits sets a bound.
func RetryAfter(h http.Header) time.Duration {
	text := textproto.TrimString(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 63); err == nil {
		return time.Duration(min(seconds, math.MaxInt64/uint64(time.Second))) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}
