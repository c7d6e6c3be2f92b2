package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// Handshake says why a handshake of TLS came to nothing. The values are the words of
// error.type where handshakes are counted. Those that begin with alert_ are what the
// other side says of it (RFC 8446 §6.2), the others what was found here.
type Handshake string

// What is found here.
const (
	HandshakeNoCertificate    Handshake = "certificate_missing"           // the peer has to show one, and has not
	HandshakeUnknownAuthority Handshake = "certificate_unknown_authority" // nobody who is believed has signed it
	HandshakeExpired          Handshake = "certificate_expired"           // or is not valid yet
	HandshakeWrongName        Handshake = "certificate_wrong_name"        // it is for another server
	HandshakeWrongUsage       Handshake = "certificate_wrong_usage"       // it is for servers, and a client shows it, or the other way round
	HandshakeNotPinned        Handshake = "certificate_not_pinned"        // another one is asked for, by its fingerprint
	HandshakeBadCertificate   Handshake = "certificate_invalid"           // it cannot be read, breaks a rule, or is not the peer's
	HandshakeVersion          Handshake = "protocol_version"              // none that both speak
	HandshakeAlgorithm        Handshake = "no_common_algorithm"           // no cipher, key exchange or signature that both know
	HandshakeProtocol         Handshake = "no_application_protocol"       // none of ALPN that both speak
	HandshakeNotTLS           Handshake = "not_tls"                       // what came is something else
	HandshakeMalformed        Handshake = "malformed"                     // what came breaks the rules of TLS
	HandshakeNotIssued        Handshake = "certificate_not_issued"        // an authority has not given us ours yet
	HandshakeTimeout          Handshake = "timeout"                       // it was not done in time
	HandshakeGivenUp          Handshake = "given_up"                      // nobody here waits for it any more
	HandshakeClosed           Handshake = "connection_closed"             // the peer went away without a word
	HandshakeInternal         Handshake = "internal_error"                // a fault of this side
	HandshakeOther            Handshake = "_OTHER"                        // anything else
)

// What the peer's alert says.
const (
	AlertHandshakeFailure   Handshake = "alert_handshake_failure"       // there is nothing that both can do
	AlertBadCertificate     Handshake = "alert_bad_certificate"         // ours cannot be read, breaks a rule or is for another name
	AlertUnsupported        Handshake = "alert_unsupported_certificate" // ours is of a kind that the peer does not take
	AlertRevoked            Handshake = "alert_certificate_revoked"
	AlertExpired            Handshake = "alert_certificate_expired"
	AlertCertificateUnknown Handshake = "alert_certificate_unknown" // the peer does not take ours, and does not say why
	AlertUnknownCA          Handshake = "alert_unknown_ca"          // the peer does not believe who has signed ours
	AlertAccessDenied       Handshake = "alert_access_denied"
	AlertVersion            Handshake = "alert_protocol_version"
	AlertInternal           Handshake = "alert_internal_error"
	AlertUnrecognizedName   Handshake = "alert_unrecognized_name" // the peer serves no such name
	AlertNoCertificate      Handshake = "alert_certificate_required"
	AlertProtocol           Handshake = "alert_no_application_protocol"
	AlertOther              Handshake = "alert_other"
)

// alerts are those that are told apart, by number.
var alerts = map[tls.AlertError]Handshake{
	40: AlertHandshakeFailure, 42: AlertBadCertificate, 43: AlertUnsupported, 44: AlertRevoked, 45: AlertExpired,
	46: AlertCertificateUnknown, 48: AlertUnknownCA, 49: AlertAccessDenied, 70: AlertVersion, 71: AlertHandshakeFailure,
	80: AlertInternal, 112: AlertUnrecognizedName, 116: AlertNoCertificate, 120: AlertProtocol,
}

// alertTexts are they by what crypto/tls says of them: over TCP it has a type of its
// own for their numbers.
var alertTexts = func() map[string]Handshake {
	texts := map[string]Handshake{}
	for number, h := range alerts {
		texts[number.Error()] = h
	}
	return texts
}()

// ErrNotIssued is that there is no certificate to show, as an authority is still to
// issue it.
var ErrNotIssued = errors.New("there is no certificate yet")

