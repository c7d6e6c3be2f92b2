package wire

import (
	"crypto/x509"
	"time"
)

// belief is whether authorities vouch for a client's certificate.
type belief struct {
	by *x509.CertPool
	ok bool
}

// vouchedFor reports whether the certificate that the client has shown, if it has,
// would be taken now: it has not expired, and the authorities of today vouch for it.
// A connection may be there for days, and files change under it.
func (c *secureConn) vouchedFor() bool {
	shown := c.state.PeerCertificates
	if len(shown) == 0 {
		return true
	}
	if time.Now().After(shown[0].NotAfter) {
		return false
	}
	authorities := c.listener.security.files.Get().config.ClientCAs
	if b := c.believed.Load(); b != nil && b.by == authorities {
		return b.ok
	}
	behind := x509.NewCertPool()
	for _, c := range shown[1:] {
		behind.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: authorities, Intermediates: behind, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	c.believed.Store(&belief{authorities, err == nil})
	return err == nil
}
