package wire

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
	"spangate/handler/wire/framing"
)

// sending is a request on its way over a connection.
type sending struct {
	c      *connection
	before framing.Passed // over HTTP/1.1
	heard  int64          // over HTTP/2
	kept   bool           // the connection, from an earlier request
}

func (c *connection) sending() sending {
	s := sending{c: c, kept: c.used.Load()}
	if c.http1 != nil {
		s.before = c.http1.Passed()
	} else {
		s.heard = c.http2.heard.Load()
	}
	return s
}

// fields returns r as it may go over c: what is of a connection of HTTP/1.1 is
// not in HTTP/2 (RFC 9113 §8.2.2), and TE is of one (RFC 9110 §10.1.4).
func (c *connection) fields(r *http.Request) *http.Request {
	h := r.Header
	if c.http1 != nil && h["Te"] == nil || c.http1 == nil && h["Connection"] == nil && h["Upgrade"] == nil {
		return r
	}
	own := r.WithContext(r.Context())
	own.Header = maps.Clone(h) // the request may be sent elsewhere as well
	if c.http1 != nil {
		own.Header["Connection"] = []string{strings.Join(append(slices.Clone(h["Connection"]), "TE"), ", ")}
		return own
	}
	delete(own.Header, "Connection")
	delete(own.Header, "Upgrade")
	return own
}

// failure returns what err, net/http's, says of the request r: whose fault it
// is, and whether a part of it may have reached the backend.
func (s sending) failure(r *http.Request, body *upload, err error) *fault.Error {
	e := fault.Of(r.Context(), err)
	switch {
	case r.Context().Err() != nil || body.failed():
		return e
	case !sendable(r):
		return &fault.Error{Type: fault.MalformedRequest, Err: err}
	case s.c.http1 != nil:
		return s.failureHTTP1(e, err)
	}
	return s.failureHTTP2(e, err)
}

func (s sending) failureHTTP1(e *fault.Error, err error) *fault.Error {
	now := s.c.http1.Passed()
	switch lost := s.c.http1.Broken(); {
	case now.Sent > s.before.Sent:
		e.Kept = s.kept && now.Received == s.before.Received && e.Type == fault.ConnectionReset
		return e
	case lost && errors.Is(err, framing.ErrUnsolicited) && !s.kept:
		return &fault.Error{Type: fault.MalformedResponse, Err: err} // it speaks first, as no server of HTTP does
	case lost:
		return &fault.Error{Type: fault.ConnectionReset, Kept: s.kept, Err: err}
	}
	return &fault.Error{Type: fault.MalformedRequest, Err: err}
}

// failureHTTP2 goes by texts where it must: net/http keeps the errors of its
// HTTP/2 half to itself.
func (s sending) failureHTTP2(e *fault.Error, err error) *fault.Error {
	if reset, ok := errors.AsType[streamError](err); ok {
		switch fromPeer := reset.Cause != nil && reset.Cause.Error() == "received from peer"; {
		case !fromPeer:
			return &fault.Error{Type: fault.MalformedResponse, Sent: true, Err: err} // net/http's own word for it
		case reset.Code == codeRefusedStream:
			return &fault.Error{Type: fault.ConnectionReset, Err: err} // RFC 9113 §8.7
		}
		return e
	}
	text := err.Error()
	for _, unsent := range []string{
		"http2: Transport received GOAWAY", "http2: Transport received Server's graceful shutdown GOAWAY", // the stream is above its last, RFC 9113 §6.8
		"http2: client conn not usable", "http2: client conn could not be established",
	} {
		if strings.HasPrefix(text, unsent) {
			return &fault.Error{Type: fault.ConnectionReset, Kept: s.kept, Err: err}
		}
	}
	if cause := errors.Unwrap(err); cause != nil && text == "http2: "+cause.Error() { // nothing could be encoded
		if strings.HasPrefix(cause.Error(), "request header list larger") {
			return &fault.Error{Type: fault.HeaderTooLarge, Err: err}
		}
		return &fault.Error{Type: fault.MalformedRequest, Err: err}
	}
	return e
}

// streamError is net/http's, which shows itself as any struct that looks like
// it.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error" }

const codeRefusedStream = 7

// sendable reports whether r is one that net/http sends, but for what depends on
// the connection.
func sendable(r *http.Request) bool {
	return httpguts.ValidHeaderFieldName(r.Method) && sendableFields(r.Header) && sendableFields(r.Trailer) // a method is a token, as a name is
}

func sendableFields(fields http.Header) bool {
	for name, values := range fields {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}
