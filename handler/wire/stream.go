package wire

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
)

// stream sends r over c, of HTTP/2, once.
func (t *Transport) stream(c *connection, r *http.Request, course *Course) (*http.Response, error) {
	var body *streamUpload
	if r.Body != nil && r.Body != http.NoBody {
		body = newStreamUpload(r, course)
		r.Body = body
	} else {
		course.sentAtOnce()
	}
	resp, err := t.overHTTP2(c, r, body)
	if err != nil {
		body.closeUnread()
		return nil, err
	}
	if err := checkResponse(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		// With the length of what there would be, net/http's HTTP/2 reports all of
		// that as missing.
		resp.Body.Close()
		resp.Body, resp.ContentLength = http.NoBody, 0
	}
	limit := t.responseTimeout
	if body.owed() {
		limit = 0 // the backend may be waiting for the client
	}
	if err := readFirst(r, resp, limit); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// overHTTP2 returns net/http's response to r.
func (t *Transport) overHTTP2(c *connection, r *http.Request, body *streamUpload) (*http.Response, error) {
	kept, heard := c.used.Load(), c.http2.heard.Load()
	out := fieldsHTTP2(r)
	var over *givenUp
	if body != nil {
		out, over = body.overHTTP2(out, &c.http2.ended)
	}
	if interim := interimOf(r.Context()); interim != nil {
		out = out.WithContext(httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
				return interim.Interim(status, http.Header(header))
			},
		}))
	}
	resp, err := c.client.RoundTrip(out)
	if err != nil {
		over.finish()
		e := failureHTTP2(r, body, kept, err)
		if c.tls != nil && !kept {
			e = t.connections.refused(c.tls, e)
		}
		if e.Type == fault.ResponseTimeout || e.Type == fault.Timeout {
			c.timedOut(heard)
		}
		if t.announced != nil {
			discard(c)
		}
		return nil, e
	}
	resp.Body = over.answered(resp.StatusCode, resp.Body)
	c.used.Store(true)
	if t.announced != nil {
		t.announced.after(c, resp)
	}
	return resp, nil
}

// fieldsHTTP2 returns r as it may go over HTTP/2, which has none of what is of a
// connection of HTTP/1.1 (RFC 9113 §8.2.2).
func fieldsHTTP2(r *http.Request) *http.Request {
	h := r.Header
	if h["Connection"] == nil && h["Upgrade"] == nil {
		return r
	}
	own := r.WithContext(r.Context())
	own.Header = maps.Clone(h) // the request may be sent elsewhere as well
	delete(own.Header, "Connection")
	delete(own.Header, "Upgrade")
	return own
}

// failureHTTP2 returns what err, net/http's, says of the request r: whose fault it
// is, and whether a part of it may have reached the backend. kept says that the
// connection has carried other requests.
func failureHTTP2(r *http.Request, body *streamUpload, kept bool, err error) *fault.Error {
	e := fault.Of(r.Context(), err)
	switch {
	case r.Context().Err() != nil || body.failed():
		return e
	case !sendable(r):
		return &fault.Error{Type: fault.MalformedRequest, Err: err}
	}
	return ofStream(e, kept, err)
}

// ofStream goes by texts where it must: net/http keeps the errors of its HTTP/2 half
// to itself.
func ofStream(e *fault.Error, kept bool, err error) *fault.Error {
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
			return &fault.Error{Type: fault.ConnectionReset, Kept: kept, Err: err}
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

// checkResponse refuses what net/http lets through though RFC 9110 does not: a
// status that is not three digits, from 100 on (§15), switching protocols within
// HTTP/2 (RFC 9113 §8.6), and field names and values (§5.1, §5.5).
func checkResponse(resp *http.Response) error {
	code, _, _ := strings.Cut(resp.Status, " ")
	if len(code) != 3 || resp.StatusCode < 100 || resp.StatusCode == http.StatusSwitchingProtocols {
		return malformed("status %.10q", code)
	}
	for name, values := range resp.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return malformed("field name %q", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return malformed("value of field %q", name)
			}
		}
	}
	return nil
}

// malformed reports a response that net/http let pass though RFC 9110 and 9113
// do not.
func malformed(format string, args ...any) *fault.Error {
	return &fault.Error{Type: fault.MalformedResponse, Sent: true, Err: textproto.ProtocolError(fmt.Sprintf(format, args...))}
}
