package wire

import (
	"crypto/x509"
	"net/http"
	"time"

	"spangate/handler/wire/framing"
)

// Vouched reports whether r may come over its connection: not where the client began
// that with a certificate that would not be taken any more, as it has expired or its
// authority is one no longer. The connection then ends with the answer w, as far as
// it does by itself: over HTTP/2 the client is asked to leave.
func Vouched(w http.ResponseWriter, r *http.Request) bool {
	conn := secureConnOf(r)
	if conn == nil || conn.vouchedFor() {
		return true
	}
	EndConnection(w, r)
	if framed, ok := r.Context().Value(connKey{}).(*framing.Conn); ok && r.ProtoMajor == 2 {
		framed.GoAwayNext()
	}
	return false
}

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