// HandshakeReason returns why a handshake with a client or a backend failed, of
// which crypto/tls says err. With TLS 1.3 a client meets with what the server thinks
// of its certificate only as it reads for the first time: that error is meant too.
func HandshakeReason(err error) Handshake {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		if h := alertTexts[op.Err.Error()]; h != "" {
			return h
		}
		return AlertOther
	}
	if h := reasonOfCertificate(err); h != "" {
		return h
	}
	switch {
	case errors.Is(err, ErrNotIssued):
		return HandshakeNotIssued
	case is[tls.RecordHeaderError](err):
		return HandshakeNotTLS
	case errors.Is(err, context.Canceled):
		return HandshakeGivenUp
	case isTimeout(err):
		return HandshakeTimeout
	case Lost(err):
		return HandshakeClosed
	}
	text := err.Error()
	for _, t := range handshakeTexts {
		if strings.Contains(text, t.text) {
			return t.reason
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "local error" || strings.HasPrefix(text, "tls: ") {
		return HandshakeMalformed
	}
	return HandshakeOther
}

// ErrNotPinned is why a handshake fails with a peer of whose certificate the
// fingerprint is known, when it shows another one.
const ErrNotPinned = Phrase("tls: certificate is none of those that are pinned")

// HandshakeRefused reports whether err is a server's word that it does not take the
// certificate that it was shown, or that there is none. With TLS 1.3 the client meets
// with it after its own part of the handshake.
func HandshakeRefused(err error) bool {
	switch HandshakeReason(err) {
	case AlertHandshakeFailure, AlertBadCertificate, AlertUnsupported, AlertRevoked, AlertExpired, AlertCertificateUnknown,
		AlertUnknownCA, AlertAccessDenied, AlertNoCertificate:
		return true
	}
	return false
}

// reasonOfCertificate returns what is wrong with the peer's certificate, or "".
func reasonOfCertificate(err error) Handshake {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason {
		case x509.Expired:
			return HandshakeExpired
		case x509.IncompatibleUsage:
			return HandshakeWrongUsage
		}
		return HandshakeBadCertificate
	}
	switch {
	case errors.Is(err, ErrNotPinned):
		return HandshakeNotPinned
	case is[x509.UnknownAuthorityError](err):
		return HandshakeUnknownAuthority
	case is[x509.HostnameError](err):
		return HandshakeWrongName
	case is[*tls.CertificateVerificationError](err):
		return HandshakeBadCertificate
	}
	return ""
}

// handshakeTexts are what crypto/tls says where it has no type for it. The first that
// fits counts.
var handshakeTexts = []struct {
	text   string
	reason Handshake
}{
	{"client didn't provide a certificate", HandshakeNoCertificate},
	{"received empty certificates message", HandshakeNoCertificate},
	{"unsupported versions", HandshakeVersion},
	{"unsupported protocol version", HandshakeVersion},
	{"no supported versions", HandshakeVersion},
	{"inappropriate protocol fallback", HandshakeVersion},
	{"downgrade attempt", HandshakeVersion},
	{"no cipher suite supported by both", HandshakeAlgorithm},
	{"no key exchanges supported by both", HandshakeAlgorithm},
	{"no supported elliptic curves", HandshakeAlgorithm},
	{"doesn't support any of the certificate's signature algorithms", HandshakeAlgorithm},
	{"doesn't support the certificate custom signature algorithms", HandshakeAlgorithm},
	{"missing signature_algorithms", HandshakeAlgorithm},
	{"unconfigured cipher suite", HandshakeAlgorithm},
	{"server selected unsupported", HandshakeAlgorithm}, // a group or curve
	{"application protocol", HandshakeProtocol},
	{"ALPN", HandshakeProtocol},
	{"failed to parse client certificate", HandshakeBadCertificate},
	{"failed to parse certificate from server", HandshakeBadCertificate},
	{"sent certificate containing RSA key larger", HandshakeBadCertificate},
	{"certificate contains an unsupported", HandshakeBadCertificate},
	{"invalid signature by the", HandshakeBadCertificate},
	{"invalid signature algorithm", HandshakeBadCertificate},
	{"no certificates configured", HandshakeInternal},
	{"internal error", HandshakeInternal},
	{"failed to sign", HandshakeInternal},
	{"unsupported certificate", HandshakeInternal}, // our own
}
