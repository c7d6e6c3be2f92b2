package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

// TLSFiles are the addresses of fields that name PEM files, or are empty: the
// authorities that may sign the other side's certificate, and the certificate and
// key that are shown to it.
type TLSFiles struct{ Authorities, Certificate, Key *string }

// Load puts what the files hold into cfg. Its error joins a complaint for each that
// cannot be used.
func (f TLSFiles) Load(cfg *tls.Config) error {
	return errors.Join(f.loadAuthorities(cfg), f.loadCertificate(cfg))
}

func (f TLSFiles) loadAuthorities(cfg *tls.Config) error {
	if *f.Authorities == "" {
		return nil // the system's
	}
	pem, err := readFile(f.Authorities)
	if err != nil {
		return err
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return Wrong(f.Authorities, "holds no PEM certificate")
	}
	return nil
}

func (f TLSFiles) loadCertificate(cfg *tls.Config) error {
	switch {
	case *f.Certificate == "" && *f.Key == "":
		return nil
	case *f.Certificate == "":
		return Wrong(Fields{f.Key}, "needs %s", f.Certificate)
	case *f.Key == "":
		return Wrong(Fields{f.Certificate}, "needs %s", f.Key)
	}
	certificate, cerr := readFile(f.Certificate)
	key, kerr := readFile(f.Key)
	if err := errors.Join(cerr, kerr); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return Wrong(Fields{f.Certificate, f.Key}, "%w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

// readFile returns what is in the file that a field names.
func readFile(field *string) ([]byte, error) {
	content, err := os.ReadFile(*field)
	if err != nil {
		return nil, Wrong(field, "%w", errors.Unwrap(err))
	}
	return content, nil
}
