package telemetry

import (
	"crypto/tls"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// appendTLS appends what was agreed on over TLS; nothing where state is nil.
func appendTLS(attrs []attribute.KeyValue, state *tls.ConnectionState) []attribute.KeyValue {
	if state == nil {
		return attrs
	}
	attrs = append(attrs,
		semconv.TLSProtocolVersion(versionOfTLS(state.Version)), semconv.TLSCipher(tls.CipherSuiteName(state.CipherSuite)),
		semconv.TLSResumed(state.DidResume),
	)
	if state.CurveID != 0 {
		attrs = append(attrs, semconv.TLSCurve(groupName(state.CurveID)))
	}
	if state.NegotiatedProtocol != "" {
		attrs = append(attrs, semconv.TLSNextProtocol(state.NegotiatedProtocol))
	}
	return attrs
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
