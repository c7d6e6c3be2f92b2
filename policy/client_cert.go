package policy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/wire"
)

// ClientCert says what of a client's certificate is the name of who comes with it.
// The zero value says that certificates let nobody in.
type ClientCert string

const (
	certSANURI      ClientCert = "san-uri"
	certSANDNS      ClientCert = "san-dns"
	certCN          ClientCert = "cn"
	certFingerprint ClientCert = "fingerprint"
)

// UnmarshalText parses the name of one.
func (c *ClientCert) UnmarshalText(text []byte) error {
	return config.OneOf(c, text, certSANURI, certSANDNS, certCN, certFingerprint)
}

// Vouched returns a wrapper that refuses, with 421, what comes over a connection
// whose client's certificate would not be taken any more, see [wire.Vouched].
// Another connection may do (RFC 9110 §15.5.20), whose handshake tells.
func Vouched(refuse Refuse) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !wire.Vouched(w, r) {
				refuse(w, r, fault.Refusal{
					Policy: "auth", Reason: string(reasonWithdrawn), Status: http.StatusMisdirectedRequest,
					Detail: authDetails[reasonWithdrawn],
				})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// verify returns who the client of a connection is by the certificate that it has
// shown in the handshake, in which it was verified and the client proved to have its
// key. presented is false when there is none: neither without TLS, nor where nobody
// has verified it. What a field of the header says of a certificate, anybody could
// have written.
func (c ClientCert) verify(state *tls.ConnectionState) (p Principal, reason authReason, presented bool) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return p, "", false
	}
	p = Principal{Name: c.nameOf(state.VerifiedChains[0][0]), Method: methodClientCert}
	if !isCertName(p.Name) {
		return Principal{}, reasonCertName, true
	}
	return p, "", true
}

// nameOf returns the first name of that kind in a certificate, or "".
func (c ClientCert) nameOf(leaf *x509.Certificate) string {
	switch {
	case c == certSANURI && len(leaf.URIs) > 0:
		return leaf.URIs[0].String()
	case c == certSANDNS && len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case c == certCN:
		return leaf.Subject.CommonName
	case c == certFingerprint:
		sum := sha256.Sum256(leaf.Raw)
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// maxCertName is what SPIFFE allows an id, in bytes.
const maxCertName = 2048

// isCertName reports whether somebody may be called that: a common name may have
// spaces in it.
func isCertName(name string) bool {
	return name != "" && len(name) <= maxCertName && utf8.ValidString(name) && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, unicode.IsControl)
}
