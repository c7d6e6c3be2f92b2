package export

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"spangate/telemetry/export/otlp"
)

// unavailable is a failure that may be over the next time: no answer, or one
// that asks to come again.
type unavailable struct {
	err   error
	after time.Duration // how long the collector asked to wait; 0: it did not say
}

func (u *unavailable) Error() string { return u.err.Error() }
func (u *unavailable) Unwrap() error { return u.err }

// refused is an answer that is the same the next time.
type refused struct{ status, body string }

func (r *refused) Error() string { return fmt.Sprintf("%s %q", r.status, r.body) }

// longestBody bounds what is kept of an answer that is no success, in bytes.
const longestBody = 256

// readAnswers makes errors of answers that are no success.
type readAnswers struct{ next http.RoundTripper }

func (a readAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(r)
	if err != nil {
		return nil, &unavailable{err: err}
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, longestBody))
	answer := &refused{resp.Status, string(bytes.TrimSpace(body))}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, &unavailable{err: answer, after: retryAfter(resp.Header.Get("Retry-After"))}
	}
	return nil, answer
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

// short is an error whose text is not longer than a line of a log should be,
// whoever has written it.
type short struct{ error }

const longestError = 512

func (s short) Error() string {
	text := s.error.Error()
	return otlp.ValidText(text[:min(len(text), longestError)])
}

func (s short) Unwrap() error { return s.error }
