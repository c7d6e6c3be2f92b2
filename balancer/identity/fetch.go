package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"spangate/handler/fault"
	"spangate/handler/field"
)

// FetchError is why a fetch has failed. Nothing in it was written by who was asked, but
// for a status and a word that RFC 6749 §5.2 has for the failure.
type FetchError struct {
	Type   string // for error.type: a status, or what became of the call
	Status int    // of the answer; 0: there was none
	Err    error

	rest time.Duration // for how long who was asked wants not to be; 0: nothing was said
}

func (e *FetchError) Error() string { return e.Err.Error() }

func (e *FetchError) Unwrap() error { return e.Err }

// ErrorType returns the value of the error.type attribute.
func (e *FetchError) ErrorType() string { return e.Type }

// fetchErrorOf returns err, which is one wherever it is from.
func fetchErrorOf(err error) *FetchError {
	if e, ok := errors.AsType[*FetchError](err); ok {
		return e
	}
	return &FetchError{Type: string(fault.InternalError), Err: err}
}

// refused returns the failure of what was answered with another status than 200.
func refused(resp *http.Response, err error) *FetchError {
	return &FetchError{Type: strconv.Itoa(resp.StatusCode), Status: resp.StatusCode, Err: err, rest: field.RetryAfter(resp.Header)}
}

// nonsense returns the failure of an answer of which no token can be made.
func nonsense(err error) *FetchError {
	return &FetchError{Type: string(fault.MalformedResponse), Status: http.StatusOK, Err: err}
}

// unanswered returns the failure of a call that who was asked has not answered. It does not
// show the URL, whose credentials it may hold.
func unanswered(who string, err error) *FetchError {
	if uerr, ok := errors.AsType[*url.Error](err); ok {
		err = uerr.Err
	}
	return &FetchError{Type: string(fault.OfCall(err, fault.ConnectError)), Err: fmt.Errorf("asking %s: %w", who, err)}
}

// longestAnswer bounds what is read of an answer of the metadata server, and the header of
// any. Package oauth2 reads no more than 1 MiB.
const longestAnswer = 64 << 10

// newClient returns what asks for tokens. It follows no redirect, which could lead
// secrets astray.
func newClient(proxy func(*http.Request) (*url.URL, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxy,
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // it is used once in an hour
			DisableCompression:     true, // an answer is as long as it says
			MaxResponseHeaderBytes: longestAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
