package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Description returns what went wrong in a few words, the type and what the
// system says of it: "connection_refused: connect: connection refused". Nothing
// in it was written by a peer or names one, so that it may be shown wherever the
// type may. It is empty when e is nil.
func (e *Error) Description() string {
	if e == nil {
		return ""
	}
	if short := short(e.Err); short != "" {
		return string(e.Type) + ": " + short
	}
	return string(e.Type)
}

// short returns the words of an error that are the same whoever is concerned, or
// nothing.
func short(err error) string {
	if err == nil {
		return ""
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Error()
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return shortOfLookup(dns)
	}
	if reason, ok := errors.AsType[Phrase](err); ok {
		return reason.Error()
	}
	if text := shortOfTLS(err); text != "" {
		return text
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, net.ErrClosed, context.Canceled} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if isTimeout(err) {
		return os.ErrDeadlineExceeded.Error()
	}
	return ""
}

// shortOfLookup leaves out the name, and whom it was asked of.
func shortOfLookup(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return os.ErrDeadlineExceeded.Error()
	}
	return "the name could not be looked up"
}

// shortOfTLS leaves out what a certificate says.
func shortOfTLS(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return op.Err.Error() // an alert, by number
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return record.Error()
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "x509: certificate has expired or is not yet valid"
	}
	switch {
	case is[x509.UnknownAuthorityError](err):
		return "x509: certificate signed by unknown authority"
	case is[x509.HostnameError](err):
		return "x509: certificate is for another name"
	case is[x509.CertificateInvalidError](err):
		return "x509: certificate is not valid"
	}
	return ""
}
