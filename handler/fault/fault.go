// Package fault answers: what kind of failure is this, whose fault is it, and
// which status does it become?
//
// It is the only place that looks into an error of the network or of net/http:
// [Of] names it once, and whoever decides about a request, its backend or its span
// reads the [Error] that comes of that.
package fault

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Type names what went wrong, once, for status, span, metric and log. The
// values are the vocabulary of the error.type attribute.
type Type string

// The reasons for which a request ends without the backend's complete answer.
const (
	ConnectionRefused  Type = "connection_refused"  // nothing listens there
	ConnectError       Type = "connect_error"       // any other failure to connect: no route, network down
	ConnectTimeout     Type = "connect_timeout"     // no connection, or no handshake of TLS, within BACKEND_CONNECT_TIMEOUT
	ConnectionReset    Type = "connection_reset"    // the connection ended before the response's header
	TLSHandshakeError  Type = "tls_handshake_error" // no agreement, or a certificate that is not trusted
	DNSError           Type = "dns_error"           // the backend's name does not resolve
	ResponseTimeout    Type = "response_timeout"    // no response within BACKEND_RESPONSE_TIMEOUT
	Timeout            Type = "timeout"             // the request's own deadline passed
	BackendReset       Type = "backend_reset"       // the backend ended amid the response's body
	MalformedResponse  Type = "malformed_response"  // what came is not HTTP, or is ambiguous
	NoHealthyBackend   Type = "no_healthy_backend"  // no backend may be used
	IdentityError      Type = "identity_error"      // there is no token to show the backend
	BodyTooLarge       Type = "body_too_large"      // the request's body passes the limit
	ClientDisconnected Type = "client_disconnected" // the client went away first
	ClientTimeout      Type = "client_timeout"      // the client stopped sending its body, or taking its response
	MalformedRequest   Type = "malformed_request"   // the client's body breaks its framing, or HTTP has no such method or field
	HeaderTooLarge     Type = "header_too_large"    // the request's header passes the backend's limit
	Overloaded         Type = "overloaded"          // shed before it reached a backend, or for want of descriptors, ports or memory
	InternalError      Type = "internal_error"      // a fault of the proxy's own
	Shutdown           Type = "shutdown"            // the proxy stopped first; the cause of a request's context says so
)

// Error is why an attempt, or the request that it was for, failed. It is the only
// error that RoundTrippers here return.
type Error struct {
	Type Type
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

// Blameless reports whether the failure says nothing about the backend: the
// client caused it, or nothing was asked of a backend.
func (e *Error) Blameless() bool {
	switch e.Type {
	case BodyTooLarge, ClientDisconnected, ClientTimeout, MalformedRequest, HeaderTooLarge, NoHealthyBackend, IdentityError, Overloaded, Shutdown:
		return true
	}
	return errors.Is(e.Err, ErrGivenUp) || errors.Is(e.Err, ErrNoToken)
}

// Counts reports whether the failure speaks against the backend.
func (e *Error) Counts() bool { return !e.Blameless() && !e.Kept }

// Phrase is an error of the proxy's own words alone, so that it may be shown to
// anybody.
type Phrase string

func (p Phrase) Error() string { return string(p) }

// ErrGivenUp is what reading the body of a request meets with when the attempt
// that it was for has been given up: its failure says nothing about the backend.
var ErrGivenUp = errors.New("the attempt that this body is for has ended")

// ErrNoToken is in the chain of a failure without a token that was to be shown to a
// backend: that one was not asked, or had no time left to answer.
const ErrNoToken = Phrase("no token for the backend")

// RequestBodyError is what the body of a request returns when the client, not
// the backend, is at fault. It passes through the transport unchanged and so
// keeps one client's broken upload from counting against a backend.
type RequestBodyError struct{ Err error }

func (e *RequestBodyError) Error() string { return "reading the request body: " + e.Err.Error() }

func (e *RequestBodyError) Unwrap() error { return e.Err }

// Of returns err as an *Error: the one in its chain, or a new one whose
// type follows from what net/http reports. Of ctx, the request's, it takes
// whether the client went away, the deadline passed or the proxy stops, which
// net/http may report as a broken connection.
func Of(ctx context.Context, err error) *Error {
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

// OfBody is [Of] for the error of reading a response's body: a
// backend that is lost after its header is a case of its own, [BackendReset].
func OfBody(ctx context.Context, err error) *Error {
	e := Of(ctx, err)
	switch e.Type {
	case ConnectionReset, MalformedResponse:
		return &Error{Type: BackendReset, Sent: true, Err: err}
	}
	return e
}

func classify(ctx context.Context, err error) (kind Type, sent bool) {
	if body, ok := errors.AsType[*RequestBodyError](err); ok {
		return classifyBody(ctx, body.Err), true
	}
	switch {
	case is[*http.MaxBytesError](err):
		return BodyTooLarge, false
	case Exhausted(err):
		return Overloaded, true
	case is[*Error](context.Cause(ctx)):
		return Gone(ctx).Type, true
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

// OfClient names the failure of writing to the client of the request that ctx is of.
func OfClient(ctx context.Context, err error) *Error {
	kind := Gone(ctx).Type
	deadline, limited := ctx.Deadline()
	switch {
	case ctx.Err() == context.DeadlineExceeded, limited && isTimeout(err) && !time.Now().Before(deadline):
		kind = Timeout // ctx may have been cancelled because of err
	case isTimeout(err):
		kind = ClientTimeout
	}
	return &Error{Type: kind, Sent: true, Err: err}
}

// OfConnect names the failure of a connection over which nothing was
// sent: otherwise, unless err tells more.
func OfConnect(err error, otherwise Type) *Error {
	kind := otherwise
	switch {
	case Exhausted(err):
		kind = Overloaded // no backend has been asked
	case is[*net.DNSError](err):
		kind = DNSError
	case isTimeout(err):
		kind = ConnectTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such Unix socket
		kind = ConnectionRefused
	}
	return &Error{Type: kind, Err: err}
}

// OfCall names why a service that is no backend gave no answer: otherwise, unless
// err tells more.
func OfCall(err error, otherwise Type) Type {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Type
	}
	switch {
	case isTimeout(err):
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ConnectionReset
	}
	return otherwise
}

// classifyBody tells the ways apart in which a client's upload ends early.
func classifyBody(ctx context.Context, err error) Type {
	switch {
	case is[*http.MaxBytesError](err):
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

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// isReset reports whether a connection or a stream ended. net/http keeps the errors
// of its HTTP/2 half to itself, and shows their texts alone.
func isReset(err error) bool {
	text := err.Error()
	return Lost(err) || strings.Contains(text, "stream error:") || strings.Contains(text, "http2: ")
}

// Lost reports whether a connection ended under what was sent or awaited over it.
// Of one that was kept net/http says so by a text.
func Lost(err error) bool {
	for _, sign := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, sign) {
			return true
		}
	}
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") || strings.Contains(text, "http2: client conn")
}

// NotFound reports whether err, of a lookup, says that there is nothing, rather than
// that nothing is known.
func NotFound(err error) bool {
	if failure, ok := errors.AsType[*net.DNSError](err); ok {
		return failure.IsNotFound
	}
	return is[*net.AddrError](err)
}
