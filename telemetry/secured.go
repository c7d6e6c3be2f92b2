package telemetry

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/logline"
)

// secured is what was agreed on with the client in the handshake of TLS. Without a
// state there was none.
type secured struct {
	state   *tls.ConnectionState
	longest textLimit
}

func (s *secured) span(to attributes) {
	if s.state == nil {
		return
	}
	tellTLS(to, s.state)
	if name := s.state.ServerName; name != "" {
		to.String(tlsServerNameKey, printable(name, longestServerName))
	}
	if len(s.state.VerifiedChains) > 0 {
		leaf := s.state.VerifiedChains[0][0]
		sum := sha256.Sum256(leaf.Raw)
		to.String(semconv.TLSClientSubjectKey, s.longest.text(leaf.Subject.String()))
		to.String(semconv.TLSClientHashSha256Key, strings.ToUpper(hex.EncodeToString(sum[:]))) // as the conventions have it
		to.String(semconv.TLSClientNotAfterKey, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
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
