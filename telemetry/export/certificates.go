package export

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// tls reads the certificates. They are refused for an endpoint without TLS,
// because whoever names them does not expect to send in the clear.
func (v variables) tls(f *faults, own, general OTLP, secure bool) *tls.Config {
	authorities, authoritiesName := v.pick("CERTIFICATE", own.Certificate, general.Certificate)
	cert, certName := v.pick("CLIENT_CERTIFICATE", own.ClientCertificate, general.ClientCertificate)
	key, keyName := v.pick("CLIENT_KEY", own.ClientKey, general.ClientKey)

	if !secure {
		for _, file := range [][2]string{{authoritiesName, authorities}, {certName, cert}, {keyName, key}} {
			if file[1] != "" {
				f.add(file[0], file[1], errors.New("the endpoint does not use TLS: write it with https"))
			}
		}
		return nil
	}

	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		pem, err := os.ReadFile(authorities)
		pool := x509.NewCertPool()
		if err == nil && !pool.AppendCertsFromPEM(pem) {
			err = errors.New("holds no PEM certificate")
		}
		if err != nil {
			f.add(authoritiesName, authorities, err)
		}
		cfg.RootCAs = pool
	}
	switch {
	case cert != "" && key == "":
		f.add(certName, cert, fmt.Errorf("needs %s too", keyName))
	case cert == "" && key != "":
		f.add(keyName, key, fmt.Errorf("needs %s too", certName))
	case cert != "":
		pair, err := keyPair(f, certName, cert, keyName, key)
		if err == nil {
			cfg.Certificates = []tls.Certificate{pair}
		}
	}
	return cfg
}

func keyPair(f *faults, certName, cert, keyName, key string) (tls.Certificate, error) {
	certPEM, cerr := os.ReadFile(cert)
	if cerr != nil {
		f.add(certName, cert, cerr)
	}
	keyPEM, kerr := os.ReadFile(key)
	if kerr != nil {
		f.add(keyName, key, kerr)
	}
	if err := errors.Join(cerr, kerr); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		f.add(certName, cert, fmt.Errorf("with the key %s: %w", key, err))
	}
	return pair, err
}
