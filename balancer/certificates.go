package balancer

import (
	"crypto/tls"
	"crypto/x509"
	"slices"

	"spangate/handler/config"
)

// tls returns how backends are verified, and what they are shown. Its error joins
// all that is wrong with the files.
func (c *Config) tls() (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	err := config.TLSFiles{Authorities: &c.CAFile, Certificate: &c.CertFile, Key: &c.KeyFile}.Load(trust)
	if trust.RootCAs == nil && slices.ContainsFunc(c.Backends, func(m Member) bool { return m.scheme == "https" }) {
		// The system's are read once, and whoever does so for the first handshake may
		// have no descriptor left for it: nobody would be trusted from then on.
		x509.SystemCertPool()
	}
	return trust, err
}
