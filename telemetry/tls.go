package telemetry

import (
	"crypto/tls"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// tellTLS tells what was agreed on over TLS; nothing where state is nil.
func tellTLS(to attributes, state *tls.ConnectionState) {
	if state == nil {
		return
	}
	to.String(semconv.TLSProtocolVersionKey, versionOfTLS(state.Version))
	to.String(semconv.TLSCipherKey, tls.CipherSuiteName(state.CipherSuite))
	to.Bool(semconv.TLSResumedKey, state.DidResume)
	if state.CurveID != 0 {
		to.String(semconv.TLSCurveKey, groupName(state.CurveID))
	}
	if state.NegotiatedProtocol != "" {
		to.String(semconv.TLSNextProtocolKey, state.NegotiatedProtocol)
	}
}

func versionOfTLS(version uint16) string {
	if version == tls.VersionTLS12 {
		return "1.2"
	}
	return "1.3"
}

// groupName returns the name of a group as IANA has it, and OpenTelemetry's
// conventions. crypto/tls has names of its own for those that are older.
func groupName(id tls.CurveID) string {
	switch id {
	case tls.CurveP256:
		return "secp256r1"
	case tls.CurveP384:
		return "secp384r1"
	case tls.CurveP521:
		return "secp521r1"
	case tls.X25519:
		return "x25519"
	}
	return id.String()
}
