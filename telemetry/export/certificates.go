package export

import (
	"crypto/tls"

	"spangate/handler/config"
)

// certificates reads the files. They are refused for an endpoint without TLS,
// because whoever names them does not expect to send in the clear.
func certificates(f *faults, general, own *OTLP, secure bool) *tls.Config {
	files := config.TLSFiles{
		Authorities: either(&own.Certificate, &general.Certificate),
		Certificate: either(&own.ClientCertificate, &general.ClientCertificate),
		Key:         either(&own.ClientKey, &general.ClientKey),
	}
	if !secure {
		for _, file := range []*string{files.Authorities, files.Certificate, files.Key} {
			if *file != "" {
				f.add(config.Wrong(file, "the endpoint does not use TLS: write it with https"))
			}
		}
		return nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	f.add(files.Load(cfg))
	return cfg
}
