package wire

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"spangate/handler/acme"
	"spangate/handler/certificate"
	"spangate/handler/config"
)

// TLSConfig says how clients are spoken to over TLS. The zero value says not at all.
type TLSConfig struct {
	CertFiles  []string   `env:"TLS_CERT_FILE" list:"true" zero:"no TLS" door:"leave it out to serve without TLS" doc:"comma list of PEM files, each of a certificate and its chain, one of which is shown by the name that a client asks for, the first where none fits; read again when they change; FILE.ocsp, in DER, is stapled"`
	KeyFiles   []string   `env:"TLS_KEY_FILE" list:"true" needs:"TLS_CERT_FILE" zero:"in TLS_CERT_FILE" doc:"comma list of the PEM files of their keys, in the same order; the certificates' own files when empty"`
	Port       uint16     `env:"TLS_PORT" needs:"TLS_CERT_FILE|TLS_ACME_DOMAINS" zero:"PORT, with TLS alone" doc:"TCP port for HTTPS, beside HTTP on PORT; HTTPS alone on PORT when empty or 0"`
	MinVersion TLSVersion `env:"TLS_MIN_VERSION" needs:"TLS_CERT_FILE|TLS_ACME_DOMAINS" envDefault:"1.2" doc:"oldest version of TLS that clients may speak: 1.2 or 1.3"`

	ACME acme.Config

	ReloadInterval time.Duration `env:"TLS_RELOAD_INTERVAL" envDefault:"10s" min:"1ms" doc:"how often the files of certificates, keys and authorities are looked at, those for backends among them"`

	ClientCAFile string     `env:"TLS_CLIENT_CA_FILE" needs:"TLS_CERT_FILE|TLS_ACME_DOMAINS" zero:"none is asked for" door:"leave it out to ask for no certificate" doc:"PEM file of the authorities that may sign clients' certificates; read again when it changes"`
	ClientAuth   ClientAuth `env:"TLS_CLIENT_AUTH" needs:"TLS_CLIENT_CA_FILE" envDefault:"require" door:"leave it out to require certificates" doc:"require: who shows no certificate of TLS_CLIENT_CA_FILE gets no connection; request: who shows none does, who shows a wrong one does not"`
}

// TLSVersion is a version of TLS, as crypto/tls numbers them.
type TLSVersion uint16

// UnmarshalText parses a version.
func (v *TLSVersion) UnmarshalText(text []byte) error {
	var name string
	if err := config.OneOf(&name, text, "1.2", "1.3"); err != nil {
		return err
	}
	*v = tls.VersionTLS12
	if name == "1.3" {
		*v = tls.VersionTLS13
	}
	return nil
}

// MarshalText returns the version as it is written.
func (v TLSVersion) MarshalText() ([]byte, error) {
	if v == tls.VersionTLS13 {
		return []byte("1.3"), nil
	}
	return []byte("1.2"), nil
}

// ClientAuth says who is let in by a certificate, and who without.
type ClientAuth string

const (
	clientAuthRequest ClientAuth = "request"
	clientAuthRequire ClientAuth = "require"
)

// UnmarshalText parses the name of one.
func (a *ClientAuth) UnmarshalText(text []byte) error {
	return config.OneOf(a, text, clientAuthRequest, clientAuthRequire)
}

// On reports whether HTTPS is spoken.
func (c *TLSConfig) On() bool { return len(c.CertFiles) > 0 || c.ACME.On() }

// check returns what is wrong with values that are right by themselves, files
// among them.
func (c *TLSConfig) check() error {
	if n := len(c.KeyFiles); n > 0 && n != len(c.CertFiles) && c.On() {
		return config.Wrong(config.Fields{&c.KeyFiles}, "names %d files, and %s %d", n, &c.CertFiles, len(c.CertFiles))
	}
	_, err := c.load(material{})
	return errors.Join(err, c.ACME.Check())
}

// material is what files say of how clients are spoken to.
type material struct {
	pairs       []tls.Certificate // one for each file
	shown       *certificate.Set  // of them
	authorities *x509.CertPool    // of clients; nil: none is asked for a certificate
	config      *tls.Config       // what comes of both
}

// Requires reports whether who shows no certificate gets no connection.
func (c *TLSConfig) Requires() bool { return c.ClientCAFile != "" && c.ClientAuth == clientAuthRequire }

// files are all that material is read from.
func (c *TLSConfig) files() (all []string) {
	for _, file := range c.CertFiles {
		all = append(all, file, certificate.Staple(file))
	}
	all = append(all, c.KeyFiles...)
	if c.ClientCAFile != "" {
		all = append(all, c.ClientCAFile)
	}
	return all
}

// load reads the files. What cannot be used of them, or has expired, is as it was
// before, if there is a before, and holds up nothing else.
func (c *TLSConfig) load(before material) (m material, err error) {
	var errs []error
	for i, file := range c.CertFiles {
		about, key := config.Fields{&c.CertFiles}, ""
		if len(c.KeyFiles) > 0 {
			about, key = append(about, &c.KeyFiles), c.KeyFiles[i]
		}
		var earlier tls.Certificate
		if before.pairs != nil {
			earlier = before.pairs[i]
		}
		pair, err := certificate.LoadAfter(earlier, file, key)
		if err != nil {
			errs = append(errs, config.Wrong(about, "%w", err))
		}
		m.pairs = append(m.pairs, pair)
	}
	if c.ClientCAFile != "" {
		if m.authorities, err = certificate.Authorities(c.ClientCAFile); err != nil {
			errs = append(errs, config.Wrong(config.Fields{&c.ClientCAFile}, "%w", err))
			m.authorities = before.authorities
		}
	}
	if errs == nil || before.shown != nil {
		m.shown = certificate.NewSet(m.pairs)
	}
	return m, errors.Join(errs...)
}

// handshake returns how handshakes are done. It is made anew with the certificates:
// a session begun before, with a client that an authority no longer there vouched
// for, is not resumed. Keys of session tickets are crypto/tls's, which takes a new
// one each day. A certificate in a file goes before one that issued, which may be
// nil, has for the same name.
func (c *TLSConfig) handshake(m material, issued *acme.Client) *tls.Config {
	cfg := &tls.Config{
		MinVersion: uint16(c.MinVersion),
		NextProtos: []string{"h2", "http/1.1"},
		// Of TLS 1.2 those that HTTP/2 may use (RFC 9113 §9.2.2); those of 1.3 are all
		// as good.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetConfigForClient: heard,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if found := m.shown.For(hello); found != nil || issued == nil {
				return cmp.Or(found, m.shown.Any(hello)), nil
			}
			if found, err := issued.For(hello); found != nil || err != nil {
				return found, err
			}
			if found := m.shown.Any(hello); found != nil {
				return found, nil
			}
			return issued.Any()
		},
	}
	if issued != nil {
		cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			heard(hello)
			return issued.Challenge(hello), nil
		}
	}
	if m.authorities != nil {
		cfg.ClientCAs, cfg.ClientAuth = m.authorities, tls.VerifyClientCertIfGiven
		if c.ClientAuth == clientAuthRequire {
			cfg.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return cfg
}
