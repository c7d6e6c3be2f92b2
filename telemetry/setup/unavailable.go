package setup

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// unavailable is a failure that may be over the next time: no answer, or one
// that asks to come again.
type unavailable struct {
	err   error
	after time.Duration // how long the collector asked to wait; 0: it did not say
}

func (u *unavailable) Error() string { return u.err.Error() }
func (u *unavailable) Unwrap() error { return u.err }

// markUnavailable turns whatever OTLP/HTTP lets a client repeat into an
// unavailable error. The exporters by themselves repeat neither a refused
// connection nor a reset one, and hide what the collector asked for.
type markUnavailable struct{ next http.RoundTripper }

func (m markUnavailable) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(r)
	if err != nil {
		return nil, &unavailable{err: err}
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
	return nil, &unavailable{
		err:   fmt.Errorf("%s %q", resp.Status, bytes.TrimSpace(body)),
		after: retryAfter(resp.Header.Get("Retry-After")),
	}
}

// retryAfter reads both forms of RFC 9110 §10.2.3.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}
