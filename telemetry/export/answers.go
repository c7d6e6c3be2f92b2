package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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

// refused is an answer that is the same the next time.
type refused struct{ status, body string }

func (r *refused) Error() string { return fmt.Sprintf("%s %q", r.status, r.body) }

// partial is an answer that takes an export, save so many items. None at all is
// a remark.
type partial struct {
	rejected int
	err      error
}

func (p *partial) Error() string { return p.err.Error() }
func (p *partial) Unwrap() error { return p.err }

// longestBody bounds what is kept of an answer that is no success, in bytes.
const longestBody = 256

// readAnswers makes errors of answers that are no success. The exporters by
// themselves repeat neither a refused connection nor a reset one, hide what the
// collector asked for, and quote without end what it says.
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

// classify finds out what an export's error means, and makes it a short one. The
// exporters' error for an export that was taken in part has no exported type:
// its text is all there is, and a collector writes a part of that.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*partial](err); ok {
		return &partial{p.rejected, short{p.err}}
	}
	if _, ok := errors.AsType[*refused](err); ok {
		return short{err}
	}
	_, text, ok := strings.Cut(err.Error(), "OTLP partial success: ")
	open := strings.LastIndexByte(text, '(')
	if !ok || open < 0 {
		return short{err}
	}
	var rejected int
	var kind string
	if _, scan := fmt.Sscanf(text[open:], "(%d %s", &rejected, &kind); scan != nil {
		return short{err}
	}
	return &partial{max(rejected, 0), short{err}}
}

// short is an error whose text is not longer than a line of a log should be,
// whoever has written it.
type short struct{ error }

const longestError = 512

func (s short) Error() string {
	text := s.error.Error()
	return validText(text[:min(len(text), longestError)])
}

func (s short) Unwrap() error { return s.error }
