package balancer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
)

// clientTLS returns how backends are verified, and what they are shown. Its
// error joins all that is wrong with the files.
func clientTLS(cfg Config) (*tls.Config, error) {
	authorities, aerr := readAuthorities(cfg.CAFile)
	certificates, cerr := readCertificates(cfg.CertFile, cfg.KeyFile)
	if authorities == nil && slices.ContainsFunc(cfg.Backends, func(m Member) bool { return m.Scheme == "https" }) {
		// The system's are read once, and whoever does so for the first handshake may
		// have no descriptor left for it: nobody would be trusted from then on.
		x509.SystemCertPool()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: authorities, Certificates: certificates,
	}, errors.Join(aerr, cerr)
}

// readAuthorities returns nil, which stands for the system's, without a file.
func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := readFile("BACKEND_CA_FILE", file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("BACKEND_CA_FILE=%q: holds no PEM certificate", file)
	}
	return pool, nil
}

func readCertificates(certFile, keyFile string) ([]tls.Certificate, error) {
	switch {
	case certFile == "" && keyFile == "":
		return nil, nil
	case certFile == "":
		return nil, errors.New("BACKEND_KEY_FILE: needs BACKEND_CERT_FILE")
	case keyFile == "":
		return nil, errors.New("BACKEND_CERT_FILE: needs BACKEND_KEY_FILE")
	}
	cert, cerr := readFile("BACKEND_CERT_FILE", certFile)
	key, kerr := readFile("BACKEND_KEY_FILE", keyFile)
	if err := errors.Join(cerr, kerr); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("BACKEND_CERT_FILE, BACKEND_KEY_FILE: %w", err)
	}
	return []tls.Certificate{pair}, nil
}

func readFile(variable, file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", variable, file, errors.Unwrap(err))
	}
	return content, nil
}
