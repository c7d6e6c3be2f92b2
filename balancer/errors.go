package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"

	"spangate/handler/fault"
)

// ErrorType names what went wrong, once, for status, span, metric and log. The
// values are the vocabulary of the error.type attribute.
type ErrorType string

// The reasons for which a request ends without the backend's complete answer.
const (
	ConnectionRefused  ErrorType = "connection_refused"  // nothing listens there
	ConnectError       ErrorType = "connect_error"       // any other failure to connect: no route, network down
	ConnectTimeout     ErrorType = "connect_timeout"     // no connection, or no handshake of TLS, within BACKEND_CONNECT_TIMEOUT
	ConnectionReset    ErrorType = "connection_reset"    // the connection ended before the response's header
	TLSHandshakeError  ErrorType = "tls_handshake_error" // no agreement, or a certificate that is not trusted
	DNSError           ErrorType = "dns_error"           // the backend's name does not resolve
	ResponseTimeout    ErrorType = "response_timeout"    // no response within BACKEND_RESPONSE_TIMEOUT
	Timeout            ErrorType = "timeout"             // the request's own deadline passed
	BackendReset       ErrorType = "backend_reset"       // the backend ended amid the response's body
	MalformedResponse  ErrorType = "malformed_response"  // what came is not HTTP, or is ambiguous
	NoHealthyBackend   ErrorType = "no_healthy_backend"  // no backend may be used
	BodyTooLarge       ErrorType = "body_too_large"      // the request's body passes the limit
	ClientDisconnected ErrorType = "client_disconnected" // the client went away first
	ClientTimeout      ErrorType = "client_timeout"      // the client stopped sending its body
	MalformedRequest   ErrorType = "malformed_request"   // the client's body breaks its framing, or HTTP has no such method or field
	HeaderTooLarge     ErrorType = "header_too_large"    // the request's header passes the backend's limit
	Overloaded         ErrorType = "overloaded"          // shed before it reached a backend, or for want of descriptors, ports or memory
	InternalError      ErrorType = "internal_error"      // a fault of the proxy's own
	Shutdown           ErrorType = "shutdown"            // the proxy stopped first; the cause of a request's context says so
)

// Error is why an attempt failed. It is the only error that RoundTrippers of
// this package return.
type Error struct {
	Type ErrorType
	// Sent reports whether a byte of the request may have reached a backend.
	// While it is false the request can be tried elsewhere, whatever its method.
	Sent bool
	// Kept reports whether the connection, kept from an earlier request, ended
	// before anything was answered. Any server may close such a one while a request
	// is on its way (RFC 9112 §9.3.1), which says nothing about its health.
	Kept bool
	Err  error // the cause, for the log; never shown to clients
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Type)
	}
	return string(e.Type) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrorType returns the value of the error.type attribute. It is the method
// that OpenTelemetry's conventions look for on an error.
func (e *Error) ErrorType() string { return string(e.Type) }

// Failure returns why an attempt that ended with resp or err has failed: err, or
// the status of resp.
func Failure(resp *http.Response, err *Error) error {
	if err != nil {
		return err
	}
	return failedStatus(resp.StatusCode)
}

// failedStatus is a status that counts as a failure.
type failedStatus int

func (s failedStatus) Error() string     { return "status " + strconv.Itoa(int(s)) }
func (s failedStatus) ErrorType() string { return strconv.Itoa(int(s)) }

// Blameless reports whether the failure says nothing about the backend: the
// client caused it, or nothing was asked of a backend.
func (e *Error) Blameless() bool {
	switch e.Type {
	case BodyTooLarge, ClientDisconnected, ClientTimeout, MalformedRequest, HeaderTooLarge, NoHealthyBackend, Overloaded, Shutdown:
		return true
	}
	return errors.Is(e.Err, errNotKept) || errors.Is(e.Err, errViewClosed)
}

// Counts reports whether the failure speaks against the backend.
func (e *Error) Counts() bool { return !e.Blameless() && !e.Kept }

// RequestBodyError is what the body of a request returns when the client, not
// the backend, is at fault. It passes through the transport unchanged and so
// keeps one client's broken upload from counting against a backend.
type RequestBodyError struct{ Err error }

func (e *RequestBodyError) Error() string { return "reading the request body: " + e.Err.Error() }

func (e *RequestBodyError) Unwrap() error { return e.Err }

// Classify returns err as an *Error: the one in its chain, or a new one whose
// type follows from what net/http reports. Of ctx, the request's, it takes
// whether the client went away, the deadline passed or the proxy stops, which
// net/http may report as a broken connection.
func Classify(ctx context.Context, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ctx.Err() != nil && Gone(ctx).Type == Shutdown {
		return &Error{Type: Shutdown, Sent: true, Err: err}
	}
	kind, sent := classify(ctx, err)
	return &Error{Type: kind, Sent: sent, Err: err}
}

// Gone returns why nobody waits any more for the answer to the request that ctx
// is of: its client went away, unless the cause of ctx says otherwise.
func Gone(ctx context.Context) *Error {
	if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return e
	}
	return &Error{Type: ClientDisconnected}
}

// ClassifyBody is [Classify] for the error of reading a response's body: a
// backend that is lost after its header is a case of its own, [BackendReset].
func ClassifyBody(ctx context.Context, err error) *Error {
	e := Classify(ctx, err)
	switch e.Type {
	case ConnectionReset, MalformedResponse:
		return &Error{Type: BackendReset, Sent: true, Err: err}
	}
	return e
}

func classify(ctx context.Context, err error) (kind ErrorType, sent bool) {
	if body, ok := errors.AsType[*RequestBodyError](err); ok {
		return classifyBody(ctx, body.Err), true
	}
	switch {
	case isType[*http.MaxBytesError](err):
		return BodyTooLarge, false
	case fault.Exhausted(err):
		return Overloaded, true
	case context.Cause(ctx) == errTryTimeout:
		return ResponseTimeout, true
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout, true
	case ctx.Err() != nil:
		return ClientDisconnected, true
	case isTimeout(err):
		return ResponseTimeout, true
	case isReset(err):
		return ConnectionReset, true
	}
	return MalformedResponse, true
}

// classifyConnect names the failure of a connection over which nothing was
// sent: otherwise, unless err tells more.
func classifyConnect(err error, otherwise ErrorType) *Error {
	kind := otherwise
	switch {
	case fault.Exhausted(err):
		kind = Overloaded // no backend has been asked
	case isType[*net.DNSError](err):
		kind = DNSError
	case isTimeout(err):
		kind = ConnectTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such Unix socket
		kind = ConnectionRefused
	}
	return &Error{Type: kind, Err: err}
}

// classifyBody tells the ways apart in which a client's upload ends early.
func classifyBody(ctx context.Context, err error) ErrorType {
	switch {
	case isType[*http.MaxBytesError](err):
		return BodyTooLarge
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout
	case isTimeout(err):
		return ClientTimeout
	case isReset(err), errors.Is(err, context.Canceled), strings.Contains(err.Error(), "client disconnected"):
		return ClientDisconnected // the last is HTTP/2's in net/http; ctx is done as well when framing is at fault
	}
	return MalformedRequest
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isReset also matches by text: net/http keeps the errors of its HTTP/2 half,
// and that of a keep-alive connection lost before its first byte, to itself.
func isReset(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"server closed idle connection", "stream error:", "http2: "} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// malformed reports a response that net/http let pass though RFC 9110 and 9112
// do not.
func malformed(format string, args ...any) *Error {
	return &Error{Type: MalformedResponse, Sent: true, Err: textproto.ProtocolError(fmt.Sprintf(format, args...))}
}
