package telemetry

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// secured is what was agreed on with the client in the handshake of TLS. Without a
// state there was none.
type secured struct {
	state   *tls.ConnectionState
	longest textLimit
}

func (s *secured) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if s.state == nil {
		return attrs
	}
	attrs = appendTLS(attrs, s.state)
	if name := s.state.ServerName; name != "" {
		attrs = append(attrs, tlsServerNameKey.String(printable(name, longestServerName)))
	}
	if len(s.state.VerifiedChains) > 0 {
		leaf := s.state.VerifiedChains[0][0]
		sum := sha256.Sum256(leaf.Raw)
		attrs = append(attrs,
			semconv.TLSClientSubject(s.longest.text(leaf.Subject.String())),
			semconv.TLSClientHashSha256(strings.ToUpper(hex.EncodeToString(sum[:]))), // as the conventions have it
			semconv.TLSClientNotAfter(leaf.NotAfter.UTC().Format(time.RFC3339)))
	}
	return attrs
}

func (s *secured) line(line *logline.Line) {
	if s.state == nil {
		return
	}
	line.String("tls", versionOfTLS(s.state.Version))
	if len(s.state.VerifiedChains) > 0 {
		line.String("client_subject", printable(s.state.VerifiedChains[0][0].Subject.String(), longestReason))
	}
}
